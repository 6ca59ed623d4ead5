import type { KeyRange } from "./key-ranges.ts";
import { quote, type SqlRows } from "./sql-options.ts";

/** A statement with its values. */
export interface Statement<Value> {
  readonly text: string;
  readonly values: readonly Value[];
}

/** How a database writes its statements. */
export interface SqlDialect {
  /** The place of a value: `$1` in PostgreSQL, `?1` in SQLite. */
  placeholder(position: number): string;
}

/** How to read a page. */
export interface PageRequest<Value> {
  /** The rows after one key, up to another. */
  readonly range: KeyRange<readonly Value[]>;
  /**
   * Whether the statement has one more column, which says for each row whether the row before has the same key. The
   * database compares the keys, because two keys that it takes for equal can be different texts: 1.0 and 1.00, or `a` and
   * `A` with some collations.
   */
  readonly marksEqualKeys: boolean;
}

/**
 * The statement that reads the rows after a key, in the order of the key. It reads one row more than a page has, which
 * shows whether the source goes on. The columns of the key follow those of the row.
 *
 * The position is a condition on the key and never an `OFFSET`: a database counts the rows of an offset one by one. The
 * order and the condition name the same columns, so they use the same collation.
 */
export function pageStatement<Value>(
  { from, key, pageSize }: Pick<SqlRows, "from" | "key" | "pageSize">,
  { range, marksEqualKeys }: PageRequest<Value>,
  { placeholder }: SqlDialect,
): Statement<Value> {
  const columns = key.map((name) => `t.${quote(name)}`);
  const tuple = columns.join(", ");
  const values: Value[] = [];
  const bound = (operator: string, place: readonly Value[]) => {
    const places = place.map((value) => placeholder(values.push(value)));
    return `(${tuple}) ${operator} (${places.join(", ")})`;
  };
  const conditions = [
    ...(range.after === undefined ? [] : [bound(">", range.after)]),
    ...(range.upTo === undefined ? [] : [bound("<=", range.upTo)]),
  ];
  const where = conditions.length === 0 ? "" : ` where ${conditions.join(" and ")}`;
  const aliases = key.map((_, index) => `sluice_key_${index + 1}`);
  const selected = columns.map((column, index) => `${column} as ${aliases[index]}`).join(", ");
  const page = `select t.*, ${selected} from ${from} as t${where} order by ${tuple} limit ${pageSize + 1}`;
  if (!marksEqualKeys) return { text: page, values };
  const order = aliases.map((alias) => `p.${alias}`).join(", ");
  const equal = aliases.map((alias) => `p.${alias} = lag(p.${alias}) over w`).join(" and ");
  const text = `select p.*, coalesce(${equal}, false) from (${page}) as p window w as (order by ${order}) order by ${order}`;
  return { text, values };
}

/** The statement that finds a row whose key has a null. Such a row would never be read. */
export function nullStatement({ from, key }: Pick<SqlRows, "from" | "key">): string {
  const isNull = key.map((name) => `t.${quote(name)} is null`).join(" or ");
  return `select 1 from ${from} as t where ${isNull} limit 1`;
}
