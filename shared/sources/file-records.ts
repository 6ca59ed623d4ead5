import { SourceError } from "../base/errors.ts";
import type { ReadableFile } from "./readable-file.ts";
import type { TextEncoding } from "./text-encoding.ts";

const READ_BYTES = 65_536;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;

/** The place in a file where a record starts. */
export interface Place {
  readonly byte: number;
  /** The line number, counted from 1. */
  readonly line: number;
}

/** The bytes of one line, or of several lines if a quoted field spans them. */
export interface FileRecord extends Place {
  /** The bytes without the line end. For a record that is too long: the start of its bytes. */
  readonly bytes: Buffer;
  readonly tooLong: boolean;
}

/** Which part of a file a `RecordReader` reads, and how it finds the records. */
export interface RecordReaderOptions {
  /** Where reading starts. */
  readonly place: Place;
  /** The end of the file, in bytes. Bytes that are appended later are not read. Infinity: reading finds the end. */
  readonly size: number;
  /** The longest record without its line end, in bytes. */
  readonly limit: number;
  readonly encoding: TextEncoding;
  /** The character that ends a line. */
  readonly lineEnd: number;
  /** The rules for quotes. Absent: every line end ends a record. */
  readonly quotes?: QuoteRules | undefined;
}

/** The rules that decide which line ends are inside quotes. */
export interface QuoteRules {
  readonly quote: number;
  /**
   * The rule for files in which quotes may be part of the text: a quote opens a quoted field only at the start of the
   * field, and closes it only at the end. Absent: every quote opens or closes a quoted field.
   */
  readonly relaxed?: { readonly delimiter: number; readonly trim: boolean } | undefined;
}

/**
 * Where in a field the search for the end of a record currently is: at the start of the field, in unquoted text, inside
 * quotes, or just after a quote that may have closed the field.
 */
type InField = "start" | "plain" | "quoted" | "closed";

/**
 * Divides a file into records at its line ends. The reader holds one record and one block of 64 KiB of the file in
 * memory. It works on bytes, so the offsets are exact.
 *
 * Without `relaxed`, a line end is inside quotes if the number of quotes before it in the record is odd. This rule is
 * exact for well-formed CSV, in which a quote inside quotes is doubled. For malformed CSV, see `skipLine`. With
 * `relaxed`, the place of each quote inside its field decides.
 */
export class RecordReader {
  readonly #file: ReadableFile;
  readonly #options: RecordReaderOptions;
  #buffer: Buffer = Buffer.alloc(0);
  /** The offset of the start of the buffer in the file. */
  #base: number;
  #place: Place;
  /** The state of the search for the end of the current record. */
  #inField: InField = "start";

  constructor(file: ReadableFile, options: RecordReaderOptions) {
    this.#file = file;
    this.#options = options;
    this.#place = options.place;
    this.#base = options.place.byte;
  }

  /** Where the next record starts. */
  get place(): Place {
    return this.#place;
  }

  /** Returns the next record, or `undefined` at the end of the file. */
  async next(): Promise<FileRecord | undefined> {
    const { limit, encoding } = this.#options;
    const start = this.#place;
    let scanned = 0;
    let newlines = 0;
    this.#inField = "start";
    for (;;) {
      const rest = this.#buffer.subarray(start.byte - this.#base);
      // The buffer may end in the middle of a character. The next read appends the rest of the character.
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

  /** Searches for the line end that ends the record, and counts the line ends inside quotes before it. */
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
        // Two quotes in a row stand for one quote of the text. A carriage return may belong to the line end CR LF.
        if (code === quote) state = "quoted";
        else if (!isBlank && code !== CARRIAGE_RETURN) state = "plain";
      }
    }
    this.#inField = state;
    return { end: to, found: false, lines };
  }

  /**
   * Continues at the line after the first line of `record`.
   *
   * A malformed record may have included good records after a stray quote. So only its first line is skipped, and the
   * lines after it are read again.
   */
  skipLine(record: FileRecord): void {
    const { encoding, lineEnd } = this.#options;
    const newline = encoding.indexOf(record.bytes, lineEnd);
    if (newline !== -1) this.#place = { byte: record.byte + newline + encoding.width, line: record.line + 1 };
  }

  /** Returns the first line of a record, and whether it is the whole record. */
  firstLine({ bytes }: FileRecord): { readonly line: Buffer; readonly isAll: boolean } {
    const newline = this.#options.encoding.indexOf(bytes, this.#options.lineEnd);
    if (newline === -1) return { line: bytes, isAll: true };
    return { line: this.#withoutCarriageReturn(bytes.subarray(0, newline)), isAll: false };
  }

  /** Skips the first line of a record that is longer than the limit, and keeps only its start in memory. */
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
    // If the file has no further line end, the record extends to the end of the file.
    const { size } = this.#options;
    const end = Number.isFinite(size) ? size : byte + (rest.length % encoding.width);
    const next = newline === -1 ? end : byte + newline + encoding.width;
    this.#place = { byte: next, line: start.line + 1 };
    return { ...start, bytes, tooLong: true };
  }

  /** Removes the carriage returns of a line end CR LF or CR CR LF, which are not part of a value. */
  #withoutCarriageReturn(bytes: Buffer): Buffer {
    const { encoding, lineEnd } = this.#options;
    if (lineEnd !== LINE_FEED) return bytes;
    let end = bytes.length;
    // A truncated file in UTF-16 may end in half a character, which cannot be decoded.
    if (end % encoding.width !== 0) return bytes;
    while (end > 0 && encoding.codeAt(bytes, end - encoding.width) === CARRIAGE_RETURN) end -= encoding.width;
    return end === bytes.length ? bytes : bytes.subarray(0, end);
  }

  /**
   * Reads the next bytes of the file into the buffer, and drops the bytes before the current place. Returns false at
   * the end of the file.
   */
  async #fill(): Promise<boolean> {
    const kept = this.#buffer.subarray(this.#place.byte - this.#base);
    const position = this.#place.byte + kept.length;
    const length = Math.min(READ_BYTES, this.#options.size - position);
    if (length <= 0) return false;
    const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(length), 0, length, position);
    if (bytesRead === 0) {
      if (this.#options.size === Number.POSITIVE_INFINITY) return false;
      throw new SourceError(
        `the file became shorter while a run was reading it: it had ${this.#options.size} bytes and now ends at ` +
          `${position}. Restore the file, or start a new run`,
      );
    }
    const bytes = buffer.subarray(0, bytesRead);
    this.#buffer = kept.length === 0 ? bytes : Buffer.concat([kept, bytes]);
    this.#base = this.#place.byte;
    return true;
  }
}

function count(bytes: Buffer, code: number, { indexOf, width }: TextEncoding): number {
  let found = 0;
  for (let index = indexOf(bytes, code); index !== -1; index = indexOf(bytes, code, index + width)) found += 1;
  return found;
}
