import { DatabaseSync } from "node:sqlite";

/** https://www.sqlite.org/rescode.html#busy */
const BUSY = 5;

/** Whoever has it may be giving it back, or be dying. */
const PATIENCE_MILLISECONDS = 250;

/**
 * A lock that one process has at a time, and that its death gives back: SQLite's, of an empty database, which is the
 * operating system's.
 */
export class ProcessLock {
  readonly #file: string;
  #database: DatabaseSync | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  /**
   * @returns whether this process has it now.
   * @throws The file cannot be opened.
   */
  take(): boolean {
    const database = new DatabaseSync(this.#file, { timeout: PATIENCE_MILLISECONDS });
    try {
      database.exec("BEGIN EXCLUSIVE");
    } catch (error) {
      database.close();
      if ((error as { errcode?: number }).errcode === BUSY) return false;
      throw error;
    }
    this.#database = database;
    return true;
  }

  release(): void {
    this.#database?.close();
    this.#database = undefined;
  }
}
