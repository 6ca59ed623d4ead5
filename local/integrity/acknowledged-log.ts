import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Damage } from "./file-digests.ts";
import { findDamagedRecord } from "./leveldb-log.ts";

const BYTES = 16;

/** The logs of LevelDB in a directory, by their numbers. */
function logsIn(directory: string): number[] {
  return readdirSync(directory)
    .filter((name) => /^\d+\.log$/.test(name))
    .map((name) => Number.parseInt(name, 10));
}

const logFile = (directory: string, number: number): string =>
  join(directory, `${String(number).padStart(6, "0")}.log`);

/**
 * Notes, after each acknowledged write, how long LevelDB's log is. A log that is shorter at the next start has lost writes.
 * LevelDB alone cannot tell a log that was cut from one whose last write was never acknowledged.
 *
 * The note is 16 bytes that are written in place. They reach the operating system before the answer of the write is sent,
 * so they survive the end of the process.
 */
export class AcknowledgedLog {
  readonly #directory: string;
  readonly #descriptor: number;
  readonly #note = Buffer.alloc(BYTES);
  #log = 0;
  #size = 0;

  /** @param file The file of the note. @param directory The directory of LevelDB. */
  constructor(file: string, directory: string) {
    this.#directory = directory;
    this.#descriptor = openSync(file, existsSync(file) ? "r+" : "w+", 0o600);
  }

  /** Call it after a write has reached LevelDB, and before its answer is sent. */
  acknowledge(): void {
    try {
      const size = this.#sizeOf(this.#log);
      if (size !== undefined && size !== this.#size) this.#write(this.#log, size);
      else {
        // The log has not grown: the request wrote nothing, or LevelDB has begun another log.
        const latest = Math.max(0, ...logsIn(this.#directory));
        this.#write(latest, this.#sizeOf(latest) ?? 0);
      }
    } catch {
      // The user may have removed the directory. Without the note, the next start checks less.
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #sizeOf(log: number): number | undefined {
    return statSync(logFile(this.#directory, log), { throwIfNoEntry: false })?.size;
  }

  #write(log: number, size: number): void {
    this.#log = log;
    this.#size = size;
    this.#note.writeDoubleLE(log, 0);
    this.#note.writeDoubleLE(size, 8);
    writeSync(this.#descriptor, this.#note, 0, BYTES, 0);
  }
}

/**
 * Finds acknowledged writes that LevelDB's logs have lost, after its process was killed. Call it before LevelDB is opened.
 *
 * @param note The file of `AcknowledgedLog`.
 * @param directory The directory of LevelDB.
 */
export function findLostWrites(note: string, directory: string): Damage | undefined {
  if (!existsSync(directory)) return undefined;
  if (!statSync(directory).isDirectory()) return { file: directory, what: "it is no directory" };
  const logs = logsIn(directory);
  for (const log of logs) {
    const file = logFile(directory, log);
    const damage = findDamagedRecord(file, readFileSync(file));
    if (damage !== undefined) return damage;
  }
  if (!existsSync(note)) return undefined;
  const content = readFileSync(note);
  if (content.length < BYTES) return undefined;
  const [log, size] = [content.readDoubleLE(0), content.readDoubleLE(8)];
  if (log === 0) return undefined;
  const file = logFile(directory, log);
  const now = statSync(file, { throwIfNoEntry: false })?.size;
  if (now === undefined) {
    // LevelDB deletes a log once its content is in a table. By then, it has begun another log.
    if (logs.some((other) => other > log)) return undefined;
    return { file, what: `it is missing, and held ${size} bytes of acknowledged writes` };
  }
  if (now >= size) return undefined;
  return { file, what: `${size} bytes of acknowledged writes were in it, and it has only ${now}` };
}
