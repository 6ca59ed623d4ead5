import { CsvError, type Options as CsvParseOptions, parse } from "csv-parse/sync";
import { SourceError, toError } from "../base/errors.ts";
import type { FileFormat } from "./file-formats.ts";
import type { FileLayout } from "./file-layout.ts";
import type { FileRecord, RecordReader } from "./file-records.ts";
import type { TextEncoding } from "./text-encoding.ts";

/** Gives a column of the file its name in the items. */
export type HeaderNames = Readonly<Record<string, string>> | ((name: string, index: number) => string);

export interface CsvSettings {
  /** Absent: what the first line says (`sep=;`), else a comma. */
  readonly delimiter?: string | undefined;
  /** Empty: nothing is quoted. */
  readonly quote: string;
  /** Without it the first line names the columns. */
  readonly columns?: readonly string[] | undefined;
  readonly header?: HeaderNames | undefined;
  /** Absent: blanks around the names of the columns are an error, and values keep theirs. */
  readonly trim?: boolean | undefined;
  readonly relaxQuotes: boolean;
}

/** A row per record, as an object of its columns. */
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
    `line 1 of ${file} says "sep=${separator}", but delimiter is ${JSON.stringify(delimiter)}: leave delimiter out, or set ` +
      JSON.stringify(separator),
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
      // Also those that end no line of this file: outside quotes they must not become part of a value.
      record_delimiter: ["\r\n", "\n", "\r"],
      trim,
      relax_quotes: relaxQuotes,
    };
    this.#encoding = encoding;
    this.#hint = relaxQuotes
      ? ""
      : ": set relaxQuotes: true if quotes are part of the text, or quote: false if nothing is quoted";
  }

  /** @throws {Error} The record is no row. */
  parse({ bytes }: FileRecord, columns?: string[]): unknown {
    const text = this.#encoding.decode(bytes);
    let rows: unknown[];
    try {
      rows = parse(text, columns === undefined ? this.#options : { ...this.#options, columns });
    } catch (thrown) {
      if (this.#endsInside(text)) throw new Error(LINE_END_INSIDE, { cause: thrown });
      // The parser sees one record at a time: its line number would always be the record's own.
      const message = toError(thrown).message.replace(/ (at|on) line \d+/, "");
      const isOfQuotes = thrown instanceof CsvError && /QUOTE/.test(thrown.code);
      throw new Error(`${message}${isOfQuotes ? this.#hint : ""}`, { cause: thrown });
    }
    if (rows.length === 1) return rows[0];
    throw new Error(this.#endsInside(text) ? LINE_END_INSIDE : `the quotes do not pair${this.#hint}`);
  }

  /** Whether a character stands outside quotes that ends lines of other files. */
  #endsInside(text: string): boolean {
    if (!/[\r\n]/.test(text)) return false;
    try {
      return parse(text, { ...this.#options, relax_column_count: true }).length > 1;
    } catch {
      return false;
    }
  }
}

const LINE_END_INSIDE =
  "a carriage return or a line feed stands inside the row and outside quotes: the lines of the file end in different ways. " +
  "Convert it, such as with sed 's/\\r/\\n/g'";

/** The names in the first line. It is read again whenever the reading goes on, so a cursor need not hold it. */
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
    if (record.tooLong) throw new Error("it is too long, or has a quote that is not closed");
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
    `${where}, is one column, ${JSON.stringify(names[0])}: set delimiter: ${JSON.stringify(other)}, or delimiter: "," if ` +
      "it is one",
  );
}

function namesOf(found: readonly string[], where: string, { trim, header }: CsvSettings): readonly string[] {
  const blank = found.find((name) => name !== name.trim());
  if (blank !== undefined && trim === undefined) {
    throw unusable(
      `${where}, has blanks around the column ${JSON.stringify(blank)}: set trim: true to take them off, there and ` +
        "around the values, or trim: false to keep them",
    );
  }
  const names = rename(trim === true ? found.map((name) => name.trim()) : found, where, header);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated === undefined) return names;
  throw unusable(
    `${where}, has the column ${JSON.stringify(repeated)} twice: ` +
      "correct it, or give other names by the option header, or leave it out of the file and give the names as columns",
  );
}

function rename(names: readonly string[], where: string, header: HeaderNames | undefined): readonly string[] {
  if (header === undefined) return names;
  if (typeof header === "function") return names.map((name, index) => checkName(header(name, index), name));
  const missing = Object.keys(header).find((name) => !names.includes(name));
  if (missing === undefined) return names.map((name) => (Object.hasOwn(header, name) ? (header[name] ?? name) : name));
  throw unusable(
    `${where}, has no column ${JSON.stringify(missing)}, which the option header gives another name: it has ` +
      names.map((name) => JSON.stringify(name)).join(", "),
  );
}

function checkName(given: unknown, name: string): string {
  if (typeof given === "string") return given;
  throw unusable(`the function header gave ${typeof given} for the column ${JSON.stringify(name)}: return a name`);
}

/** The file and the options stay as they are, so another attempt cannot succeed. */
const unusable = (message: string, cause?: unknown): SourceError =>
  new SourceError(message, { cause, permanent: true });
