import { MOST_BATCH_GET_KEYS } from "../aws/quotas.ts";
import { keyText, type LedgerStore } from "../aws/table.ts";
import { blockKey, pageKey } from "../messages/item-address.ts";
import { readBlockRow } from "./block-row.ts";
import { blockCount, PAGES_PER_BLOCK } from "./keys.ts";
import { presentTotals, readPageRow } from "./page-row.ts";
import { type Counts, finalCounts, type RunRecord } from "./run-record.ts";
import { sumTotals, type Totals } from "./totals.ts";

/**
 * Counts the items of a run at this moment. The function reads the rows of all blocks. In blocks that are not complete, it
 * also reads the pages that are not complete, and the pages that have dead items, cancelled items or retries. After a
 * redrive, it reads such pages in complete blocks too, and counts redriven items as pending until they settle again.
 */
export async function countRun(store: LedgerStore, run: RunRecord): Promise<Counts> {
  if (run.completedAt !== undefined && !run.redriven) return finalCounts(run);
  // The items of an open page that no checkpoint has passed do not count as produced.
  const { pages, items } = run.checkpoint;
  const totals: Totals[] = [];
  let pending = 0;
  for (let block = 0; block < blockCount(pages); block++) {
    const row = readBlockRow((await store.get(blockKey({ run: run.id, partition: 0, block }))) ?? {}, block);
    if (row.totals !== undefined && !row.redriven) {
      totals.push(row.totals);
      continue;
    }
    const first = block * PAGES_PER_BLOCK;
    const last = Math.min(first + PAGES_PER_BLOCK, pages);
    const wanted: number[] = [];
    for (let page = first; page < last; page++) if (!row.full.has(page) || row.notable.has(page)) wanted.push(page);
    for (let start = 0; start < wanted.length; start += MOST_BATCH_GET_KEYS) {
      const keys = wanted
        .slice(start, start + MOST_BATCH_GET_KEYS)
        .map((page) => pageKey({ run: run.id, partition: 0, page }));
      const rows = await store.getMany(keys);
      for (const key of keys) {
        const found = rows.get(keyText(key));
        if (found === undefined) continue;
        const page = presentTotals(readPageRow(found));
        pending += page.pending;
        totals.push(page);
      }
    }
  }
  const { dead, cancelled, retried, deadByReason } = sumTotals(totals);
  const succeeded = items - pending - dead - cancelled;
  return { produced: items, succeeded, dead, cancelled, retried, pending, deadByReason };
}
