import { isUtf8 } from "node:buffer";
import { type Options as CsvParseOptions, parse } from "csv-parse/sync";
import { parseJson, type UnsafeNumbers } from "../base/exact-json.ts";
import { SourceError, toError } from "../errors.ts";
import type { FileRecord, RecordReader } from "./file-records.ts";

/** How the items stand in a file. */
export interface FileFormat {
  /** The byte inside a pair of which a newline does not end a record. */
  readonly quote?: number | undefined;
  /**
   * Takes what stands before the first item, such as a header, from a reader at the file's start. Gives the function
   * that turns a record into its item, or throws if the record is malformed.
   */
  open(reader: RecordReader, file: string): Promise<(record: FileRecord) => unknown>;
  /** Whether the record is no item, but an empty line. */
  isBlank(record: FileRecord): boolean;
}

/** A JSON value per line. */
export function jsonl(unsafeNumbers: UnsafeNumbers): FileFormat {
  return {
    async open() {
      return (record) => parseJson(utf8(record.bytes), unsafeNumbers);
    },
    isBlank: (record) => !record.tooLong && record.bytes.toString("latin1").trim() === "",
  };
}

export interface CsvSettings {
  readonly delimiter: string;
  /** Empty: nothing is quoted. */
  readonly quote: string;
  /** Without it the first line names the columns. */
  readonly columns?: readonly string[] | undefined;
}

/** A row per record, as an object of its columns. */
export function csv({ delimiter, quote, columns: given }: CsvSettings): FileFormat {
  const syntax = { delimiter, quote: quote || null, escape: quote || null, record_delimiter: ["\r\n", "\n"] };
  return {
    quote: quote === "" ? undefined : quote.charCodeAt(0),
    isBlank: (record) => !record.tooLong && record.bytes.length === 0,
    async open(reader, file) {
      const columns = given ?? (await readHeader(reader, file, syntax));
      const options = { ...syntax, columns: [...columns] };
      return (record) => parseRow(record, options);
    },
  };
}

/** The names in the first line. It is read again whenever the reading goes on, so a cursor need not hold it. */
async function readHeader(reader: RecordReader, file: string, syntax: CsvParseOptions): Promise<readonly string[]> {
  let record = await reader.next();
  while (record !== undefined && record.bytes.length === 0) record = await reader.next();
  if (record === undefined) return [];
  let names: string[];
  try {
    if (record.tooLong) throw new Error("it is too long, or has a quote that is not closed");
    names = parseRow(record, syntax) as string[];
  } catch (thrown) {
    throw new SourceError(`the header of ${file}, line ${record.line}, cannot be read: ${toError(thrown).message}`, {
      cause: thrown,
    });
  }
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw new SourceError(
      `the header of ${file}, line ${record.line}, has the column ${JSON.stringify(repeated)} twice: ` +
        "mend it, or leave it out of the file and give the names as the option columns",
    );
  }
  return names;
}

function parseRow({ bytes }: FileRecord, options: CsvParseOptions): unknown {
  utf8(bytes);
  let rows: unknown[];
  try {
    rows = parse(bytes, options);
  } catch (thrown) {
    // The parser sees one record at a time: its line number would always be the record's own.
    throw new Error(toError(thrown).message.replace(/ (at|on) line \d+/, ""), { cause: thrown });
  }
  if (rows.length !== 1) throw new Error("the quotes do not pair");
  return rows[0];
}

function utf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new Error("not UTF-8");
  return bytes.toString("utf8");
}
