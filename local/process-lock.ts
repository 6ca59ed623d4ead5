import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { SluiceError, toError } from "../shared/base/errors.ts";
import { stateFailureOf } from "./state-failure.ts";

/** https://www.sqlite.org/rescode.html#busy */
const BUSY = 5;

/**
 * A lock between processes: one process holds it alone, or several share it. It is SQLite's lock of an empty database,
 * so the operating system releases it when the process dies. The file must not be replaced: a process that locks
 * another file of the same name does not see the lock.
 */
export class ProcessLock {
  readonly #file: string;
  #database: DatabaseSync | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  /**
   * Takes the lock for this process alone.
   *
   * @returns `false` if another process has it or shares it.
   * @throws The file cannot be opened.
   */
  take(): boolean {
    return this.#hold("BEGIN EXCLUSIVE");
  }

  /**
   * Takes the lock together with other processes that share it.
   *
   * @returns `false` if another process has it alone.
   * @throws The file cannot be opened.
   */
  share(): boolean {
    return this.#hold("BEGIN; SELECT count(*) FROM sqlite_schema");
  }

  /** Whether another process has the lock alone. */
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
      if (stateFailureOf(error) === "damaged") {
        throw new SluiceError(
          "STATE_DAMAGED",
          `${this.#file} is damaged (${toError(error).message}). It is only a lock: end all commands of Sluice, then delete ` +
            "this file, and run the command again",
          { cause: error },
        );
      }
      throw error;
    }
  }
}
