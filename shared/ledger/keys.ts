import type { Key } from "../aws/table.ts";
import type { BlockAddress, PageAddress } from "../messages/item-address.ts";

/** The key of a run's row. `messages/item-address.ts` has the keys of the rows of blocks, pages and items. */
export const runKey = (run: string): Key => ({ pk: `run#${run}`, sk: "run" });

/** The DynamoDB partition that lists all runs. */
export const RUN_LIST = "runs";

/** The key of a run's row in the list of all runs. The list is sorted by the time at which the runs were requested. */
export const runListKey = (run: string, requestedAt: string): Key => ({ pk: RUN_LIST, sk: `${requestedAt}#${run}` });

/** Pages of a block. Sets of pages, of blocks and of the run then hold 10⁹ items, and no set has more than 1,000 members. */
export const PAGES_PER_BLOCK = 1_000;

/** The number of the block that a page belongs to. */
export const blockOf = (page: number): number => Math.floor(page / PAGES_PER_BLOCK);

/** The address of the block that a page belongs to. */
export const blockAddressOf = ({ run, partition, page }: PageAddress): BlockAddress => ({
  run,
  partition,
  block: blockOf(page),
});

/** How many blocks so many pages fill or begin. */
export const blockCount = (pages: number): number => Math.ceil(pages / PAGES_PER_BLOCK);
