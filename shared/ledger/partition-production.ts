import { keyText, type LedgerStore } from "../aws/table.ts";
import { partitionKey } from "../messages/item-address.ts";
import { type GroupRow, readGroupRow } from "./group-row.ts";
import { groupCount, groupKey, lanesKey } from "./keys.ts";
import { type LanesRow, openPartitions, readLanesRow } from "./lanes-row.ts";
import type { RunRecord } from "./run-record.ts";
import type { Totals } from "./totals.ts";

/** How far a partition was read. */
export interface PartitionProduction {
  readonly partition: number;
  readonly pages: number;
  readonly items: number;
}

/** How far the partitions of a run were read. */
export interface ProductionOfPartitions {
  /** The partitions that are not complete, or that have redriven items. Their blocks must be read to count their items. */
  readonly open: readonly PartitionProduction[];
  /** The totals of the other partitions. */
  readonly totals: readonly Totals[];
  /** The items of all partitions. */
  readonly produced: number;
  /** The pages of all partitions. */
  readonly pages: number;
  /** The partitions that were read at least in part, in their order. */
  readonly all: readonly PartitionProduction[];
  /** How many partitions have ended. */
  readonly ended: number;
  readonly lanes: LanesRow;
}

export type RunWithPartitions = Pick<RunRecord, "id" | "lanes" | "limit" | "partitions">;

/**
 * Reads how far the partitions of a run were read: from the rows of the groups, which hold the partitions that have ended,
 * and from the rows of the partitions that lanes read now. These are at most 100 rows of groups, and one row for each lane
 * and for each partition that failed.
 */
export async function productionOfPartitions(
  store: LedgerStore,
  run: RunWithPartitions,
): Promise<ProductionOfPartitions> {
  // The lanes are read first. A lane that ends a partition notes this in the group before it takes the next one. So each
  // partition is found in at least one of the two.
  const lanes = readLanesRow((await store.get(lanesKey(run.id))) ?? {}, run);
  const { rows: groups, redriven } = await readGroups(store, run, run.partitions ?? 0);
  const ended = new Map(groups.flatMap((row) => [...row.ended]));
  const reading = openPartitions(lanes).filter((partition) => !ended.has(partition));
  const keyOf = (partition: number) => partitionKey({ run: run.id, partition });
  const rows = await store.getMany([...reading, ...redriven].map(keyOf));
  const ofReading = reading.flatMap((partition): PartitionProduction[] => {
    const row = rows.get(keyText(keyOf(partition)));
    return row === undefined ? [] : [{ partition, pages: Number(row.pages), items: Number(row.items) }];
  });
  const open = [...ofReading];
  const totals: Totals[] = [];
  for (const row of groups) {
    for (const [partition, { pages, items }] of row.ended) {
      const isRedriven = row.redriven && rows.get(keyText(keyOf(partition)))?.redriven === true;
      if (!row.complete.has(partition) || isRedriven) open.push({ partition, pages, items });
      else {
        const known = row.totals.get(partition);
        if (known !== undefined) totals.push(known);
      }
    }
  }
  const ofEnded = [...ended].map(([partition, { pages, items }]) => ({ partition, pages, items }));
  const all = [...ofReading, ...ofEnded].sort((a, b) => a.partition - b.partition);
  return {
    open,
    totals,
    all,
    produced: all.reduce((sum, { items }) => sum + items, 0),
    pages: all.reduce((sum, { pages }) => sum + pages, 0),
    ended: ended.size,
    lanes,
  };
}

/** The rows of all groups, and the partitions of those groups that have redriven items. */
async function readGroups(
  store: LedgerStore,
  { id }: RunWithPartitions,
  partitions: number,
): Promise<{ readonly rows: readonly GroupRow[]; readonly redriven: readonly number[] }> {
  const keys = Array.from({ length: groupCount(partitions) }, (_, group) => groupKey(id, group));
  const found = await store.getMany(keys);
  const rows = keys.map((key, group) => readGroupRow(found.get(keyText(key)) ?? {}, group));
  const redriven = rows.filter((row) => row.redriven).flatMap(({ complete }) => [...complete]);
  return { rows, redriven };
}
