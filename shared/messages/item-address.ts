import type { Key } from "../aws/table.ts";
import type { TaskContext } from "../base/task.ts";

/**
 * The address of a page. A page is a group of up to 200 items of a run that one row of the ledger describes.
 *
 * A source may offer its data in disjoint parts, which are called partitions. If it does not, all data are partition 0.
 */
export interface PageAddress {
  readonly run: string;
  /**
   * The partition's number, from 0. Keys, ids and messages leave out partition 0, so that they are the same as in a run
   * without partitions.
   */
  readonly partition: number;
  /** The page's number in its partition, from 0. */
  readonly page: number;
}

/** The address of a block. A block is a group of 1,000 consecutive pages of a partition. */
export interface BlockAddress {
  readonly run: string;
  readonly partition: number;
  /** The block's number in its partition, from 0. */
  readonly block: number;
}

/** The address of an item. It identifies the item and, with the redrive generation, one set of attempts for the item. */
export interface ItemAddress extends PageAddress {
  /** The item's position in its page, from 0. */
  readonly index: number;
  /**
   * The epoch of the page: which content of the page this is. It starts at 1. After a crash, the producer may read the
   * page again and get other items, because the source has changed. The page then gets the next epoch. Messages and ledger
   * entries of an earlier epoch belong to items that the page no longer has, so they do not count.
   */
  readonly epoch: number;
  /**
   * How often the item has been redriven: 0 before the first redrive. Each redrive starts a generation with a fresh set of
   * attempts. The ledger keeps the records of earlier generations.
   */
  readonly redriveGeneration: number;
}

const partitionPrefix = ({ run, partition }: { readonly run: string; readonly partition: number }): string =>
  partition === 0 ? `run#${run}` : `run#${run}#partition#${partition}`;

// Each page and each block has a partition key of its own in the DynamoDB table, because DynamoDB accepts about 1,000
// writes a second for one partition key.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html

/** The key of a partition's row in the ledger. Partition 0 has none: the row of its run holds what belongs to it. */
export const partitionKey = (address: Omit<BlockAddress, "block">): Key => ({
  pk: partitionPrefix(address),
  sk: "partition",
});

/** The key of a block's row in the ledger. */
export const blockKey = (address: BlockAddress): Key => ({
  pk: `${partitionPrefix(address)}#block#${address.block}`,
  sk: "block",
});

/** The key of the row of a group of blocks in the ledger. */
export const blockGroupKey = (address: Omit<BlockAddress, "block">, group: number): Key => ({
  pk: `${partitionPrefix(address)}#blocks#${group}`,
  sk: "blocks",
});

/** The key of a page's row in the ledger. */
export const pageKey = (address: PageAddress): Key => ({
  pk: `${partitionPrefix(address)}#page#${address.page}`,
  sk: "page",
});

/**
 * The key of the row that holds an item's failures and waits. Each redrive generation has its own row, because the
 * failures of a hundred attempts can fill a row. DynamoDB limits a row to 400 KB.
 */
export function attemptsKey(address: ItemAddress): Key {
  const { index, epoch, redriveGeneration } = address;
  const item = `item#${index}#${epoch}`;
  return { pk: pageKey(address).pk, sk: redriveGeneration === 0 ? item : `${item}#${redriveGeneration}` };
}

/** The id of an item: the same at each attempt and in each redrive generation. */
export function itemId({ run, partition, page, index }: Omit<ItemAddress, "epoch" | "redriveGeneration">): string {
  return partition === 0 ? `${run}/${page}/${index}` : `${run}/p${partition}/${page}/${index}`;
}

/** The fields of a message that hold the address of its item. A message leaves out partition 0. */
export interface AddressFields {
  readonly run: string;
  readonly partition?: number | undefined;
  readonly page: number;
  readonly index: number;
  readonly epoch: number;
}

/** Turns an address into the fields of a message. The fields are in the order in which a message has them. */
export function addressFields(address: Omit<ItemAddress, "redriveGeneration">): AddressFields {
  const { run, partition, page, index, epoch } = address;
  return { run, ...(partition > 0 && { partition }), page, index, epoch };
}

/** The parts of a message that `addressOf` reads. */
export interface AddressedMessage extends AddressFields {
  /** The body of a redriven message is the dead letter of the generation before it. */
  readonly dead?: { readonly redrives: number } | undefined;
}

/**
 * The address of a message's item. Call this function only with messages on the workflow's queue. For a dead letter, the
 * redrive generation would be one too high.
 */
export function addressOf({ run, partition = 0, page, index, epoch, dead }: AddressedMessage): ItemAddress {
  return { run, partition, page, index, epoch, redriveGeneration: dead === undefined ? 0 : dead.redrives + 1 };
}

/** The fields of a task's context that identify its item. */
export function identityOf(
  message: AddressedMessage & { readonly edited?: string | undefined },
): Pick<TaskContext, "id" | "redrives" | "idempotencyKey"> {
  const address = addressOf(message);
  const id = itemId(address);
  const idempotencyKey = message.edited === undefined ? id : `${id}/${message.edited}`;
  return { id, redrives: address.redriveGeneration, idempotencyKey };
}

/** An address as the fields of a log entry. */
export const logFields = (address: ItemAddress): AddressFields & { readonly redrives: number } => ({
  ...addressFields(address),
  redrives: address.redriveGeneration,
});
