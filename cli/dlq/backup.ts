import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import { ExportFile } from "./export-file.ts";

/** The file to which dead letters are written before they are deleted. It is created with the first dead letter. */
export class Backup {
  readonly path: string;
  #file: Promise<ExportFile> | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** Resolves once the dead letters are on disk. */
  async write(deadLetters: readonly DeadLetter[]): Promise<void> {
    this.#file ??= ExportFile.create(this.path, { format: "jsonl", growing: true });
    await (await this.#file).write(deadLetters);
  }

  /** Closes the file. Returns its path, or `undefined` if nothing was written. */
  async finish(): Promise<string | undefined> {
    if (this.#file === undefined) return undefined;
    await (await this.#file).finish();
    return this.path;
  }
}

/** The default name of a backup, in the current directory: `dead-letters-cities-20261125-081530.jsonl`. */
export function backupName(workflow: string, now: Date = new Date()): string {
  const time = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
  return `dead-letters-${workflow}-${time}.jsonl`;
}
