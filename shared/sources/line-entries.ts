import { toError } from "../base/errors.ts";
import type { FileFormat } from "./file-formats.ts";
import type { FileRecord, Place, RecordReader } from "./file-records.ts";
import type { LineOptions } from "./line-options.ts";
import type { TextEncoding } from "./text-encoding.ts";
import { UnreadableItem } from "./unreadable-item.ts";

/** A page ends with the item that reaches this size, because the producer holds two pages in memory. */
export const PAGE_BYTES = 4 * 1_024 * 1_024;

/**
 * Whether the only item of a file is a list of objects. Then the file is most likely a JSON document, and not JSON
 * Lines.
 */
export function isTable(item: unknown, { format }: Pick<LineOptions, "format">): item is readonly unknown[] {
  if (format !== "jsonl" || !Array.isArray(item) || item.length < 2) return false;
  return item.every((each) => typeof each === "object" && each !== null && !Array.isArray(each));
}

/** One item of a text, and its place. */
export interface Entry {
  readonly place: Place;
  /** How many bytes of the file the item takes. */
  readonly bytes: number;
  readonly item: unknown;
}

/** How to read the items of a text. */
export interface Reading {
  readonly format: FileFormat;
  readonly decode: (record: FileRecord) => unknown;
  /** The name of the text, for messages. */
  readonly name: string;
  readonly limit: number;
  readonly encoding: TextEncoding;
  /** Whether the lines are counted from the start of the text. Default `true`. */
  readonly countsLines?: boolean;
}

/**
 * Reads the items of a text. A record that cannot be read becomes an `UnreadableItem`. Empty lines are skipped.
 *
 * @param reader A reader at the first item to read.
 */
export async function* readEntries(
  reader: RecordReader,
  { format, decode, name, limit, encoding, countsLines = true }: Reading,
): AsyncGenerator<Entry, void, void> {
  for (let record = await reader.next(); record !== undefined; record = await reader.next()) {
    if (format.isBlank(record)) continue;
    let item: unknown;
    try {
      if (record.tooLong) throw new Error(tooLong(limit, format));
      item = decode(record);
    } catch (thrown) {
      reader.skipLine(record);
      const { line, isAll } = reader.firstLine(record);
      item = new UnreadableItem({
        raw: readable(line, encoding),
        error: `${toError(thrown).message}${isAll ? "" : " (a quote is opened in this line and not closed)"}`,
        at: `${name}${countsLines ? `:${record.line}` : ""} (byte ${record.byte})`,
      });
    }
    yield { place: { byte: record.byte, line: record.line }, bytes: record.bytes.length, item };
  }
}

/** The content of a line, for people: text if the bytes are valid in the encoding, otherwise the bytes. */
function readable(line: Buffer, encoding: TextEncoding): string | Buffer {
  try {
    return encoding.decode(line);
  } catch {
    return line;
  }
}

function tooLong(limit: number, format: FileFormat): string {
  const quoted = format.quote === undefined ? "" : ", or a quote in it is not closed";
  return `longer than ${limit} bytes (maxItemBytes)${quoted}`;
}
