import type { Failure, Reason } from "../failure.ts";
import type { Json } from "../json.ts";
import type { ItemAddress } from "../messages/envelope.ts";
import { Climb } from "./climb.ts";
import {
  type AttemptsRow,
  attemptsKey,
  blockKey,
  blockOf,
  DEAD_SETS,
  deadSet,
  epochAttribute,
  failureAttribute,
  finalAttribute,
  isDone,
  type PageRow,
  pageKey,
  readAttemptsRow,
  readPageRow,
  retryEntry,
} from "./rows.ts";
import { type Key, keyText, type LedgerStore } from "./store.ts";

/** An item as a message names it. */
export interface LedgerItem extends ItemAddress {
  readonly epoch: number;
  /** How often it was redriven: each time it gets fresh attempts. */
  readonly redrives: number;
}

/**
 * What the ledger knows of an item.
 *
 * - `owed`: neither done nor dead; `failures` so far, and with `final` a death that is decided but not completed.
 * - `settled`: done, or dead with its letter sent.
 * - `stale`: of an earlier epoch of its page: it counts no more.
 */
export type ItemState =
  | { readonly tag: "settled" }
  | { readonly tag: "stale" }
  | ({ readonly tag: "owed" } & AttemptsRow);

/** Items of one page that succeeded. */
export interface Successes {
  readonly run: string;
  readonly page: number;
  readonly epoch: number;
  readonly items: readonly {
    readonly index: number;
    /** Failed attempts before the success. */
    readonly failures: number;
    readonly redrives: number;
  }[];
}

/** A page as the producer has to send it. */
export interface OpenedPage {
  readonly epoch: number;
  /** It was opened before: its messages may be on the queue, or worked off. */
  readonly resent: boolean;
  readonly isSettled: (index: number) => boolean;
}

/**
 * The counts of a run, exact under at-least-once delivery: every write is an idempotent set insertion, and whoever makes
 * a page full sees it in the row that the write returns, and climbs. See `docs/ledger.md`.
 */
export class Ledger {
  readonly #store: LedgerStore;
  readonly #climb: Climb;

  /** @param now Milliseconds since the epoch, for the run's times. */
  constructor(store: LedgerStore, now: () => number = Date.now) {
    this.#store = store;
    this.#climb = new Climb(store, now);
  }

  /**
   * Writes a page before its messages are sent. The same page again keeps its epoch; another content under the same
   * number raises it, and what the old content had recorded counts no more.
   */
  async openPage(run: string, page: number, content: { size: number; digest: string }): Promise<OpenedPage> {
    const key = pageKey(run, page);
    const created = await this.#store.update(key, { set: { ...content, epoch: 1 }, when: [{ absent: "digest" }] });
    if (created !== undefined) return { epoch: 1, resent: false, isSettled: () => false };
    const row = await this.#store.get(key);
    if (row === undefined) throw new Error(`page ${page} of run ${run} vanished from the ledger`);
    const before = readPageRow(row);
    if (before.digest === content.digest) {
      await this.#announceEpoch(run, page, before.epoch);
      return {
        epoch: before.epoch,
        resent: true,
        isSettled: (index) => isDone(before, index) || before.dead.has(index),
      };
    }
    const epoch = before.epoch + 1;
    await this.#store.update(key, {
      set: { ...content, epoch },
      remove: ["done", "dying", "dead", "retries", ...DEAD_SETS],
      when: [{ equals: ["epoch", before.epoch] }],
    });
    await this.#announceEpoch(run, page, epoch);
    return { epoch, resent: true, isSettled: () => false };
  }

  // The block counts a full page only in its present epoch. Until the checkpoint has passed the page, a producer that
  // died before this write comes here again.
  async #announceEpoch(run: string, page: number, epoch: number): Promise<void> {
    if (epoch === 1) return;
    await this.#store.update(blockKey(run, blockOf(page)), { set: { [epochAttribute(page)]: epoch } });
  }

  /** The states of items, in the order asked. */
  async itemStates(items: readonly LedgerItem[]): Promise<readonly ItemState[]> {
    const keys = items.map((item) => ({
      page: pageKey(item.run, item.page),
      attempts: attemptsKey(item.run, item.page, item.index, item.epoch),
    }));
    const rows = await this.#store.getMany(keys.flatMap(({ page, attempts }): Key[] => [page, attempts]));
    return items.map((item, position): ItemState => {
      const key = keys[position];
      const row = key && rows.get(keyText(key.page));
      const page = row && readPageRow(row);
      if (key === undefined || page === undefined || page.epoch !== item.epoch) return { tag: "stale" };
      const attempts = readAttemptsRow(rows.get(keyText(key.attempts)), item.redrives);
      if (isDone(page, item.index)) return { tag: "settled" };
      // A redriven item stays dead until it succeeds; of its own death its `final` tells.
      if (page.dead.has(item.index) && (item.redrives === 0 || attempts.final !== undefined)) return { tag: "settled" };
      return { tag: "owed", ...attempts };
    });
  }

  /** Records successes of one page: one write for all of them. Of an earlier epoch, they are dropped. */
  async recordSuccesses({ run, page, epoch, items }: Successes): Promise<void> {
    const redriven = items.filter(({ redrives }) => redrives > 0).map(({ index }) => index);
    const row = await this.#store.update(pageKey(run, page), {
      add: {
        done: items.map(({ index }) => index),
        retries: items.filter(({ failures }) => failures > 0).map(({ index, failures }) => retryEntry(index, failures)),
      },
      ...(redriven.length > 0 && {
        subtract: Object.fromEntries(["dying", "dead", ...DEAD_SETS].map((set) => [set, redriven])),
      }),
      when: [{ equals: ["epoch", epoch] }],
    });
    if (row !== undefined) await this.#climb.fromPage(run, page, readPageRow(row));
  }

  /**
   * Records a failed attempt under the receive count at which it happened, and with `final` that no other follows.
   * Returns the failures since the item's latest redrive, in order.
   */
  async recordFailure(
    item: LedgerItem,
    receiveCount: number,
    failure: Failure,
    final?: Reason,
  ): Promise<readonly Failure[]> {
    const row = await this.#store.update(attemptsKey(item.run, item.page, item.index, item.epoch), {
      set: {
        [failureAttribute(item.redrives, receiveCount)]: failure as unknown as Json,
        ...(final !== undefined && { [finalAttribute(item.redrives)]: final }),
      },
    });
    return readAttemptsRow(row, item.redrives).failures;
  }

  /**
   * Claims an item for the dead-letter queue, before its letter is sent. From then on a success of a duplicate no
   * longer counts, so that an item never is both done and in the dead-letter queue.
   *
   * @returns false where a duplicate has succeeded, or the item is of an earlier epoch: it must not be sent.
   */
  async claimDeath({ run, page, index, epoch, redrives }: LedgerItem): Promise<boolean> {
    const row = await this.#store.update(pageKey(run, page), {
      add: { dying: [index] },
      // A redriven item that succeeded meanwhile has left `dying`; one that did not is still in it, beside `done` or not.
      when: [{ equals: ["epoch", epoch] }, { lacks: ["done", index] }],
    });
    if (row !== undefined) return true;
    const now = await this.#store.get(pageKey(run, page));
    if (now === undefined) return false;
    const state: PageRow = readPageRow(now);
    // Claimed before, and then a duplicate succeeded in vain: the claim stands.
    return state.epoch === epoch && !isDone(state, index) && redrives === 0;
  }

  /** Records a death whose letter has been sent. */
  async recordDeath(item: LedgerItem, reason: Reason, retries: number): Promise<void> {
    const { run, page, index, epoch } = item;
    const row = await this.#store.update(pageKey(run, page), {
      add: {
        dying: [index],
        dead: [index],
        [deadSet(reason)]: [index],
        retries: retries > 0 ? [retryEntry(index, retries)] : [],
      },
      when: [{ equals: ["epoch", epoch] }],
    });
    if (row !== undefined) await this.#climb.fromPage(run, page, readPageRow(row));
  }

  /** Climbs again from a page whose items are found settled: the one who settled them may have died on its way. */
  async climbAgain(run: string, page: number): Promise<void> {
    const row = await this.#store.get(pageKey(run, page));
    if (row !== undefined) await this.#climb.fromPage(run, page, readPageRow(row));
  }
}
