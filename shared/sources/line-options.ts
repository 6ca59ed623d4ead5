import { ConfigurationError } from "../base/errors.ts";
import type { UnsafeNumbers } from "../base/exact-json.ts";
import { booleanOption, integerOption, rejectUnknownKeys, show } from "../base/options.ts";
import { csv, type HeaderNames } from "./csv.ts";
import { type FileFormat, jsonl } from "./file-formats.ts";
import { pageSizeOption } from "./page-size.ts";
import { encodingOption, type TextEncoding } from "./text-encoding.ts";
import { unsafeNumbersOption } from "./unsafe-numbers.ts";

/** Options for every format. */
export interface CommonLineOptions {
  /** Number of items in a page: 1 to 200. Default 200. A page also ends at 4 MiB. */
  readonly pageSize?: number;
  /**
   * The longest line (in CSV: row) in bytes, 1 to 16 MiB. Default 2 MiB, somewhat more than a message can hold. A
   * longer line becomes a dead letter and is not held in memory.
   */
  readonly maxItemBytes?: number;
  /**
   * The encoding of the file, by its name in the Encoding Standard: `"utf-16le"`, `"windows-1252"`, `"shift_jis"`.
   * `"latin1"` means `"windows-1252"`. Default `"utf-8"`. A byte order mark is not part of the text.
   */
  readonly encoding?: string;
}

/** Options for JSON Lines. */
export interface JsonLinesOptions extends CommonLineOptions {
  /** Each line of the file is one JSON value. */
  readonly format: "jsonl";
  /**
   * What Sluice does with a number that JavaScript would alter, such as the id `12345678901234567`. Default `"refuse"`:
   * the line becomes a dead letter with the reason `invalid item`. `"text"` keeps the number as a string. `"bigint"`
   * keeps an integer as a bigint.
   */
  readonly unsafeNumbers?: UnsafeNumbers;
}

/** Options for CSV. */
export interface CsvOptions extends CommonLineOptions {
  /**
   * Each row of the file is one item, an object of strings. As in RFC 4180, a quoted field may contain newlines, and a
   * quote inside it is written as two quotes.
   */
  readonly format: "csv";
  /**
   * The ASCII character between fields. Default: the character that a first line such as `sep=;` names, otherwise
   * `","`.
   */
  readonly delimiter?: string;
  /** The ASCII character around a quoted field, or `false` if no field is quoted. Default `'"'`. */
  readonly quote?: string | false;
  /** The names of the columns, for a file without a header. Default: the first line names the columns. */
  readonly columns?: readonly string[];
  /**
   * New names for columns of the header: `{ "E-Mail": "email" }`. A column that the file does not have is an error. A
   * function receives each name and its index, and returns the new name. Default: the names stay.
   */
  readonly header?: HeaderNames;
  /**
   * Whether to remove blanks around names and around unquoted values. Default: values keep their blanks, and a name
   * with blanks is an error, because such a name is rarely intended.
   */
  readonly trim?: boolean;
  /**
   * Whether a quote may be part of the text, as in `5" pipe`. With `true`, a quote opens a quoted field only at the
   * start of the field, and closes it only at the end. Default `false`: such a row becomes a dead letter.
   */
  readonly relaxQuotes?: boolean;
}

/** How a text holds its items. */
export type LineOptions = JsonLinesOptions | CsvOptions;

/** The checked options of a text with one item in each line. */
export interface LineSettings {
  readonly format: FileFormat;
  readonly encoding: TextEncoding;
  /** The most items of a page. */
  readonly pageSize: number;
  /** The longest item in bytes. */
  readonly limit: number;
  /** For the source. */
  readonly fieldsFrom: { readonly fieldsFrom?: "header" };
}

/**
 * Checks the options of a text with one item in each line.
 *
 * @param source The name of the source, for messages.
 * @param ownKeys The options that only this source has.
 * @throws {ConfigurationError} An option is unknown or out of its range.
 */
export function lineSettings(options: LineOptions, source: string, ownKeys: readonly string[] = []): LineSettings {
  return {
    format: formatOption(options, source, ownKeys),
    encoding: encodingOption(options.encoding),
    pageSize: pageSizeOption(options.pageSize),
    limit: integerOption("maxItemBytes", options.maxItemBytes ?? 2 * 1_024 * 1_024, {
      minimum: 1,
      maximum: 16 * 1_024 * 1_024,
      fix: "a message holds at most 1 MiB, so more than the default 2097152 rarely helps",
    }),
    fieldsFrom: options.format === "csv" && options.columns === undefined ? { fieldsFrom: "header" } : {},
  };
}

const COMMON_KEYS = ["format", "pageSize", "maxItemBytes", "encoding"];
const CSV_KEYS = [...COMMON_KEYS, "delimiter", "quote", "columns", "header", "trim", "relaxQuotes"];

function formatOption(options: LineOptions, source: string, ownKeys: readonly string[]): FileFormat {
  const { format } = options;
  if (format === "jsonl") {
    rejectUnknownKeys(options, [...ownKeys, ...COMMON_KEYS, "unsafeNumbers"], `${source}(..., JSONL)`);
    return jsonl(unsafeNumbersOption(options.unsafeNumbers));
  }
  if (format !== "csv") {
    throw new ConfigurationError(`format must be "jsonl" or "csv", but is ${show(format)}: use the format of the file`);
  }
  rejectUnknownKeys(options, [...ownKeys, ...CSV_KEYS], `${source}(..., CSV)`);
  const { delimiter, quote = '"', columns, header, trim, relaxQuotes = false } = options;
  if (delimiter !== undefined) characterOption("delimiter", delimiter, 'such as "," or ";" or "\t"');
  if (quote !== false) characterOption("quote", quote, "or false if no field is quoted");
  if ((delimiter ?? ",") === quote) {
    throw new ConfigurationError(`delimiter and quote must differ, but both are ${show(quote)}: change one`);
  }
  if (header !== undefined) headerOption(header, columns);
  if (trim !== undefined) booleanOption("trim", trim);
  booleanOption("relaxQuotes", relaxQuotes);
  if (columns !== undefined) columnsOption(columns);
  return csv({ delimiter, quote: quote === false ? "" : quote, columns, header, trim, relaxQuotes });
}

function characterOption(option: string, value: unknown, examples: string): void {
  if (typeof value === "string" && /^[\t -~]$/.test(value)) return;
  throw new ConfigurationError(`${option} must be one ASCII character, but is ${show(value)}: use one, ${examples}`);
}

function columnsOption(columns: readonly string[]): void {
  const names = Array.isArray(columns) && columns.length > 0 && columns.every((name) => typeof name === "string");
  if (names && new Set(columns).size === columns.length) return;
  throw new ConfigurationError(
    `columns must be a list of distinct names, but is ${show(columns)}: leave it out if the first line names the columns`,
  );
}

function headerOption(header: unknown, columns: readonly string[] | undefined): void {
  if (columns !== undefined) {
    throw new ConfigurationError(
      "header and columns cannot be used together: columns is for a file without a header, so remove one of the two",
    );
  }
  if (typeof header === "function") return;
  const isMap = typeof header === "object" && header !== null && !Array.isArray(header);
  if (isMap && Object.values(header).every((name) => typeof name === "string")) return;
  throw new ConfigurationError(
    `header must be an object of names or a function, but is ${show(header)}: write { "E-Mail": "email" }`,
  );
}
