import { keyText, type LedgerStore } from "../aws/table.ts";
import type { Reason } from "../base/failure.ts";
import {
  attemptsKey,
  blockKey,
  type ItemAddress,
  type PageAddress,
  pageKey,
  partitionKey,
} from "../messages/item-address.ts";
import { readAttemptsRow } from "./attempts-row.ts";
import { epochAttribute } from "./block-row.ts";
import { blockAddressOf, runKey } from "./keys.ts";
import type { Outcomes } from "./outcomes.ts";
import { claimedIndexes, DEAD_SETS, isSettled, type PageRow, pendingIndexes, readPageRow } from "./page-row.ts";
import type { RollUp } from "./roll-up.ts";

/** The digest of a closed page. The run was stopped before the page was opened, so the page does not belong to the run. */
const CLOSED = "closed";

/** A page as the producer must send it. */
export interface OpenedPage {
  readonly epoch: number;
  /** The page was opened before: its messages may be on the queue, or their items may be settled. */
  readonly resent: boolean;
  readonly isSettled: (index: number) => boolean;
}

/** The death of an item that cannot be sent. A producer has claimed it, and may have crashed before it recorded it. */
export interface ClaimedDeath {
  readonly item: ItemAddress;
  readonly reason: Reason;
  /** The body of the dead letter. */
  readonly deadLetter: string;
}

/** A page whose pending items are cancelled. */
export interface CancelledPage {
  readonly size: number;
  /** The deaths that the caller must complete: it sends the dead letter, and then records the death. */
  readonly claimedDeaths: readonly ClaimedDeath[];
}

/** The pages of a run, as its producer writes them. */
export class Pages {
  readonly #store: LedgerStore;
  readonly #rollUp: RollUp;
  readonly #outcomes: Outcomes;

  constructor(store: LedgerStore, rollUp: RollUp, outcomes: Outcomes) {
    this.#store = store;
    this.#rollUp = rollUp;
    this.#outcomes = outcomes;
  }

  /**
   * Writes a page before its messages are sent. A page of the same content keeps its epoch. A page of another content gets
   * the next epoch, and what was recorded for the old content no longer counts.
   *
   * @returns the page, or `undefined` if no item of it may be sent. This is so if the run was stopped before this page, or
   *   if a checkpoint has passed the page with another content.
   */
  async open(
    page: PageAddress,
    content: { readonly size: number; readonly digest: string },
  ): Promise<OpenedPage | undefined> {
    const key = pageKey(page);
    const created = await this.#store.update(key, { set: { ...content, epoch: 1 }, when: [{ absent: "digest" }] });
    if (created !== undefined) return { epoch: 1, resent: false, isSettled: () => false };
    const row = await this.#store.get(key);
    if (row === undefined) throw new Error(`page ${page.page} of run ${page.run} vanished from the ledger`);
    const before = readPageRow(row);
    if (before.digest === CLOSED) return undefined;
    if (before.digest === content.digest) {
      await this.#announceEpoch(page, before.epoch);
      // The producer itself dead-letters an item that cannot be sent. If that was the last item of the page, and the
      // producer died before the roll-up, no message is left whose redelivery would roll up.
      await this.#rollUp.fromPage(page, before);
      return {
        epoch: before.epoch,
        resent: true,
        isSettled: (index) => isSettled(before, index, 0),
      };
    }
    // If another producer has passed this page, the content that it read counts, even if the source has changed since then.
    if (await this.#isPassed(page)) return undefined;
    await this.#store.update(key, {
      set: { ...content, epoch: before.epoch + 1 },
      remove: ["done", "dying", "cancelled", "retries", "redriven", ...DEAD_SETS],
      when: [{ equals: ["epoch", before.epoch] }],
    });
    // If the write failed, another producer has raised the epoch in between. It fails, too, if it had succeeded before and its
    // response was lost. The second call reads the row, and finds out whose content the page has.
    return await this.open(page, content);
  }

  async #isPassed({ run, partition, page }: PageAddress): Promise<boolean> {
    const row = await this.#store.get(partition === 0 ? runKey(run) : partitionKey({ run, partition }));
    return row !== undefined && Number(row.pages) > page;
  }

  // The block counts a complete page only in the page's current epoch. If the producer crashes before this write, no
  // checkpoint has passed the page. So the next producer opens the page again and makes this write.
  async #announceEpoch(page: PageAddress, epoch: number): Promise<void> {
    if (epoch === 1) return;
    await this.#store.update(blockKey(blockAddressOf(page)), { set: { [epochAttribute(page.page)]: epoch } });
  }

  /**
   * Cancels the pending items of a page, for a producer that does not know whether the page's messages were sent. A page
   * that was never opened is closed, so that another producer, which does not know yet that the run is being stopped,
   * cannot open it.
   *
   * An item whose death is claimed is not cancelled, because its dead letter may be sent already. If a consumer claimed the
   * death, the item's message completes it. If a producer claimed it, the caller must do so.
   *
   * @returns `undefined` if the page was never opened.
   */
  async cancel(page: PageAddress): Promise<CancelledPage | undefined> {
    const key = pageKey(page);
    const set = { size: 0, digest: CLOSED, epoch: 1 };
    if ((await this.#store.update(key, { set, when: [{ absent: "digest" }] })) !== undefined) return undefined;
    const row = await this.#store.get(key);
    if (row === undefined) return undefined;
    const state = readPageRow(row);
    if (state.digest === CLOSED) return undefined;
    await this.#announceEpoch(page, state.epoch);
    const pending = pendingIndexes(state);
    await this.#cancelItems(page, state.epoch, pending);
    // If no item was pending, the worker that settled the last one may have died before it rolled up.
    await this.#rollUp.fromPage(page, state);
    return { size: state.size, claimedDeaths: await this.#claimedDeaths(page, state) };
  }

  async #claimedDeaths(page: PageAddress, state: PageRow): Promise<readonly ClaimedDeath[]> {
    const { epoch } = state;
    const items = claimedIndexes(state).map((index): ItemAddress => ({ ...page, index, epoch, redriveGeneration: 0 }));
    const rows = await this.#store.getMany(items.map(attemptsKey));
    return items.flatMap((item) => {
      const { final, deadLetter } = readAttemptsRow(rows.get(keyText(attemptsKey(item))), 0);
      return final === undefined || deadLetter === undefined ? [] : [{ item, reason: final, deadLetter }];
    });
  }

  /**
   * Cancels the items of a page whose tasks asked for a wait that ends later than `after`. No attempt of such an item runs,
   * and none begins before the wait is over. The message of the item is deleted when it becomes visible.
   *
   * @param after The time, in milliseconds since 1970.
   */
  async cancelWaiting(page: PageAddress, after: number): Promise<void> {
    const row = await this.#store.get(pageKey(page));
    if (row === undefined) return;
    // A closed page has no items.
    const state = readPageRow(row);
    const { epoch } = state;
    const keyOf = (index: number) => attemptsKey({ ...page, index, epoch, redriveGeneration: 0 });
    const pending = pendingIndexes(state);
    const rows = await this.#store.getMany(pending.map(keyOf));
    const waiting = pending.filter((index) => {
      const { waits, final } = readAttemptsRow(rows.get(keyText(keyOf(index))), 0);
      return final === undefined && waits !== undefined && waits.until > after;
    });
    await this.#cancelItems(page, epoch, waiting);
  }

  async #cancelItems(page: PageAddress, epoch: number, indexes: readonly number[]): Promise<void> {
    if (indexes.length === 0) return;
    const items = indexes.map((index) => ({ index, redriveGeneration: 0 }));
    await this.#outcomes.recordCancelled({ ...page, epoch, items });
  }

  /** How many items of a page have not settled. It does not count redriven items. */
  async countPending(page: PageAddress): Promise<number> {
    const row = await this.#store.get(pageKey(page));
    if (row === undefined) return 0;
    const state = readPageRow(row);
    return Array.from({ length: state.size }, (_, index) => index).filter((index) => !isSettled(state, index, 0))
      .length;
  }
}
