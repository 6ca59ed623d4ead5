import * as z from "zod";
import { SourceError } from "../base/errors.ts";
import type { PostgresSession } from "./postgres-session.ts";
import type { SqlRows } from "./sql-options.ts";

/** What the database knows about a table and the columns of a key. */
export interface TableFacts {
  /** Whether an index makes the key unique, so that equal keys need no check. */
  readonly isUnique: boolean;
  /** Whether no column of the key can be null. */
  readonly isNeverNull: boolean;
  /** Whether an index has the rows in the order of the key. */
  readonly isIndexed: boolean;
  /** How many blocks of 8 KB the table has. 0: unknown, as for a view. */
  readonly blocks: number;
  /** How many rows the table had when it was analysed. `undefined`: it never was. */
  readonly rows: number | undefined;
  /** Whether a sample of the table's blocks can be read. */
  readonly canSample: boolean;
}

const schema = z.object({
  kind: z.string(),
  children: z.boolean(),
  rows: z.number(),
  blocks: z.number(),
  columns: z.record(z.string(), z.boolean()).nullable(),
  indexes: z
    .array(z.object({ unique: z.boolean(), ordered: z.boolean(), columns: z.array(z.string().nullable()) }))
    .nullable(),
});

/**
 * An index proves that a key is unique only if it compares the columns as `order by` does: with the collation of the column
 * and the default operators of its type. Rows of tables that inherit from the table are not in its indexes.
 * https://www.postgresql.org/docs/current/catalog-pg-index.html
 */
const FACTS = `
select json_build_object(
  'kind', c.relkind,
  'children', c.relhassubclass,
  'rows', coalesce((select sum(nullif(p.reltuples, -1)) from pg_partition_tree(c.oid) l join pg_class p on p.oid = l.relid where l.isleaf), c.reltuples)::float8,
  'blocks', case when c.relkind in ('r', 'm') then pg_relation_size(c.oid)
    when c.relkind = 'p' then (select coalesce(sum(pg_relation_size(l.relid)), 0) from pg_partition_tree(c.oid) l where l.isleaf)
    else 0 end / current_setting('block_size')::int,
  'columns', (select json_object_agg(a.attname, a.attnotnull) from pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
  'indexes', (select json_agg(x.index) from (
    select json_build_object(
      'unique', bool_and(i.indisunique and i.indisvalid and i.indpred is null and o.opcdefault and k.coll = a.attcollation),
      'ordered', bool_and(i.indisvalid and i.indpred is null and o.opcdefault and k.coll = a.attcollation and k.opt & 1 = 0),
      'columns', json_agg(a.attname order by k.nth)
    ) as index
    from pg_index i
    join pg_class ic on ic.oid = i.indexrelid
    join pg_am m on m.oid = ic.relam and m.amname = 'btree'
    cross join lateral unnest(i.indkey::int2[], i.indcollation::oid[], i.indclass::oid[], i.indoption::int2[])
      with ordinality as k(attnum, coll, class, opt, nth)
    left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    left join pg_opclass o on o.oid = k.class
    where i.indrelid = c.oid and k.nth <= i.indnkeyatts
    group by i.indexrelid
  ) x)
)::text
from pg_class c where c.oid = to_regclass($1)`;

/**
 * Asks the catalog about a table. A query and a view have no indexes.
 *
 * @throws {SourceError} `permanent`: the table or a column of the key does not exist.
 */
export async function tableFacts(
  session: PostgresSession,
  { table, name, key }: Pick<SqlRows, "table" | "name" | "key">,
): Promise<TableFacts> {
  if (table === undefined) {
    return { isUnique: false, isNeverNull: false, isIndexed: true, blocks: 0, rows: undefined, canSample: false };
  }
  const { rows: found } = await session.query({ text: FACTS, values: [table] });
  const text = found[0]?.[0];
  if (typeof text !== "string") {
    throw new SourceError(
      `${name} does not exist: correct the option table. An unquoted name in create table is lower-case in the database, and ` +
        'a table outside of the search path needs its schema, such as ["sales", "orders"]',
      { permanent: true },
    );
  }
  const { kind, children, rows, blocks, columns, indexes } = schema.parse(JSON.parse(text));
  const missing = key.find((column) => !Object.hasOwn(columns ?? {}, column));
  if (missing !== undefined) {
    const known = Object.keys(columns ?? {}).join(", ");
    throw new SourceError(`${name} has no column ${missing}: correct the option key. It has ${known}`, {
      permanent: true,
    });
  }
  const isTable = ["r", "p", "m"].includes(kind);
  const hasAllRows = isTable && !(kind === "r" && children);
  return {
    isUnique:
      hasAllRows &&
      (indexes ?? []).some(
        (index) => index.unique && index.columns.every((column) => column !== null && key.includes(column)),
      ),
    isNeverNull: isTable && key.every((column) => columns?.[column] === true),
    isIndexed:
      !isTable ||
      (indexes ?? []).some((index) => index.ordered && key.every((column, at) => index.columns[at] === column)),
    blocks,
    rows: rows < 0 ? undefined : rows,
    canSample: isTable,
  };
}
