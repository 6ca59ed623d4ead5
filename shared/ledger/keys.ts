import type { Key } from "../aws/table.ts";
import type { BlockAddress, PageAddress } from "../messages/item-address.ts";

/** The key of a run's row. `messages/item-address.ts` has the keys of the rows of blocks, pages and items. */
export const runKey = (run: string): Key => ({ pk: `run#${run}`, sk: "run" });

/** The DynamoDB partition that lists all runs. */
export const RUN_LIST = "runs";

/** The key of a run's row in the list of all runs. The list is sorted by the time at which the runs were requested. */
export const runListKey = (run: string, requestedAt: string): Key => ({ pk: RUN_LIST, sk: `${requestedAt}#${run}` });

/** The number of pages in a block. With 200 items in a page, a run of only 1,000 blocks can have 2 × 10⁸ items. */
export const PAGES_PER_BLOCK = 1_000;

/** The number of the block that a page belongs to. */
export const blockOf = (page: number): number => Math.floor(page / PAGES_PER_BLOCK);

/** The address of the block that a page belongs to. */
export const blockAddressOf = ({ run, partition, page }: PageAddress): BlockAddress => ({
  run,
  partition,
  block: blockOf(page),
});

/** The number of blocks that a number of pages needs. The last block can be incomplete. */
export const blockCount = (pages: number): number => Math.ceil(pages / PAGES_PER_BLOCK);
