import type { Key } from "../aws/table.ts";
import type { BlockAddress, PageAddress } from "../messages/item-address.ts";

/** The key of a run's row. `messages/item-address.ts` has the keys of the rows of blocks, pages and items. */
export const runKey = (run: string): Key => ({ pk: `run#${run}`, sk: "run" });

/** The key of the row that says which lane of a run reads which partition. */
export const lanesKey = (run: string): Key => ({ pk: `run#${run}`, sk: "lanes" });

/** The number of partitions in a group of partitions. 100 rows of groups can be read with one request. */
export const PARTITIONS_PER_GROUP = 100;

/** The number of the group that a partition belongs to. Partitions are numbered from 1, and groups from 0. */
export const groupOf = (partition: number): number => Math.floor((partition - 1) / PARTITIONS_PER_GROUP);

/** The number of groups that a number of partitions needs. */
export const groupCount = (partitions: number): number => Math.ceil(partitions / PARTITIONS_PER_GROUP);

/** The key of the row of a group of partitions. */
export const groupKey = (run: string, group: number): Key => ({ pk: `run#${run}#group#${group}`, sk: "group" });

/** The key of the row with the ids and the first cursors of a group of partitions. @param plan The number of the list. */
export const partitionListKey = (run: string, plan: number, group: number): Key => ({
  pk: `run#${run}#partitions#${plan}#${group}`,
  sk: "list",
});

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

/**
 * The number of blocks in a group of blocks. The blocks of the first group are members of a set in the row of their run or
 * partition. Each later group has a row of its own, so that no row grows with the source.
 */
export const BLOCKS_PER_GROUP = 1_000;

/** The number of the group that a block belongs to. */
export const blockGroupOf = (block: number): number => Math.floor(block / BLOCKS_PER_GROUP);

/** The number of groups that a number of blocks needs. */
export const blockGroupCount = (blocks: number): number => Math.ceil(blocks / BLOCKS_PER_GROUP);

/** How many blocks a group has, if the run or partition has so many blocks. */
export const blocksInGroup = (group: number, blocks: number): number =>
  Math.min(BLOCKS_PER_GROUP, blocks - group * BLOCKS_PER_GROUP);

/** The number of blocks that a number of pages needs. The last block can be incomplete. */
export const blockCount = (pages: number): number => Math.ceil(pages / PAGES_PER_BLOCK);
