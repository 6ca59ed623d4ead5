import { CsvError, type Options as CsvParseOptions, parse } from "csv-parse/sync";
import { SourceError, toError } from "../base/errors.ts";
import type { FileFormat } from "./file-formats.ts";
import type { FileLayout } from "./file-layout.ts";
import type { FileRecord, RecordReader } from "./file-records.ts";
import type { TextEncoding } from "./text-encoding.ts";

/**
 * New names for the columns of a CSV file: an object from old names to new names, or a function that receives the old
 * name and the index (from 0) of a column.
 *
 * @example `{ "E-Mail": "email" }`, `(name) => name.toLowerCase()`
 */
export type HeaderNames = Readonly<Record<string, string>> | ((name: string, index: number) => string);

/** The checked options of a CSV file. */
export interface CsvSettings {
  /** Absent: the delimiter that the first line names (`sep=;`), otherwise a comma. */
  readonly delimiter?: string | undefined;
  /** Empty: no field is quoted. */
  readonly quote: string;
  /** Absent: the first line names the columns. */
  readonly columns?: readonly string[] | undefined;
  readonly header?: HeaderNames | undefined;
  /** Absent: blanks around the name of a column are an error, and values keep their blanks. */
  readonly trim?: boolean | undefined;
  readonly relaxQuotes: boolean;
}

/** CSV: each record is a row, and its item is an object with one property for each column. */
export function csv(settings: CsvSettings): FileFormat {
  const { quote, columns, trim = false, relaxQuotes } = settings;
  const quoteCode = quote === "" ? undefined : quote.charCodeAt(0);
  return {
    quote: quoteCode,
    mayNameSeparator: true,
    isBlank: (record) => !record.tooLong && record.bytes.length === 0,
    quotes(layout) {
      if (quoteCode === undefined) return undefined;
      if (!relaxQuotes) return { quote: quoteCode };
      return { quote: quoteCode, relaxed: { delimiter: delimiterOf(settings, layout).charCodeAt(0), trim } };
    },
    async open(reader, file, layout) {
      checkSeparator(settings, layout, file);
      const rows = new RowParser(settings, delimiterOf(settings, layout), layout.encoding);
      const names = columns ?? (await readHeader(reader, file, rows, settings, layout));
      const hasHeader = columns === undefined && names.length > 0;
      const withoutItems = hasHeader ? `has a header (${names.join(", ")}) and no rows` : "has only empty lines";
      return { decode: (record) => rows.parse(record, [...names]), withoutItems };
    },
  };
}

const delimiterOf = ({ delimiter }: CsvSettings, { separator }: FileLayout): string => delimiter ?? separator ?? ",";

function checkSeparator({ delimiter }: CsvSettings, { separator }: FileLayout, file: string): void {
  if (delimiter === undefined || separator === undefined || delimiter === separator) return;
  throw unusable(
    `line 1 of ${file} says "sep=${separator}", but delimiter is ${JSON.stringify(delimiter)}: leave delimiter out, or ` +
      `set it to ${JSON.stringify(separator)}`,
  );
}

/** Parses one record at a time. */
class RowParser {
  readonly #options: CsvParseOptions;
  readonly #encoding: TextEncoding;
  readonly #hint: string;

  constructor({ quote, trim = false, relaxQuotes }: CsvSettings, delimiter: string, encoding: TextEncoding) {
    this.#options = {
      delimiter,
      quote: quote || null,
      escape: quote || null,
      // A file uses only one of these line ends. All three are listed, because none of them may become part of a value
      // outside quotes.
      record_delimiter: ["\r\n", "\n", "\r"],
      trim,
      relax_quotes: relaxQuotes,
    };
    this.#encoding = encoding;
    this.#hint = relaxQuotes
      ? ""
      : ": set relaxQuotes: true if quotes are part of the text, or quote: false if no field is quoted";
  }

  /** @throws {Error} The record is not a row. */
  parse({ bytes }: FileRecord, columns?: string[]): unknown {
    const text = this.#encoding.decode(bytes);
    let rows: unknown[];
    try {
      rows = parse(text, columns === undefined ? this.#options : { ...this.#options, columns });
    } catch (thrown) {
      if (this.#hasLineEndOutsideQuotes(text)) throw new Error(MIXED_LINE_ENDS, { cause: thrown });
      // The parser sees one record at a time, so its line number is not the line number in the file.
      const message = toError(thrown).message.replace(/ (at|on) line \d+/, "");
      const isAboutQuotes = thrown instanceof CsvError && /QUOTE/.test(thrown.code);
      throw new Error(`${message}${isAboutQuotes ? this.#hint : ""}`, { cause: thrown });
    }
    if (rows.length === 1) return rows[0];
    throw new Error(this.#hasLineEndOutsideQuotes(text) ? MIXED_LINE_ENDS : `the quotes are not in pairs${this.#hint}`);
  }

  /** Whether the text contains a carriage return or a line feed outside quotes. */
  #hasLineEndOutsideQuotes(text: string): boolean {
    if (!/[\r\n]/.test(text)) return false;
    try {
      return parse(text, { ...this.#options, relax_column_count: true }).length > 1;
    } catch {
      return false;
    }
  }
}

const MIXED_LINE_ENDS =
  "the row contains a carriage return or a line feed outside quotes, so the lines of the file end in different ways: " +
  "convert the file, for example with sed 's/\\r/\\n/g'";

/**
 * Reads the names in the first line. The producer reads a source in slices, and each slice reads the names again. So
 * the cursor need not contain them.
 */
async function readHeader(
  reader: RecordReader,
  file: string,
  rows: RowParser,
  settings: CsvSettings,
  layout: FileLayout,
): Promise<readonly string[]> {
  let record = await reader.next();
  while (record !== undefined && record.bytes.length === 0) record = await reader.next();
  if (record === undefined) return [];
  const where = `the header of ${file}, line ${record.line}`;
  let names: string[];
  try {
    if (record.tooLong) throw new Error("the line is too long, or a quote is not closed");
    names = rows.parse(record) as string[];
  } catch (thrown) {
    throw unusable(`${where}, cannot be read: ${toError(thrown).message}`, thrown);
  }
  checkDelimiter(names, where, settings, layout);
  return namesOf(names, where, settings);
}

function checkDelimiter(names: readonly string[], where: string, { delimiter }: CsvSettings, layout: FileLayout): void {
  if (delimiter !== undefined || layout.separator !== undefined || names.length !== 1) return;
  const [other] = /[;\t|]/.exec(names[0] ?? "") ?? [];
  if (other === undefined) return;
  throw unusable(
    `${where}, has only one column, ${JSON.stringify(names[0])}: set delimiter: ${JSON.stringify(other)}, or ` +
      'delimiter: "," if the file really has one column',
  );
}

function namesOf(found: readonly string[], where: string, { trim, header }: CsvSettings): readonly string[] {
  const blank = found.find((name) => name !== name.trim());
  if (blank !== undefined && trim === undefined) {
    throw unusable(
      `${where}, has blanks around the column ${JSON.stringify(blank)}: set trim: true to remove blanks around names ` +
        "and values, or trim: false to keep them",
    );
  }
  const names = rename(trim === true ? found.map((name) => name.trim()) : found, where, header);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated === undefined) return names;
  throw unusable(
    `${where}, has the column ${JSON.stringify(repeated)} twice: ` +
      "rename one in the file or with the option header, or remove the header from the file and set the option columns",
  );
}

function rename(names: readonly string[], where: string, header: HeaderNames | undefined): readonly string[] {
  if (header === undefined) return names;
  if (typeof header === "function") return names.map((name, index) => checkName(header(name, index), name));
  const missing = Object.keys(header).find((name) => !names.includes(name));
  if (missing === undefined) return names.map((name) => (Object.hasOwn(header, name) ? (header[name] ?? name) : name));
  throw unusable(
    `${where}, has no column ${JSON.stringify(missing)}, which the option header renames: its columns are ` +
      names.map((name) => JSON.stringify(name)).join(", "),
  );
}

function checkName(given: unknown, name: string): string {
  if (typeof given === "string") return given;
  throw unusable(
    `the function header returned ${typeof given} for the column ${JSON.stringify(name)}: return a string`,
  );
}

/** The error is permanent: the file and the options stay the same, so another attempt cannot succeed. */
const unusable = (message: string, cause?: unknown): SourceError =>
  new SourceError(message, { cause, permanent: true });
