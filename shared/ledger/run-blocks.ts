import type { LedgerStore } from "../aws/table.ts";
import type { BlockAddress } from "../messages/item-address.ts";
import { blockCount, PAGES_PER_BLOCK } from "./keys.ts";
import { productionOfPartitions } from "./partition-production.ts";
import type { RunRecord } from "./run-record.ts";

/** A block of a run. */
export interface RunBlock extends BlockAddress {
  /** How many pages the block has now. */
  readonly pages: number;
}

/** The blocks of a run in the order of the source: those of each partition after those of the partition before it. */
export async function blocksOf(store: LedgerStore, run: RunRecord): Promise<readonly RunBlock[]> {
  const partitions =
    run.lanes === undefined
      ? [{ partition: 0, pages: run.checkpoint.pages }]
      : (await productionOfPartitions(store, run)).all;
  return partitions.flatMap(({ partition, pages }) =>
    Array.from({ length: blockCount(pages) }, (_, block) => ({
      run: run.id,
      partition,
      block,
      pages: Math.min(PAGES_PER_BLOCK, pages - block * PAGES_PER_BLOCK),
    })),
  );
}
