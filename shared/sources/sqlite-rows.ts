import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { ConfigurationError, SourceError, toError } from "../base/errors.ts";
import { show } from "../base/options.ts";
import type { Environment, Page, Source } from "./source.ts";
import { type SqlRows, type SqlRowsOptions, sqlRows } from "./sql-options.ts";
import { keysetPages, readSqlCursor, type SqlReader, type SqlRow } from "./sql-pages.ts";
import { nullStatement, pageStatement } from "./sql-statements.ts";
import {
  fromKeyValue,
  type SqliteKeyValue,
  type SqliteValue,
  sqliteKeyValue,
  toJsonValue,
  toKeyValue,
} from "./sqlite-values.ts";
import { UnreadableItem } from "./unreadable-item.ts";

/** Options of `sqliteRows`. */
export interface SqliteRowsOptions extends SqlRowsOptions {
  /**
   * The path of the database file, relative to the working directory, or a function that returns the path from the
   * environment variables of the deployed function.
   */
  readonly file: string | ((environment: Environment) => string);
}

/**
 * Makes a source from the rows of a table, a view or a query in a SQLite file, in the order of a key. It uses `node:sqlite`,
 * which Node has from version 22.5 on, and needs no other package. The file is opened for reading only.
 *
 * **Deployment.** `cdk synth` packs the file with the producer, as it does for `fileLines`. A database in WAL mode must be
 * one file: run `pragma journal_mode = delete` before, because Lambda cannot write beside it.
 *
 * **Values.** Texts and floats stay as they are. An integer that JavaScript would alter is handled as `unsafeNumbers` says.
 * Blobs become base64. An infinity is a text.
 *
 * **The key** must be unique and not null: the source checks both. Two keys are equal if SQLite takes them for equal, which
 * depends on the collation of the column. For a table without a key of its own, write `key: "rowid"`.
 *
 * **Restart.** The cursor is the key of the last row. A row that nobody changes while a run reads is read exactly once.
 *
 * @throws {ConfigurationError} An option is unknown or invalid.
 * @throws {SourceError} While the source is read: the file cannot be opened, the table or a column does not exist, or the key
 *   is not unique or is null.
 * @example
 * ```ts
 * source: sqliteRows({ file: "data/shop.db", table: "orders", key: ["tenant", "id"] }),
 * source: sqliteRows({ file: "data/shop.db", query: "select id, email from users where active", key: "id" }),
 * ```
 */
export function sqliteRows<Item = Record<string, unknown>>(options: SqliteRowsOptions): Source<Item> {
  const rows = sqlRows(options, "sqliteRows", ["file"]);
  const { file } = options;
  if (typeof file !== "function") pathOf(file);
  const path = (environment: Environment) => pathOf(typeof file === "function" ? file(environment) : file);
  return {
    files: (environment) => [path(environment)],
    async size() {
      const name = path(process.env);
      const database = await openDatabase(name);
      try {
        const counted = database.prepare(`select count(*) as items from ${rows.from}`).get();
        return { items: Number(counted?.items), isExact: true };
      } catch (thrown) {
        throw sqliteFailure(thrown, rows, name);
      } finally {
        database.close();
      }
    },
    async *pages(cursor, { signal }) {
      const start = readSqlCursor(cursor, sqliteKeyValue, rows, "sqliteRows");
      const name = path(process.env);
      const database = await openDatabase(name);
      try {
        for await (const page of keysetPages(new SqliteReader(database, rows), start, rows)) {
          signal.throwIfAborted();
          yield page as Page<Item>;
        }
      } catch (thrown) {
        throw sqliteFailure(thrown, rows, name);
      } finally {
        database.close();
      }
    },
  };
}

class SqliteReader implements SqlReader<SqliteKeyValue> {
  readonly #database: DatabaseSync;
  readonly #rows: SqlRows;

  constructor(database: DatabaseSync, rows: SqlRows) {
    this.#database = database;
    this.#rows = rows;
  }

  async read(range: Parameters<SqlReader<SqliteKeyValue>["read"]>[0]): Promise<readonly SqlRow<SqliteKeyValue>[]> {
    const { key } = this.#rows;
    const { text, values } = pageStatement(this.#rows, { range, marksEqualKeys: true }, DIALECT);
    const statement = this.#database.prepare(text);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    const names = statement.columns().map(({ name: column }) => column);
    const columns = names.slice(0, names.length - key.length - 1);
    const found = statement.all(...values.map(fromKeyValue)) as unknown as readonly SqliteValue[][];
    return found.map((row) => {
      const values = row.slice(columns.length, -1).map(toKeyValue);
      return { item: this.#itemOf(row, columns, values), key: values, isEqualToBefore: row.at(-1) === 1n };
    });
  }

  async hasNullKey(): Promise<boolean> {
    return this.#database.prepare(nullStatement(this.#rows)).get() !== undefined;
  }

  #itemOf(row: readonly SqliteValue[], columns: readonly string[], key: readonly SqliteKeyValue[]): unknown {
    const { name, unsafeNumbers } = this.#rows;
    let column = "";
    try {
      return Object.fromEntries(
        columns.map((each, index) => {
          column = each;
          return [each, toJsonValue(row[index] ?? null, unsafeNumbers)];
        }),
      );
    } catch (thrown) {
      const shown = key.map((value, index) => `${this.#rows.key[index]} = ${Object.values(value)[0]}`);
      return new UnreadableItem({
        raw: JSON.stringify(row, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
        error: `the column ${column}: ${toError(thrown).message}`,
        at: `the row of ${name} with ${shown.join(", ")}`,
      });
    }
  }
}

const DIALECT = { placeholder: (position: number) => `?${position}` };

async function openDatabase(name: string): Promise<DatabaseSync> {
  try {
    // `node:sqlite` would create nothing, but its message does not say which file is missing.
    await stat(name);
    const { DatabaseSync } = await import("node:sqlite");
    return new DatabaseSync(name, { readOnly: true, timeout: BUSY_MILLISECONDS });
  } catch (thrown) {
    const { code, message } = toError(thrown) as NodeJS.ErrnoException;
    const hint =
      code === "ERR_UNKNOWN_BUILTIN_MODULE"
        ? ". Use Node 22.5 or newer"
        : code === "ENOENT"
          ? ". Correct the option file: the path is relative to the working directory"
          : "";
    throw new SourceError(`cannot open ${name} (${resolve(name)}): ${message}${hint}`, { cause: thrown });
  }
}

/** How long a statement waits for a lock of another process. */
const BUSY_MILLISECONDS = 5_000;

function sqliteFailure(thrown: unknown, { name }: SqlRows, path: string): unknown {
  const error = toError(thrown) as Error & { readonly errcode?: unknown };
  if (typeof error.errcode !== "number") return thrown;
  const lasting = error.errcode === SQLITE_ERROR || error.errcode === SQLITE_NOT_A_DATABASE;
  const fix = lasting ? ". Correct the options file, table, query and key" : "";
  return new SourceError(`cannot read ${name} of ${path}: ${error.message}${fix}`, {
    cause: thrown,
    permanent: lasting,
  });
}

/** https://www.sqlite.org/rescode.html */
const SQLITE_ERROR = 1;
const SQLITE_NOT_A_DATABASE = 26;

function pathOf(file: unknown): string {
  if (typeof file === "string" && file !== "" && !file.includes("\0")) return file;
  throw new ConfigurationError(`file must be the path of a SQLite file, but is ${show(file)}: write "data/shop.db"`);
}
