import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import { DeadLetterFile } from "./export-file.ts";

/** The file that dead letters are written to before they are deleted. Begun with the first of them. */
export class Backup {
  readonly path: string;
  #file: Promise<DeadLetterFile> | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** Resolves once the dead letters are safe. */
  async write(deadLetters: readonly DeadLetter[]): Promise<void> {
    this.#file ??= DeadLetterFile.create(this.path, { format: "jsonl", growing: true });
    await (await this.#file).write(deadLetters);
  }

  /** Returns the file's path, or `undefined` where nothing was written. What is in it may be all that is left of a letter. */
  async finish(): Promise<string | undefined> {
    if (this.#file === undefined) return undefined;
    await (await this.#file).finish();
    return this.path;
  }
}

/** Says of what, and when: `dead-letters-cities-20261125-081530.jsonl`, in the current directory. */
export function backupName(workflow: string, now: Date = new Date()): string {
  const time = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
  return `dead-letters-${workflow}-${time}.jsonl`;
}
