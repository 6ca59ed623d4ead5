import { MOST_BATCH_GET_KEYS } from "../aws/quotas.ts";
import { keyText, type LedgerStore } from "../aws/table.ts";
import { batchesOf } from "../base/batches.ts";
import { type BlockAddress, blockKey, type PageAddress, pageKey } from "../messages/item-address.ts";
import { blocksToRead } from "./block-groups.ts";
import { readBlockRow } from "./block-row.ts";
import { PAGES_PER_BLOCK } from "./keys.ts";
import { presentTotals, readPageRow } from "./page-row.ts";
import { type PartitionProduction, productionOfPartitions } from "./partition-production.ts";
import { type Counts, finalCounts, type RunRecord } from "./run-record.ts";
import { sumTotals, type Totals } from "./totals.ts";

/**
 * Counts the items of a run at this moment. The function reads the rows of the blocks. For a complete group of blocks, it
 * reads one row with the totals of the group instead. In blocks that are not complete, it also reads two kinds of pages:
 * those that are not complete, and those that have dead items, cancelled items or retries. After a redrive, it reads the
 * second kind in complete blocks too, and counts redriven items as pending until they settle again.
 *
 * In a run with partitions, it reads the blocks of the partitions that are not complete, or that have redriven items. The
 * rows of the groups say what the other partitions have.
 */
export async function countRun(store: LedgerStore, run: RunRecord): Promise<Counts> {
  if (run.completedAt !== undefined && !run.redriven) return finalCounts(run);
  const { pages, items } = run.checkpoint;
  if (run.lanes === undefined) return countsOf(items, await countOpen(store, run, [{ partition: 0, pages, items }]));
  const { open, totals, produced } = await productionOfPartitions(store, run);
  const counted = await countOpen(store, run, open);
  return countsOf(produced, { pending: counted.pending, totals: [...totals, ...counted.totals] });
}

interface Counted {
  readonly totals: readonly Totals[];
  readonly pending: number;
}

function countsOf(produced: number, { totals, pending }: Counted): Counts {
  const { dead, cancelled, retried, deadByReason } = sumTotals(totals);
  const succeeded = produced - pending - dead - cancelled;
  return { produced, succeeded, dead, cancelled, retried, pending, deadByReason };
}

/** Counts the items of partitions from the rows of their blocks and pages. */
async function countOpen(
  store: LedgerStore,
  { id: run, redriven }: RunRecord,
  partitions: readonly PartitionProduction[],
): Promise<Counted> {
  const totals: Totals[] = [];
  let pending = 0;
  const blocks: (BlockAddress & { readonly pages: number })[] = [];
  for (const { partition, pages } of partitions) {
    const known = await blocksToRead(store, { run, partition }, pages, redriven);
    totals.push(...known.totals);
    for (const block of known.blocks) blocks.push({ run, partition, block, pages });
  }
  for (const some of batchesOf(blocks, MOST_BATCH_GET_KEYS)) {
    const blockRows = await store.getMany(some.map(blockKey));
    const wanted: PageAddress[] = [];
    for (const { partition, block, pages } of some) {
      const row = readBlockRow(blockRows.get(keyText(blockKey({ run, partition, block }))) ?? {}, block);
      if (row.totals !== undefined && !row.redriven) {
        totals.push(row.totals);
        continue;
      }
      const first = block * PAGES_PER_BLOCK;
      const last = Math.min(first + PAGES_PER_BLOCK, pages);
      for (let page = first; page < last; page++)
        if (!row.full.has(page) || row.notable.has(page)) wanted.push({ run, partition, page });
    }
    for (const pages of batchesOf(wanted, MOST_BATCH_GET_KEYS)) {
      const rows = await store.getMany(pages.map(pageKey));
      for (const row of rows.values()) {
        const page = presentTotals(readPageRow(row));
        pending += page.pending;
        totals.push(page);
      }
    }
  }
  return { totals, pending };
}
