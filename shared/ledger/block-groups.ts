import { MOST_BATCH_GET_KEYS } from "../aws/quotas.ts";
import { keyText, type LedgerStore, type Row } from "../aws/table.ts";
import { batchesOf } from "../base/batches.ts";
import { type BlockAddress, blockGroupKey, blockKey } from "../messages/item-address.ts";
import { BLOCKS_PER_GROUP, blockCount, blockGroupCount, blocksInGroup } from "./keys.ts";
import { numberSet } from "./number-set.ts";
import type { RunRecord } from "./run-record.ts";
import { sumTotals, type Totals } from "./totals.ts";

/** A run without partitions, or a partition. */
type Production = Omit<BlockAddress, "block">;

/** What the row of a group of blocks says. */
export interface BlockGroupRow {
  /** How many blocks the group has. The number is known when the producer's checkpoint has passed the group. */
  readonly size: number | undefined;
  /** The complete blocks of the group, by their place in it. */
  readonly complete: ReadonlySet<number>;
  /** The totals of the group's blocks when the group became complete. Absent until then. */
  readonly totals: Totals | undefined;
  /** Whether items of the group were redriven, so that `totals` may be out of date. */
  readonly redriven: boolean;
}

export const readBlockGroupRow = (row: Row): BlockGroupRow => ({
  size: row.size as number | undefined,
  complete: numberSet(row.complete),
  totals: row.totals as Totals | undefined,
  redriven: row.redriven === true,
});

/**
 * How many blocks of a run or partition are complete, by its own row: the blocks that are entered there, and those of the
 * groups that are.
 *
 * @param blocks How many blocks there are.
 */
export function completeBlockCount({ fullBlocks, blockGroups }: Row, blocks: number): number {
  let count = numberSet(fullBlocks).size;
  for (const group of numberSet(blockGroups)) if (group > 0) count += blocksInGroup(group, blocks);
  return count;
}

/**
 * Whether all blocks of the first group are complete, by the row of their run or partition, and the totals of this group
 * are not written yet.
 */
export const isFirstGroupComplete = ({ fullBlocks, blockGroups }: Row): boolean =>
  !numberSet(blockGroups).has(0) &&
  [...numberSet(fullBlocks)].filter((block) => block < BLOCKS_PER_GROUP).length === BLOCKS_PER_GROUP;

/** Blocks by what is known of them. */
export interface KnownBlocks {
  /** The totals of the groups that are complete. */
  readonly totals: readonly Totals[];
  /** The blocks of the other groups, in their order. */
  readonly blocks: readonly number[];
}

/**
 * Which blocks of a run or partition must be read to count its items. A group that is complete has the totals of its
 * blocks. So even for a run of 10⁹ items, only the blocks of few groups must be read.
 *
 * @param pages How many pages the run or partition has.
 * @param isRedriven Whether items of the run were redriven. A redrive marks the row of a group, but not that of the first
 *   group, which few runs have.
 */
export async function blocksToRead(
  store: LedgerStore,
  production: Production,
  pages: number,
  isRedriven = false,
): Promise<KnownBlocks> {
  const count = blockCount(pages);
  const blocksFrom = (first: number, size: number) => Array.from({ length: size }, (_, place) => first + place);
  if (count <= BLOCKS_PER_GROUP) return { totals: [], blocks: blocksFrom(0, count) };
  const groups = (await readBlockGroups(store, production, count)).map(({ totals, redriven }, group): KnownBlocks => {
    const mayHavePending = redriven || (isRedriven && group === 0);
    if (totals !== undefined && !mayHavePending) return { totals: [totals], blocks: [] };
    return { totals: [], blocks: blocksFrom(group * BLOCKS_PER_GROUP, blocksInGroup(group, count)) };
  });
  return { totals: groups.flatMap(({ totals }) => totals), blocks: groups.flatMap(({ blocks }) => blocks) };
}

/** The sum of the totals of blocks. */
export async function sumOfBlocks(
  store: LedgerStore,
  production: Production,
  { totals, blocks }: KnownBlocks,
): Promise<Totals> {
  let sum = sumTotals(totals);
  for (const some of batchesOf(blocks, MOST_BATCH_GET_KEYS)) {
    const rows = await store.getMany(some.map((block) => blockKey({ ...production, block })));
    const known = [...rows.values()].flatMap((row) => (row.totals as Totals | undefined) ?? []);
    sum = sumTotals([sum, ...known]);
  }
  return sum;
}

/** The numbers of the complete blocks of a run without partitions. */
export async function completeBlocksOf(
  store: LedgerStore,
  { id: run, checkpoint, completeBlocks }: RunRecord,
): Promise<ReadonlySet<number>> {
  const count = blockCount(checkpoint.pages);
  if (count <= BLOCKS_PER_GROUP) return completeBlocks;
  const groups = await readBlockGroups(store, { run, partition: 0 }, count);
  const ofGroups = groups.flatMap(({ complete }, group) =>
    [...complete].map((place) => group * BLOCKS_PER_GROUP + place),
  );
  return new Set([...completeBlocks, ...ofGroups]);
}

async function readBlockGroups(
  store: LedgerStore,
  production: Production,
  blocks: number,
): Promise<readonly BlockGroupRow[]> {
  const keys = Array.from({ length: blockGroupCount(blocks) }, (_, group) => blockGroupKey(production, group));
  const rows = await store.getMany(keys);
  return keys.map((key) => readBlockGroupRow(rows.get(keyText(key)) ?? {}));
}
