import { parseJson } from "../base/exact-json.ts";
import { INCLUDED_FIELDS, type IncludedField } from "../definition/results-options.ts";
import { FieldNames } from "./field-names.ts";

/** The column of a result that is not an object. */
const WHOLE_RESULT = "result";

/** With more columns than this, all results are in one column, as JSON. */
const MOST_COLUMNS = 1_000;

interface ParsedRow {
  readonly id: string;
  readonly result: unknown;
  readonly [field: string]: unknown;
}

/** Integers that a number cannot hold become text. */
const parseRow = (line: string): ParsedRow => parseJson(line, "text") as ParsedRow;

const isPlainObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Learns which columns the results of a block have. */
export class Columns {
  readonly #names: Set<string>;
  /** The fields of the latest row that was parsed. */
  #latest: FieldNames | undefined;

  constructor(names: readonly string[] = []) {
    this.#names = new Set(names);
  }

  /** The names of the results' fields, in the order of their first appearance. */
  get names(): readonly string[] {
    return [...this.#names];
  }

  /** @param line A row of a part. */
  learn(line: Buffer): void {
    if (this.#latest?.matches(line) === true) return;
    const { result } = JSON.parse(line.toString()) as ParsedRow;
    if (!isPlainObject(result)) {
      this.#names.add(WHOLE_RESULT);
      return;
    }
    const names = Object.keys(result);
    for (const name of names) if (this.#names.size <= MOST_COLUMNS) this.#names.add(name);
    this.#latest = new FieldNames(names);
  }
}

/** Turns rows of parts into CSV. All CSV parts of a manifest have one header. */
export class CsvRows {
  readonly #include: readonly IncludedField[];
  readonly #columns: readonly string[];
  readonly #isWhole: boolean;

  constructor(include: readonly IncludedField[], columns: readonly string[]) {
    this.#include = INCLUDED_FIELDS.filter((field) => include.includes(field));
    this.#isWhole = columns.length > MOST_COLUMNS;
    this.#columns = this.#isWhole ? [WHOLE_RESULT] : columns;
  }

  /** The names of all columns. A field of the results whose name is taken gets the prefix `result.`. */
  get header(): readonly string[] {
    const own = ["id", ...this.#include];
    const taken = new Set<string>(own);
    const names = this.#columns.map((name) => {
      let unique = name;
      while (taken.has(unique)) unique = `result.${unique}`;
      taken.add(unique);
      return unique;
    });
    return [...own, ...names];
  }

  get headerLine(): string {
    return `${this.header.map(cell).join(",")}\n`;
  }

  /**
   * @param line A row of a part.
   * @param end What follows the cells.
   */
  line(line: Buffer | string, end = "\n"): string {
    const row = parseRow(typeof line === "string" ? line : line.toString());
    const { result } = row;
    const fields = isPlainObject(result) && !this.#isWhole ? result : { [WHOLE_RESULT]: result };
    let text = cell(row.id);
    for (const field of this.#include) text += `,${cell(row[field])}`;
    for (const name of this.#columns) text += `,${cell(fields[name])}`;
    return text + end;
  }
}

/**
 * The characters with which a spreadsheet begins a formula.
 * https://owasp.org/www-community/attacks/CSV_Injection
 */
const FORMULA = /^[=+\-@\t\r\n\0\uFF1D\uFF0B\uFF0D\uFF20]/;
const NEEDS_QUOTES = /[",\r\n]/;

/** A value as a cell: text that a spreadsheet would run as a formula gets an apostrophe, and lists and objects are JSON. */
function cell(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return NEEDS_QUOTES.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
