import type { FileHandle } from "node:fs/promises";
import { SourceError } from "../base/errors.ts";
import type { TextEncoding } from "./text-encoding.ts";

const CHUNK_BYTES = 65_536;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;

/** Where a record starts. */
export interface Place {
  readonly byte: number;
  /** Counted from 1. */
  readonly line: number;
}

/** The bytes of one line, or of several if a quoted field spans them. */
export interface FileRecord extends Place {
  /** Without the line end. Of a record that is too long: its start. */
  readonly bytes: Buffer;
  readonly tooLong: boolean;
}

export interface RecordReaderOptions {
  /** Where to start. */
  readonly place: Place;
  /** Where the file ends: what is appended later is not read. */
  readonly size: number;
  /** The longest record, in bytes, without its line end. */
  readonly limit: number;
  readonly encoding: TextEncoding;
  /** The character that ends a line. */
  readonly lineEnd: number;
  /** How quotes are read. Absent: every line end ends a record. */
  readonly quotes?: QuoteRules | undefined;
}

/** Which line ends are inside quotes. */
export interface QuoteRules {
  readonly quote: number;
  /**
   * Quotes may be part of a text: only one at a field's start opens a quoted field, and only one at its end closes it.
   * Absent: every quote opens or closes one.
   */
  readonly relaxed?: { readonly delimiter: number; readonly trim: boolean } | undefined;
}

/** Where in a field a record was left off, while its end is looked for. */
type InField = "start" | "plain" | "quoted" | "closed";

/**
 * Cuts a file into records at its line ends, holding one record and one chunk in memory. It works on bytes, so the offsets
 * are exact.
 *
 * Whether a line end is inside quotes is told from the number of quotes before it, odd or even: exact for well-formed
 * CSV, where a quote inside quotes is doubled. For malformed CSV see `skipLine`. With `relaxed` it is told from where in a
 * field each quote stands.
 */
export class RecordReader {
  readonly #file: FileHandle;
  readonly #options: RecordReaderOptions;
  #buffer: Buffer = Buffer.alloc(0);
  /** The offset of the buffer's start in the file. */
  #base: number;
  #place: Place;
  /** Of the record whose end is looked for. */
  #inField: InField = "start";

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
    const { limit, encoding } = this.#options;
    const start = this.#place;
    let scanned = 0;
    let newlines = 0;
    this.#inField = "start";
    for (;;) {
      const rest = this.#buffer.subarray(start.byte - this.#base);
      // Half a character may be left for the next chunk.
      const whole = rest.length - (rest.length % encoding.width);
      const { end, found, lines } = this.#lineEndIn(rest, scanned, whole);
      scanned = end;
      newlines += lines;
      if (scanned > limit) return this.#tooLong();
      if (found) {
        this.#place = { byte: start.byte + end + encoding.width, line: start.line + newlines + 1 };
        return { ...start, bytes: this.#withoutCarriageReturn(rest.subarray(0, end)), tooLong: false };
      }
      if (await this.#fill()) continue;
      if (rest.length === 0) return undefined;
      this.#place = { byte: start.byte + rest.length, line: start.line + newlines + 1 };
      return { ...start, bytes: this.#withoutCarriageReturn(rest), tooLong: false };
    }
  }

  /** Looks for a line end that ends the record, and counts those inside quotes before it. */
  #lineEndIn(rest: Buffer, from: number, to: number): { end: number; found: boolean; lines: number } {
    const { encoding, lineEnd, quotes } = this.#options;
    if (quotes?.relaxed !== undefined) return this.#relaxedLineEndIn(rest, from, to, quotes.quote, quotes.relaxed);
    let lines = 0;
    for (let offset = from; ; ) {
      const newline = encoding.indexOf(rest, lineEnd, offset);
      const end = newline === -1 ? to : newline;
      if (quotes !== undefined && count(rest.subarray(offset, end), quotes.quote, encoding) % 2 === 1) {
        this.#inField = this.#inField === "quoted" ? "start" : "quoted";
      }
      if (newline === -1) return { end: to, found: false, lines };
      if (this.#inField !== "quoted") return { end, found: true, lines };
      lines++;
      offset = end + encoding.width;
    }
  }

  #relaxedLineEndIn(
    rest: Buffer,
    from: number,
    to: number,
    quote: number,
    { delimiter, trim }: { readonly delimiter: number; readonly trim: boolean },
  ): { end: number; found: boolean; lines: number } {
    const { encoding, lineEnd } = this.#options;
    const { codeAt, width } = encoding;
    let state = this.#inField;
    let lines = 0;
    for (let offset = from; offset < to; offset += width) {
      const code = codeAt(rest, offset);
      const isBlank = trim && (code === SPACE || code === TAB);
      if (code === lineEnd) {
        if (state !== "quoted") return { end: offset, found: true, lines };
        lines++;
      } else if (state === "quoted") {
        if (code === quote) state = "closed";
      } else if (code === delimiter) state = "start";
      else if (state === "start") {
        if (!isBlank) state = code === quote ? "quoted" : "plain";
      } else if (state === "closed") {
        // A doubled quote is one of the text, and a line may end in CR LF.
        if (code === quote) state = "quoted";
        else if (!isBlank && code !== CARRIAGE_RETURN) state = "plain";
      }
    }
    this.#inField = state;
    return { end: to, found: false, lines };
  }

  /**
   * Goes on at the line after `record`'s first one.
   *
   * A record that turns out malformed may have swallowed good ones behind a stray quote: so it costs only its first
   * line, and the others are read again.
   */
  skipLine(record: FileRecord): void {
    const { encoding, lineEnd } = this.#options;
    const newline = encoding.indexOf(record.bytes, lineEnd);
    if (newline !== -1) this.#place = { byte: record.byte + newline + encoding.width, line: record.line + 1 };
  }

  /** The record's first line, and whether there are more. */
  firstLine({ bytes }: FileRecord): { readonly line: Buffer; readonly isAll: boolean } {
    const newline = this.#options.encoding.indexOf(bytes, this.#options.lineEnd);
    if (newline === -1) return { line: bytes, isAll: true };
    return { line: this.#withoutCarriageReturn(bytes.subarray(0, newline)), isAll: false };
  }

  /** Passes over the first line of a record beyond the limit, without keeping it. */
  async #tooLong(): Promise<FileRecord> {
    const { encoding, lineEnd, limit } = this.#options;
    const start = this.#place;
    const head = this.#buffer.subarray(start.byte - this.#base);
    let newline = encoding.indexOf(head, lineEnd);
    const bytes = this.#withoutCarriageReturn(head.subarray(0, newline === -1 ? limit : newline));
    let byte = start.byte;
    let rest = head;
    while (newline === -1) {
      byte += rest.length - (rest.length % encoding.width);
      this.#place = { byte, line: start.line };
      if (!(await this.#fill())) break;
      rest = this.#buffer.subarray(byte - this.#base);
      newline = encoding.indexOf(rest, lineEnd);
    }
    // At the file's end: nothing follows.
    const next = newline === -1 ? this.#options.size : byte + newline + encoding.width;
    this.#place = { byte: next, line: start.line + 1 };
    return { ...start, bytes, tooLong: true };
  }

  /** In a file of CR LF, or of CR CR LF, the line ends are not part of a value. */
  #withoutCarriageReturn(bytes: Buffer): Buffer {
    const { encoding, lineEnd } = this.#options;
    if (lineEnd !== LINE_FEED) return bytes;
    let end = bytes.length;
    // At the end of a file of UTF-16 that was cut off, half a character is left, which cannot be decoded.
    if (end % encoding.width !== 0) return bytes;
    while (end > 0 && encoding.codeAt(bytes, end - encoding.width) === CARRIAGE_RETURN) end -= encoding.width;
    return end === bytes.length ? bytes : bytes.subarray(0, end);
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

function count(bytes: Buffer, code: number, { indexOf, width }: TextEncoding): number {
  let found = 0;
  for (let index = indexOf(bytes, code); index !== -1; index = indexOf(bytes, code, index + width)) found += 1;
  return found;
}
