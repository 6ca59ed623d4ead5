import * as z from "zod";
import { SourceError } from "../base/errors.ts";
import { show } from "../base/options.ts";
import type { KeyRange } from "./key-ranges.ts";
import type { Cursor, Page } from "./source.ts";
import type { SqlRows } from "./sql-options.ts";

/** A row of a page. */
export interface SqlRow<Value> {
  readonly item: unknown;
  /** Exact, and JSON. */
  readonly key: readonly Value[];
  /** Whether the database takes the key for equal to that of the row before. */
  readonly isEqualToBefore: boolean;
}

/** Reads rows from a database. */
export interface SqlReader<Value> {
  /** Up to one row more than a page has, in the order of the key. */
  read(range: KeyRange<readonly Value[]>): Promise<readonly SqlRow<Value>[]>;
  /** Whether a row has a null in its key. */
  hasNullKey(): Promise<boolean>;
}

/** How a database writes one value of a key into a cursor. */
export type ValueSchema<Value> = z.ZodType<Value>;

/** Where reading continues, and where it ends. */
export interface SqlCursor<Value> {
  /** The key of the last row that was read. Absent: the start. */
  readonly after?: readonly Value[] | undefined;
  /** The key of the last row of the partition. Absent: the end. */
  readonly upTo?: readonly Value[] | undefined;
}

/**
 * Reads the pages of a range of keys.
 *
 * The last page is the one whose statement returns no row beyond the page. A statement whose response was cut off is an
 * error of the connection, and never looks like the end.
 *
 * @throws {SourceError} The key is not unique, or has a null.
 */
export async function* keysetPages<Value extends Cursor>(
  reader: SqlReader<Value>,
  { after: start, upTo }: SqlCursor<Value>,
  rows: Pick<SqlRows, "name" | "key" | "pageSize">,
): AsyncGenerator<Page, void, void> {
  const { pageSize } = rows;
  let after = start;
  if (start === undefined && upTo === undefined) await refuseNullKeys(reader, rows);
  for (;;) {
    const read = await reader.read({ ...(after !== undefined && { after }), ...(upTo !== undefined && { upTo }) });
    const twice = read.find(({ isEqualToBefore }) => isEqualToBefore);
    if (twice !== undefined) throw notUnique(twice.key, rows);
    const page = read.slice(0, pageSize);
    const items = page.map(({ item }) => item);
    if (read.length <= pageSize) return yield { items };
    after = page.at(-1)?.key ?? [];
    yield { items, next: { after, ...(upTo !== undefined && { upTo }) } };
  }
}

/** @throws {SourceError} `permanent`: a row has a null in its key. */
export async function refuseNullKeys<Value>(
  reader: Pick<SqlReader<Value>, "hasNullKey">,
  { name, key }: Pick<SqlRows, "name" | "key">,
): Promise<void> {
  if (!(await reader.hasNullKey())) return;
  throw new SourceError(
    `the key (${key.join(", ")}) of ${name} is null in a row, so the row has no place in the order of the key and would not be ` +
      "read: use columns that are never null, such as the primary key, or a query that leaves such rows out",
    { permanent: true },
  );
}

function notUnique(value: readonly unknown[], { name, key }: Pick<SqlRows, "name" | "key">): SourceError {
  const shown = key.map((column, index) => `${column} = ${show(value[index])}`).join(", ");
  return new SourceError(
    `the key (${key.join(", ")}) of ${name} is not unique: two rows have ${shown}, so rows could be left out. Add columns to ` +
      'key until it is unique, such as key: ["created_at", "id"]',
    { permanent: true },
  );
}

/**
 * Checks a cursor.
 *
 * @param source The name of the source, for messages.
 * @throws {SourceError} The cursor is one of another source, or of another key.
 */
export function readSqlCursor<Value>(
  cursor: Cursor | undefined,
  schema: ValueSchema<Value>,
  { key }: Pick<SqlRows, "key">,
  source: string,
): SqlCursor<Value> {
  if (cursor === undefined) return {};
  const place = z.array(schema).length(key.length).readonly().optional();
  const parsed = z.strictObject({ after: place, upTo: place }).safeParse(cursor);
  if (parsed.success) return parsed.data as SqlCursor<Value>;
  throw new SourceError(
    `the cursor ${show(cursor)} does not come from ${source}(...) with the key (${key.join(", ")}): the workflow's source was ` +
      "probably changed. Start a new run",
  );
}
