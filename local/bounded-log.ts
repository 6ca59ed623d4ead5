import { closeSync, copyFileSync, fstatSync, ftruncateSync, openSync, readSync, statSync, writeSync } from "node:fs";

/** The size at which a log moves to the file of older lines, in bytes. A function has at most about twice as much. */
export const LOG_BYTES = 8 * 1_024 * 1_024;

/** How often the size is looked at. */
const LOOK_MILLISECONDS = 1_000;

const CHUNK_BYTES = 64 * 1_024;

/** The file with the lines that were written before those of a log. */
export const olderLog = (file: string): string => file.replace(/\.log$/, ".older.log");

/**
 * The log of a function. Processes append to it through the descriptor. When it has become large, its lines move to the
 * file of older lines, and what was there is deleted.
 */
export class BoundedLog implements Disposable {
  readonly descriptor: number;
  /** The size when the log was opened: what was written since begins here. */
  readonly begin: number;
  readonly #file: string;
  readonly #most: number;
  readonly #timer: NodeJS.Timeout;

  /** @param most The size in bytes at which the lines move. */
  constructor(file: string, most: number = LOG_BYTES) {
    this.#file = file;
    this.#most = most;
    // All processes write at the end, also after the file was emptied.
    this.descriptor = openSync(file, "a+", 0o600);
    this.bound();
    this.begin = fstatSync(this.descriptor).size;
    this.#timer = setInterval(() => this.bound(), LOOK_MILLISECONDS).unref();
  }

  /** Moves the lines to the file of older lines, if they are many. */
  bound(): void {
    // The processes that write have the file open, so it is copied and emptied, and not renamed.
    if (fstatSync(this.descriptor).size < this.#most) return;
    try {
      const older = olderLog(this.#file);
      copyFileSync(this.#file, older);
      this.#addRest(older);
      ftruncateSync(this.descriptor);
    } catch {
      // The disk may be full, or the user may have removed the directory. The run does not depend on its log.
    }
  }

  /** Copies what was written during the copy. Only what is written in the moment after that is lost. */
  #addRest(older: string): void {
    const target = openSync(older, "a");
    try {
      const buffer = Buffer.alloc(CHUNK_BYTES);
      let position = statSync(older).size;
      for (;;) {
        const bytes = readSync(this.descriptor, buffer, 0, buffer.length, position);
        if (bytes === 0) return;
        writeSync(target, buffer, 0, bytes);
        position += bytes;
      }
    } finally {
      closeSync(target);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    closeSync(this.descriptor);
  }
}
