import { parseJson, type UnsafeNumbers } from "../base/exact-json.ts";
import type { FileLayout } from "./file-layout.ts";
import type { FileRecord, QuoteRules, RecordReader } from "./file-records.ts";

/** How a file contains its items. */
export interface FileFormat {
  /** The quote character. Line ends between a pair of quotes do not end a record. Absent: the format has no quotes. */
  readonly quote?: number | undefined;
  /** Whether the first line may name the delimiter, as in `sep=;`. */
  readonly mayNameSeparator: boolean;
  /** The rules for quotes in a file. `undefined`: quotes have no meaning. */
  quotes(layout: FileLayout): QuoteRules | undefined;
  /**
   * Reads what comes before the first item, such as a header.
   *
   * @param reader A reader at the start of the file.
   * @throws {SourceError} The format cannot be used for the file.
   */
  open(reader: RecordReader, file: string, layout: FileLayout): Promise<OpenFormat>;
  /** Whether the record is an empty line, which is not an item. */
  isBlank(record: FileRecord): boolean;
}

/** A format together with what it has read at the start of a file. */
export interface OpenFormat {
  /**
   * Returns the item of a record.
   *
   * @throws {Error} The record is malformed.
   */
  decode(record: FileRecord): unknown;
  /** Describes a file without items, such as `has a header (id, name) and no rows`. */
  readonly withoutItems: string;
}

/** JSON Lines: one JSON value in each line. */
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

/**
 * Whether all bytes are white space of JSON. In UTF-16, a byte of 0 stands before or after each of these characters.
 */
function isBlank(bytes: Buffer): boolean {
  if (bytes.length === 0) return true;
  const text = bytes.toString("latin1");
  return /^[ \t\r\n]*$/.test(text) || /^(?:\0[ \t\r\n])*$/.test(text) || /^(?:[ \t\r\n]\0)*$/.test(text);
}
