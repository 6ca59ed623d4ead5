import { ConfigurationError } from "../base/errors.ts";
import type { UnsafeNumbers } from "../base/exact-json.ts";
import { rejectUnknownKeys, show } from "../base/options.ts";
import { pageSizeOption } from "./page-size.ts";
import { unsafeNumbersOption } from "./unsafe-numbers.ts";

/** Which rows a source reads: those of a table or of a query. */
export interface SqlRowsOptions {
  /**
   * The name of a table or a view: `"users"`, or with its schema `["sales", "orders"]`. The name is quoted, so it has the
   * same upper-case and lower-case letters as in the database. Give either `table` or `query`.
   */
  readonly table?: string | readonly [schema: string, table: string];
  /** A query in place of a table, without parameters and without a semicolon at its end. */
  readonly query?: string;
  /**
   * The columns that order the rows and identify each of them: one name, or several for a composite key. Together they must
   * be unique, and none of them may be null. An index on exactly these columns makes each page fast.
   */
  readonly key: string | readonly string[];
  /**
   * What Sluice does with a number that JavaScript would alter, in integer columns and in JSON. Default `"refuse"`: the row
   * becomes a dead letter with the reason `invalid item`. `"text"` keeps the number as a string. `"bigint"` keeps an
   * integer as a bigint.
   */
  readonly unsafeNumbers?: UnsafeNumbers;
  /** Number of items in a page: 1 to 200. Default 200. */
  readonly pageSize?: number;
}

/** The checked options. */
export interface SqlRows {
  /** The table or the query as it stands in a `from` clause. */
  readonly from: string;
  /** The quoted name of the table. `undefined` for a query. */
  readonly table: string | undefined;
  /** For messages. */
  readonly name: string;
  readonly key: readonly string[];
  readonly unsafeNumbers: UnsafeNumbers;
  readonly pageSize: number;
}

/**
 * Checks the options that all sources of rows have.
 *
 * @param source The name of the source, for messages.
 * @param others The names of the options that only this source has.
 * @throws {ConfigurationError} An option is unknown or invalid.
 */
export function sqlRows(options: SqlRowsOptions, source: string, others: readonly string[]): SqlRows {
  rejectUnknownKeys(options, [...others, "table", "query", "key", "unsafeNumbers", "pageSize"], `${source}(...)`);
  const { table, query } = options;
  if ((table === undefined) === (query === undefined)) {
    throw new ConfigurationError(
      `${source}(...) needs either table or query, but has ${table === undefined ? "neither" : "both"}: write table for all ` +
        "rows of a table or a view, or query for a select statement",
    );
  }
  const from = table === undefined ? fromQuery(query) : fromTable(table);
  return {
    ...from,
    key: keyOption(options.key),
    unsafeNumbers: unsafeNumbersOption(options.unsafeNumbers),
    pageSize: pageSizeOption(options.pageSize),
  };
}

function keyOption(key: unknown): readonly string[] {
  const names: readonly unknown[] = Array.isArray(key) ? key : [key];
  if (names.length > 0 && names.every(isName) && new Set(names).size === names.length) return names;
  throw new ConfigurationError(
    `key must be the name of a column, or a list of different names, but is ${show(key)}: write "id", or ` +
      '["tenant", "id"] for a composite key',
  );
}

function fromTable(table: unknown): Pick<SqlRows, "from" | "table" | "name"> {
  const parts: readonly unknown[] = Array.isArray(table) ? table : [table];
  if (parts.length < 1 || parts.length > 2 || !parts.every(isName)) {
    throw new ConfigurationError(
      `table must be a name, but is ${show(table)}: write "users", or ["sales", "orders"] for a table in a schema`,
    );
  }
  const quoted = parts.map(quote).join(".");
  return { from: quoted, table: quoted, name: `the table ${parts.join(".")}` };
}

function fromQuery(query: unknown): Pick<SqlRows, "from" | "table" | "name"> {
  if (typeof query !== "string" || query.trim() === "" || query.includes("\0") || /;\s*$/.test(query)) {
    throw new ConfigurationError(
      `query must be one select statement without a semicolon at its end, but is ${show(query)}: write ` +
        '"select id, email from users where active"',
    );
  }
  // A comment at the end of the query must not hide the bracket.
  return { from: `(${query}\n)`, table: undefined, name: "the query" };
}

const isName = (name: unknown): name is string =>
  typeof name === "string" && name !== "" && !name.includes("\0") && name.isWellFormed();

/** The name of a column or a table in SQL. The name can have any characters. */
export const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
