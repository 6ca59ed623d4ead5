import { parseJson, type UnsafeNumbers } from "../base/exact-json.ts";
import type { FileLayout } from "./file-layout.ts";
import type { FileRecord, QuoteRules, RecordReader } from "./file-records.ts";

/** How the items stand in a file. */
export interface FileFormat {
  /** The character inside a pair of which a line end does not end a record. */
  readonly quote?: number | undefined;
  /** Whether the first line may name the delimiter, as `sep=;` does. */
  readonly mayNameSeparator: boolean;
  /** How quotes are read in a file. */
  quotes(layout: FileLayout): QuoteRules | undefined;
  /**
   * Takes what stands before the first item, such as a header, from a reader at the file's start.
   *
   * @throws {SourceError} It cannot be used.
   */
  open(reader: RecordReader, file: string, layout: FileLayout): Promise<OpenFormat>;
  /** Whether the record is no item, but an empty line. */
  isBlank(record: FileRecord): boolean;
}

/** A format that knows its file. */
export interface OpenFormat {
  /**
   * The item of a record.
   *
   * @throws {Error} The record is malformed.
   */
  decode(record: FileRecord): unknown;
  /** Says what a file is that has no items, such as `has a header (id, name) and no rows`. */
  readonly withoutItems: string;
}

/** A JSON value per line. */
export function jsonl(unsafeNumbers: UnsafeNumbers): FileFormat {
  return {
    mayNameSeparator: false,
    quotes: () => undefined,
    async open(_reader, _file, { encoding }) {
      return {
        decode: (record) => parseJson(encoding.decode(record.bytes), unsafeNumbers),
        withoutItems: "has only empty lines",
      };
    },
    isBlank: (record) => !record.tooLong && isBlank(record.bytes),
  };
}

/** Whether bytes are the blanks that JSON knows. In UTF-16, each of them has a byte of 0 beside it. */
function isBlank(bytes: Buffer): boolean {
  if (bytes.length === 0) return true;
  const text = bytes.toString("latin1");
  return /^[ \t\r\n]*$/.test(text) || /^(?:\0[ \t\r\n])*$/.test(text) || /^(?:[ \t\r\n]\0)*$/.test(text);
}
