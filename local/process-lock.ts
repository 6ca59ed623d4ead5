import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/** https://www.sqlite.org/rescode.html#busy */
const BUSY = 5;

/**
 * A lock that one process has alone, or several share, and that a process's death gives back: SQLite's, of an empty
 * database, which is the operating system's. The file must stay where it is: who locks another one of its name is alone
 * with that.
 */
export class ProcessLock {
  readonly #file: string;
  #database: DatabaseSync | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  /**
   * @returns whether this process has it now, and nobody else.
   * @throws The file cannot be opened.
   */
  take(): boolean {
    return this.#hold("BEGIN EXCLUSIVE");
  }

  /**
   * @returns whether this process has it now, perhaps with others that share it.
   * @throws The file cannot be opened.
   */
  share(): boolean {
    return this.#hold("BEGIN; SELECT count(*) FROM sqlite_schema");
  }

  /** Whether somebody else has it alone. */
  get isTaken(): boolean {
    if (!existsSync(this.#file)) return false;
    const database = this.#open("SELECT count(*) FROM sqlite_schema");
    database?.close();
    return database === undefined;
  }

  release(): void {
    this.#database?.close();
    this.#database = undefined;
  }

  #hold(statement: string): boolean {
    if (this.#database !== undefined) return false;
    this.#database = this.#open(statement);
    return this.#database !== undefined;
  }

  #open(statement: string): DatabaseSync | undefined {
    const database = new DatabaseSync(this.#file);
    try {
      database.exec(statement);
      return database;
    } catch (error) {
      database.close();
      if ((error as { errcode?: number }).errcode === BUSY) return undefined;
      throw error;
    }
  }
}
