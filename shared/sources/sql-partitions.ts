import { boundariesOf, keyRanges } from "./key-ranges.ts";
import type { Cursor, Partition } from "./source.ts";
import { quote, type SqlRows } from "./sql-options.ts";

/** Without the option, a partition has about this many rows. */
const ROWS_PER_PARTITION = 100_000;
/** Without the option, a source has at most this many partitions. */
const MOST_PARTITIONS = 100;
/** How many keys of the sample a partition has. More keys make the partitions more equal. */
const KEYS_PER_PARTITION = 20;
/** How many blocks of the table a sample reads for each partition, and at least. */
const BLOCKS = { perPartition: 30, least: 300 } as const;
/** A cursor has two keys, and the ledger stores cursors of partitions of up to 2 KiB. */
const LONGEST_KEY_BYTES = 900;

/** How many partitions a table is divided into, by what is known about its size. */
export function partitionCount({
  rows,
  blocks,
}: {
  readonly rows: number | undefined;
  readonly blocks: number;
}): number {
  // A table that was never analysed: a block of 8 KB has some dozens of rows.
  const estimated = rows ?? blocks * 50;
  return Math.min(Math.max(Math.ceil(estimated / ROWS_PER_PARTITION), 1), MOST_PARTITIONS);
}

/**
 * The statement of PostgreSQL that returns some keys of a table, in their order and evenly spread over its rows. It reads
 * randomly chosen blocks, and sorts the rows in them only. So its cost depends on the number of partitions, and not on the
 * size of the table.
 * https://www.postgresql.org/docs/current/sql-select.html#SQL-FROM
 */
export function sampleStatement(
  { from, key }: Pick<SqlRows, "from" | "key">,
  { blocks, parts }: { readonly blocks: number; readonly parts: number },
): string {
  const columns = key.map((name) => `t.${quote(name)}`).join(", ");
  const aliases = key.map((_, index) => `k${index + 1}`);
  const selected = key.map((name, index) => `t.${quote(name)} as ${aliases[index]}`).join(", ");
  const wanted = Math.max(BLOCKS.least, BLOCKS.perPartition * parts);
  const percent = Math.min(100, (100 * wanted) / Math.max(blocks, 1));
  const sampled =
    `select ${selected}, row_number() over (order by ${columns}) as nth, count(*) over () as total ` +
    `from ${from} as t tablesample system (${percent})`;
  const list = aliases.map((alias) => `s.${alias}`).join(", ");
  return `select ${list} from (${sampled}) as s where nth % greatest(total / ${KEYS_PER_PARTITION * parts}, 1) = 0 order by ${list}`;
}

/**
 * Divides a table at some of its keys. Every key that can exist is in exactly one partition, whichever keys the sample has:
 * they decide only how equal the partitions are. A composite key divides the rows of one tenant too, so one large tenant
 * does not make one large partition.
 *
 * @param sample Keys in the order of the database, as texts.
 * @param parts The most partitions.
 */
export function sqlPartitions<Value extends Cursor>(
  sample: readonly (readonly Value[])[],
  parts: number,
): readonly Partition[] {
  const usable = sample.filter((key) => Buffer.byteLength(JSON.stringify(key)) <= LONGEST_KEY_BYTES);
  // The order is that of the database, which JavaScript does not know.
  const positions = usable.map((_, position) => position);
  const ranges = keyRanges(boundariesOf(positions, parts), (left, right) => left - right);
  return ranges.map((range, index) => {
    const cursor: Record<string, Cursor> = {};
    for (const end of ["after", "upTo"] as const) {
      const position = range[end];
      const key = position === undefined ? undefined : usable[position];
      if (key !== undefined) cursor[end] = key;
    }
    return { id: String(index), cursor };
  });
}
