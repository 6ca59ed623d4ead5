import type { Row, Value } from "../aws/table.ts";
import { PAGES_PER_BLOCK } from "./keys.ts";
import { numberSet } from "./number-set.ts";
import type { Totals } from "./totals.ts";

/** What a block row says. */
export interface BlockRow {
  /**
   * How many pages the block has. The number is known when the producer's checkpoint has passed the block. From then on, no
   * page of the block can be sent again.
   */
  readonly size: number | undefined;
  /** The numbers of the block's complete pages. A page is complete when all its items are settled. */
  readonly full: ReadonlySet<number>;
  /** The pages in `full` that have dead or cancelled items, or retries. */
  readonly notable: ReadonlySet<number>;
  /** The totals of the block's pages when the block became complete. */
  readonly totals: Totals | undefined;
  /** Whether items of the block were redriven, so that `totals` may be out of date. */
  readonly redriven: boolean;
  /** Whether the complete block is entered into the row of its group, and not into that of its run or partition. */
  readonly grouped: boolean;
}

/**
 * The entry of a complete page in the sets of its block row. It names the epoch in which the page became complete, so that
 * an entry of an earlier epoch does not count.
 */
export const pageEntry = (page: number, epoch: number): number =>
  (epoch - 1) * PAGES_PER_BLOCK + (page % PAGES_PER_BLOCK);
const EPOCH_PREFIX = "epoch of ";

/** The attribute of a block row with the epoch of a page. It is absent for the pages of epoch 1. */
export const epochAttribute = (page: number): string => `${EPOCH_PREFIX}${page % PAGES_PER_BLOCK}`;

export function readBlockRow(row: Row, block: number): BlockRow {
  const size = row.size as number | undefined;
  const pagesOfBlock = size ?? PAGES_PER_BLOCK;
  // Few blocks have a page of a later epoch. For the other blocks, this saves a lookup for each of hundreds of pages.
  const hasEpochs = Object.keys(row).some((name) => name.startsWith(EPOCH_PREFIX));
  const pagesOf = (value: Value | undefined): Set<number> => {
    const pages = new Set<number>();
    for (const entry of numberSet(value)) {
      const page = block * PAGES_PER_BLOCK + (entry % PAGES_PER_BLOCK);
      const epoch = Math.floor(entry / PAGES_PER_BLOCK) + 1;
      // A complete page does not belong to the run if the source no longer had the page when the source ended.
      if (entry % PAGES_PER_BLOCK >= pagesOfBlock) continue;
      if (epoch === ((hasEpochs ? row[epochAttribute(page)] : undefined) ?? 1)) pages.add(page);
    }
    return pages;
  };
  return {
    size,
    full: pagesOf(row.full),
    notable: pagesOf(row.notable),
    totals: row.totals as Totals | undefined,
    redriven: row.redriven === true,
    grouped: row.grouped === true,
  };
}
