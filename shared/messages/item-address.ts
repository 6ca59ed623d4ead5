import type { Key } from "../aws/table.ts";
import type { TaskContext } from "../base/task.ts";

/**
 * The address of a page: where it stands in its run.
 *
 * A source may offer its data in disjoint parts, the partitions. A source without partitions is partition 0.
 */
export interface PageAddress {
  readonly run: string;
  /** From 0. The keys, ids and messages of partition 0 do not name it: they are those of a run without partitions. */
  readonly partition: number;
  /** The page's number in its partition, from 0. */
  readonly page: number;
}

/** The address of a block: 1,000 pages of a partition that follow each other. */
export interface BlockAddress {
  readonly run: string;
  readonly partition: number;
  /** The block's number in its partition, from 0. */
  readonly block: number;
}

/** The address of an item: everything that tells the item, and one set of attempts for it, from all others. */
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
   * How often the item has been redriven: 0 before the first redrive. Each redrive starts a generation, with fresh
   * attempts. What is recorded for an earlier generation stays in the ledger beside it.
   */
  readonly redriveGeneration: number;
}

const partitionPrefix = ({ run, partition }: { readonly run: string; readonly partition: number }): string =>
  partition === 0 ? `run#${run}` : `run#${run}#partition#${partition}`;

// Each page and each block is a partition of the DynamoDB table: DynamoDB takes about 1,000 writes a second for one.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html

/** The key of a block's row in the ledger. */
export const blockKey = (address: BlockAddress): Key => ({
  pk: `${partitionPrefix(address)}#block#${address.block}`,
  sk: "block",
});

/** The key of a page's row in the ledger. */
export const pageKey = (address: PageAddress): Key => ({
  pk: `${partitionPrefix(address)}#page#${address.page}`,
  sk: "page",
});

/**
 * The key of the row that holds an item's failed attempts. Each redrive generation has its own row: the failures of a
 * hundred attempts fill a row, which DynamoDB limits to 400 KB.
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

/** The part of a message that holds the address of its item. A message does not name partition 0. */
export interface AddressFields {
  readonly run: string;
  readonly partition?: number;
  readonly page: number;
  readonly index: number;
  readonly epoch: number;
}

/** The fields with which a message names its item, in the order in which they are written. */
export function addressFields(address: Omit<ItemAddress, "redriveGeneration">): AddressFields {
  const { run, partition, page, index, epoch } = address;
  return { run, ...(partition > 0 && { partition }), page, index, epoch };
}

/** What tells the address of a message's item: the address fields, and in a redriven message its dead letter. */
export interface AddressedMessage extends AddressFields {
  /** The body of a redriven message is the dead letter of the generation before it. */
  readonly dead?: { readonly redrives: number } | undefined;
}

/** The address of a message's item. It is for messages on the workflow's queue, and not for dead letters. */
export function addressOf({ run, partition = 0, page, index, epoch, dead }: AddressedMessage): ItemAddress {
  return { run, partition, page, index, epoch, redriveGeneration: dead === undefined ? 0 : dead.redrives + 1 };
}

/** What a task learns about the identity of its item. */
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
