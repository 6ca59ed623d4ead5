import type { FileHandle } from "node:fs/promises";
import { SourceError } from "../errors.ts";

const CHUNK_BYTES = 65_536;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Where a record starts. */
export interface Place {
  readonly byte: number;
  /** Counted from 1. */
  readonly line: number;
}

/** The bytes of one line, or of several if a quoted field spans them. */
export interface FileRecord extends Place {
  /** Without the line ending. Of a record that is too long: its start. */
  readonly bytes: Buffer;
  readonly tooLong: boolean;
}

export interface RecordReaderOptions {
  /** Where to start. */
  readonly place: Place;
  /** Where the file ends: what is appended later is not read. */
  readonly size: number;
  /** The longest record, in bytes, without its newline. */
  readonly limit: number;
  /** The byte between two of which a newline is part of the record. None: every newline ends a record. */
  readonly quote?: number | undefined;
}

/**
 * Cuts a file into records at its newlines, holding one record and one chunk in memory. It works on bytes, since UTF-8
 * never has the byte of a newline or a quote inside another character; so the offsets are exact.
 *
 * Whether a newline is inside quotes is told from the number of quotes before it, odd or even: exact for well-formed
 * CSV, where a quote inside quotes is doubled. For malformed CSV see `skipLine`.
 */
export class RecordReader {
  readonly #file: FileHandle;
  readonly #options: RecordReaderOptions;
  #buffer: Buffer = Buffer.alloc(0);
  /** The offset of the buffer's start in the file. */
  #base: number;
  #place: Place;

  constructor(file: FileHandle, options: RecordReaderOptions) {
    this.#file = file;
    this.#options = options;
    this.#place = options.place;
    this.#base = options.place.byte;
  }

  /** Where the next record starts. */
  get place(): Place {
    return this.#place;
  }

  /** The next record, or `undefined` at the file's end. */
  async next(): Promise<FileRecord | undefined> {
    const { quote, limit } = this.#options;
    const start = this.#place;
    let scanned = 0;
    let newlines = 0;
    let quoted = false;
    for (;;) {
      const rest = this.#buffer.subarray(start.byte - this.#base);
      const newline = rest.indexOf(NEWLINE, scanned);
      const end = newline === -1 ? rest.length : newline;
      if (quote !== undefined && count(rest.subarray(scanned, end), quote) % 2 === 1) quoted = !quoted;
      scanned = end;
      if (scanned > limit) return this.#tooLong();
      if (newline !== -1) {
        scanned += 1;
        newlines += 1;
        if (quoted) continue;
        this.#place = { byte: start.byte + scanned, line: start.line + newlines };
        return { ...start, bytes: withoutCarriageReturn(rest.subarray(0, end)), tooLong: false };
      }
      if (await this.#fill()) continue;
      if (rest.length === 0) return undefined;
      this.#place = { byte: start.byte + rest.length, line: start.line + newlines + 1 };
      return { ...start, bytes: withoutCarriageReturn(rest), tooLong: false };
    }
  }

  /**
   * Goes on at the line after `record`'s first one.
   *
   * A record that turns out malformed may have swallowed good ones behind a stray quote: so it costs only its first
   * line, and the others are read again.
   */
  skipLine(record: FileRecord): void {
    const newline = record.bytes.indexOf(NEWLINE);
    if (newline !== -1) this.#place = { byte: record.byte + newline + 1, line: record.line + 1 };
  }

  /** Passes over the first line of a record beyond the limit, without keeping it. */
  async #tooLong(): Promise<FileRecord> {
    const start = this.#place;
    const head = this.#buffer.subarray(start.byte - this.#base);
    let newline = head.indexOf(NEWLINE);
    const bytes = withoutCarriageReturn(head.subarray(0, newline === -1 ? this.#options.limit : newline));
    let byte = start.byte;
    let rest = head;
    while (newline === -1) {
      byte += rest.length;
      this.#place = { byte, line: start.line };
      if (!(await this.#fill())) break;
      rest = this.#buffer.subarray(byte - this.#base);
      newline = rest.indexOf(NEWLINE);
    }
    this.#place = { byte: byte + newline + 1, line: start.line + 1 };
    return { ...start, bytes, tooLong: true };
  }

  /** Reads one more chunk behind the buffer, and lets go what lies before the place. False at the file's end. */
  async #fill(): Promise<boolean> {
    const kept = this.#buffer.subarray(this.#place.byte - this.#base);
    const position = this.#place.byte + kept.length;
    const length = Math.min(CHUNK_BYTES, this.#options.size - position);
    if (length <= 0) return false;
    const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(length), 0, length, position);
    if (bytesRead === 0) {
      throw new SourceError(
        `the file became shorter while it was read: it had ${this.#options.size} bytes and ends at ${position}`,
      );
    }
    const chunk = buffer.subarray(0, bytesRead);
    this.#buffer = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
    this.#base = this.#place.byte;
    return true;
  }
}

/** The record's first line, and whether there are more. */
export function firstLine({ bytes }: FileRecord): { readonly line: Buffer; readonly isAll: boolean } {
  const newline = bytes.indexOf(NEWLINE);
  if (newline === -1) return { line: bytes, isAll: true };
  return { line: withoutCarriageReturn(bytes.subarray(0, newline)), isAll: false };
}

function count(bytes: Buffer, byte: number): number {
  let found = 0;
  for (let index = bytes.indexOf(byte); index !== -1; index = bytes.indexOf(byte, index + 1)) found += 1;
  return found;
}

function withoutCarriageReturn(bytes: Buffer): Buffer {
  return bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes;
}
