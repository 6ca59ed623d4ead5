import type { Letter } from "../../shared/dead-letters/letter.ts";
import { LetterFile } from "./letter-file.ts";

/** The file that letters are written to before they are deleted. Begun with the first of them. */
export class Backup {
  readonly path: string;
  #file: Promise<LetterFile> | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** Resolves once the letters are safe. */
  async write(letters: readonly Letter[]): Promise<void> {
    this.#file ??= LetterFile.create(this.path, { format: "jsonl", growing: true });
    await (await this.#file).write(letters);
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
