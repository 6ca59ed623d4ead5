import type { Condition, LedgerStore, Row } from "../aws/table.ts";
import { batchesOf } from "../base/batches.ts";
import type { Reason } from "../base/failure.ts";
import {
  blockGroupKey,
  blockKey,
  type ItemAddress,
  type PageAddress,
  pageKey,
  partitionKey,
} from "../messages/item-address.ts";
import { blockAddressOf, blockGroupOf, groupKey, groupOf, runKey } from "./keys.ts";
import { deadSet, generationEntry, isSettled, type PageRow, readPageRow, retryEntry } from "./page-row.ts";
import type { RollUp } from "./roll-up.ts";

/**
 * DynamoDB limits an expression to 300 operators. Each cancelled item needs two conditions with NOT, contains and an AND
 * before the next one: six operators. The expression has other conditions, too.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
 */
const CANCELLED_PER_WRITE = 40;

/** Items of one page that succeeded. */
export interface Successes extends PageAddress {
  readonly epoch: number;
  readonly items: readonly {
    readonly index: number;
    /** Failed attempts before the success. */
    readonly failures: number;
    readonly redriveGeneration: number;
  }[];
}

/** Items of one page, with their redrive generations. */
export interface ItemsOfPage extends PageAddress {
  readonly epoch: number;
  readonly items: readonly Pick<ItemAddress, "index" | "redriveGeneration">[];
}

/**
 * Records how items end. Every write inserts into a set, so a repeated write changes nothing. Each write returns the new
 * row. So the worker whose write completes a page sees this, and rolls up. See `docs/internals/ledger.md`.
 */
export class Outcomes {
  readonly #store: LedgerStore;
  readonly #rollUp: RollUp;

  constructor(store: LedgerStore, rollUp: RollUp) {
    this.#store = store;
    this.#rollUp = rollUp;
  }

  /**
   * Records successes of one page in one write. Successes of an earlier epoch are dropped.
   *
   * @throws {Error} The death of an item was claimed before (see `claimDeath`), so its success does not count. The caller
   *   must not delete the message, because the consumer that receives it again may have to complete the death.
   */
  async recordSuccesses({ epoch, items, ...page }: Successes): Promise<void> {
    const row = await this.#store.update(pageKey(page), {
      add: {
        // mutant: collect-successes
        done: items.map(({ index, redriveGeneration }) => generationEntry(index, redriveGeneration)),
        retries: items
          .filter(({ failures }) => failures > 0)
          .map(({ index, redriveGeneration, failures }) => retryEntry(index, redriveGeneration, failures)),
      },
      when: [{ equals: ["epoch", epoch] }],
    });
    if (row === undefined) return;
    const state = readPageRow(row);
    await this.#rollUp.fromPage(page, state);
    checkSettled({ ...page, epoch, items }, state);
  }

  /**
   * Records items that a stopped run drops without an attempt. Items that settled in another way before stay as they are.
   *
   * @throws {Error} The death of an item was claimed before. The caller must not delete the message, as with
   *   `recordSuccesses`.
   */
  async recordCancelled({ epoch, items, ...page }: ItemsOfPage): Promise<void> {
    const entries = items.map(({ index, redriveGeneration }) => generationEntry(index, redriveGeneration));
    const cancel = (some: readonly number[]) =>
      this.#store.update(pageKey(page), {
        add: { cancelled: some },
        when: [
          { equals: ["epoch", epoch] },
          // mutant: cancel-unsettled-only
          ...some.flatMap((entry): Condition[] => [{ lacks: ["done", entry] }, { lacks: ["dying", entry] }]),
        ],
      });
    let row: Row | undefined;
    for (const some of batchesOf(entries, CANCELLED_PER_WRITE)) {
      const written = await cancel(some);
      row = written ?? row;
      // One item can be the reason why the write was refused. So each item gets a write of its own.
      if (written === undefined && some.length > 1) for (const entry of some) row = (await cancel([entry])) ?? row;
    }
    row ??= await this.#store.get(pageKey(page));
    if (row === undefined) return;
    const state = readPageRow(row);
    await this.#rollUp.fromPage(page, state);
    checkSettled({ ...page, epoch, items }, state);
  }

  /**
   * Claims the death of an item, before its dead letter is sent. After the claim, the success of a duplicate message does
   * not count. So an item is never both done and in the dead-letter queue.
   *
   * @returns false if no dead letter must be sent: a duplicate has succeeded, a death of the item is recorded, or the item
   *   is of an earlier epoch.
   */
  async claimDeath(item: ItemAddress): Promise<boolean> {
    const { index, epoch, redriveGeneration } = item;
    const key = pageKey(item);
    const entry = generationEntry(index, redriveGeneration);
    const claimed = await this.#store.update(key, {
      add: { dying: [entry] },
      when: [{ equals: ["epoch", epoch] }, { lacks: ["done", entry] }, { lacks: ["cancelled", entry] }],
    });
    // The write is also refused if an earlier claim was followed by a late success of a duplicate. Then the claim is valid.
    const row = claimed ?? (await this.#store.get(key));
    if (row === undefined) return false;
    const state = readPageRow(row);
    if (state.epoch !== epoch) return false;
    const settled = isSettled(state, index, redriveGeneration);
    // The consumer that settled the item may have crashed before the roll-up. This message may be the last one that can
    // cause the roll-up.
    if (settled) await this.#rollUp.fromPage(item, state);
    return !settled;
  }

  /**
   * Records a death whose dead letter has been sent.
   *
   * @param retries The number of failed attempts that were followed by another attempt.
   */
  async recordDeath(item: ItemAddress, reason: Reason, retries: number): Promise<void> {
    const { index, epoch, redriveGeneration } = item;
    const entry = generationEntry(index, redriveGeneration);
    const row = await this.#store.update(pageKey(item), {
      add: {
        dying: [entry],
        [deadSet(reason)]: [entry],
        retries: retries > 0 ? [retryEntry(index, redriveGeneration, retries)] : [],
      },
      when: [{ equals: ["epoch", epoch] }],
    });
    if (row !== undefined) await this.#rollUp.fromPage(item, readPageRow(row));
  }

  /**
   * Records that items of one page were redriven, so that they count as pending until they settle again.
   *
   * A redrive calls this after it has sent the messages. If the redrive crashes before this call, the dead letters are still
   * in their queue, and the ledger learns of the redrive when the items settle. In the other order, an item could be pending
   * without a message.
   */
  async recordRedrives({ epoch, items, ...page }: ItemsOfPage): Promise<void> {
    // The run's row is written first. If it does not say `redriven`, a count of the run does not read the page.
    const known = await this.#store.update(runKey(page.run), {
      set: { redriven: true },
      when: [{ equals: ["id", page.run] }],
    });
    if (known === undefined) return;
    if (page.partition > 0) {
      await this.#store.update(groupKey(page.run, groupOf(page.partition)), { set: { redriven: true } });
      await this.#store.update(partitionKey(page), { set: { redriven: true } });
    }
    const block = blockAddressOf(page);
    const group = blockGroupOf(block.block);
    if (group > 0) await this.#store.update(blockGroupKey(page, group), { set: { redriven: true } });
    await this.#store.update(blockKey(block), { set: { redriven: true } });
    await this.#store.update(pageKey(page), {
      add: { redriven: items.map(({ index, redriveGeneration }) => generationEntry(index, redriveGeneration)) },
      when: [{ equals: ["epoch", epoch] }],
    });
  }

  /** Rolls up again from a page, because the worker that settled its items may have crashed before it had rolled up. */
  async rollUpAgain(page: PageAddress): Promise<void> {
    const row = await this.#store.get(pageKey(page));
    if (row !== undefined) await this.#rollUp.fromPage(page, readPageRow(row));
  }
}

/** Throws if the death of an item is claimed. The worker then keeps its message, so that the death can be completed. */
function checkSettled({ run, page, epoch, items }: ItemsOfPage, state: PageRow): void {
  if (state.epoch !== epoch) return;
  const claimed = items.filter(({ index, redriveGeneration }) => !isSettled(state, index, redriveGeneration));
  if (claimed.length === 0) return;
  const indexes = claimed.map(({ index }) => index).join(", ");
  throw new Error(
    `the deaths of items ${indexes} of page ${page} of run ${run} were claimed before, so these items can no longer end ` +
      "in another way",
  );
}
