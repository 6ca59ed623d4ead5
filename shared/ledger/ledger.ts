import { type Condition, type Key, keyText, type LedgerStore } from "../aws/table.ts";
import type { Failure, Reason } from "../base/failure.ts";
import type { Json } from "../base/json.ts";
import { addWait, countWaits, type WaitRecord, type Waits } from "../base/waits.ts";
import { attemptsKey, blockKey, type ItemAddress, type PageAddress, pageKey } from "../messages/item-address.ts";
import { type Announce, Climb } from "./roll-up.ts";
import {
  type AttemptsRow,
  accountedAttribute,
  blockAddressOf,
  DEAD_SETS,
  deadSet,
  epochAttribute,
  failureAttribute,
  finalAttribute,
  isRedriven,
  isSettled,
  lastSettledLife,
  lifeEntry,
  type PageRow,
  pendingIndexes,
  type ReceiveMark,
  readAttemptsRow,
  readPageRow,
  receiveAttribute,
  retryEntry,
  runKey,
  suspectAttribute,
  waitCountAttribute,
  waitsAttribute,
} from "./rows.ts";
import { InvalidFindings } from "./same-failure.ts";

/**
 * What the ledger knows of an item.
 *
 * - `pending`: neither done nor dead; `failures` so far, and with `final` a death that is decided but not completed.
 * - `settled`: done, or dead with its dead letter sent.
 * - `unknown`: the ledger has no such page: it is another table's, or was dropped after its time.
 * - `stale`: of an earlier epoch of its page: it counts no more.
 */
export type ItemState =
  | { readonly tag: "settled" }
  | { readonly tag: "stale" }
  | { readonly tag: "unknown" }
  | ({ readonly tag: "pending" } & AttemptsRow);

/**
 * What the ledger knows of the item of a dead letter.
 *
 * - `pending`: it was redriven since it last settled, or has never settled (SQS itself moved its message); `dead`: neither
 *   it nor a later life of it is at work, or was cancelled.
 * - `done`: it has succeeded, so nothing is to be done about the letter.
 * - `lastLife` is the latest life that settled, -1 where none has; `redriven` says that one after it was redriven;
 *   `failures` are those of the life that was asked about.
 */
export type ItemFate =
  | { readonly tag: "done" }
  | { readonly tag: "stale" }
  | { readonly tag: "unknown" }
  | {
      readonly tag: "pending" | "dead";
      readonly lastLife: number;
      readonly redriven: boolean;
      readonly failures: readonly Failure[];
    };

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

/** Items of one page that are dropped unrun. */
export interface Cancellations extends Omit<Successes, "items"> {
  readonly items: readonly Pick<ItemAddress, "index" | "redriveGeneration">[];
}

/** Each is two conditions of one expression, which DynamoDB limits to 300 operators. */
const CANCELLED_PER_WRITE = 50;

/** DynamoDB limits the length of an expression to 4 KB, and its operators to 300.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html */
const REMOVED_PER_WRITE = 100;

/** Rounds in which a wait is recorded beside those of other messages of its item; there are hardly ever two. */
const WAIT_ROUNDS = 10;

/** In place of a page's digest: it is none of the run, which was stopped before. */
const CLOSED = "closed";

/** A page as the producer has to send it. */
export interface OpenedPage {
  readonly epoch: number;
  /** It was opened before: its messages may be on the queue, or worked off. */
  readonly resent: boolean;
  readonly isSettled: (index: number) => boolean;
}

/**
 * The counts of a run, exact under at-least-once delivery: every write is an idempotent set insertion, and whoever makes
 * a page full sees it in the row that the write returns, and climbs. See `docs/internals/ledger.md`.
 */
export class Ledger {
  readonly #store: LedgerStore;
  readonly #climb: Climb;

  /**
   * @param now Milliseconds since the epoch, for the run's times.
   * @param announce Tells that a run has ended; see `Climb`.
   */
  constructor(store: LedgerStore, now: () => number = Date.now, announce?: Announce) {
    this.#store = store;
    this.#climb = new Climb(store, now, announce);
  }

  /** Findings of invalid items; see `InvalidFindings`. One for each invocation. */
  invalidFindings(): InvalidFindings {
    return new InvalidFindings(this.#store);
  }

  /**
   * Writes a page before its messages are sent. The same page again keeps its epoch; another content under the same
   * number raises it, and what the old content had recorded counts no more.
   *
   * @returns the page, or `undefined` where the run was stopped before it, or a checkpoint has passed it with another
   * content: nothing of it must be sent.
   */
  async openPage(
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
      // An item that cannot be sent is buried by the producer. If it was the page's last one, and the producer died
      // before it climbed, there is no message whose redelivery would.
      await this.#climb.fromPage(page, before);
      return {
        epoch: before.epoch,
        resent: true,
        isSettled: (index) => isSettled(before, index, 0),
      };
    }
    // Who is asked to write it has been overtaken, and read the source at another time: what counts is sent already.
    if (await this.#isPassed(page)) return undefined;
    const epoch = before.epoch + 1;
    const raised = await this.#store.update(key, {
      set: { ...content, epoch },
      remove: ["done", "dying", "cancelled", "retries", "redriven", ...DEAD_SETS],
      when: [{ equals: ["epoch", before.epoch] }],
    });
    // Raised already: by us, if only the answer was lost, or by another producer. The row tells.
    if (raised === undefined) return await this.openPage(page, content);
    await this.#announceEpoch(page, epoch);
    return { epoch, resent: true, isSettled: () => false };
  }

  async #isPassed({ run, page }: PageAddress): Promise<boolean> {
    const row = await this.#store.get(runKey(run));
    return row !== undefined && Number(row.pages) > page;
  }

  // The block counts a full page only in its present epoch. Until the checkpoint has passed the page, a producer that
  // died before this write comes here again.
  async #announceEpoch(page: PageAddress, epoch: number): Promise<void> {
    if (epoch === 1) return;
    await this.#store.update(blockKey(blockAddressOf(page)), { set: { [epochAttribute(page.page)]: epoch } });
  }

  /** The states of items, in the order asked. */
  async itemStates(items: readonly ItemAddress[]): Promise<readonly ItemState[]> {
    const keys = items.map((item) => ({
      page: pageKey(item),
      attempts: attemptsKey(item),
    }));
    const rows = await this.#store.getMany(keys.flatMap(({ page, attempts }): Key[] => [page, attempts]));
    return await Promise.all(
      items.map(async (item, position): Promise<ItemState> => {
        const key = keys[position];
        const row = key && rows.get(keyText(key.page));
        const page = row && readPageRow(row);
        if (key === undefined || page === undefined) return { tag: "unknown" };
        if (page.epoch !== item.epoch) return { tag: "stale" };
        if (isSettled(page, item.index, item.redriveGeneration)) return { tag: "settled" };
        const attempts = readAttemptsRow(rows.get(keyText(key.attempts)), item.redriveGeneration);
        // Once its death is claimed, no success counts: whoever claimed it died before the dead letter was sent, or recorded.
        const claimed = page.dying.has(lifeEntry(item.index, item.redriveGeneration));
        if (!claimed || attempts.final !== undefined) return { tag: "pending", ...attempts };
        // Its reason was written before the claim, but rows that are read together are not read at one moment.
        const latest = readAttemptsRow(await this.#store.get(key.attempts), item.redriveGeneration);
        return { tag: "pending", ...latest, final: latest.final ?? "unexplained" };
      }),
    );
  }

  /** What became of the items of dead letters, in the order asked. */
  async itemFates(items: readonly ItemAddress[]): Promise<readonly ItemFate[]> {
    const keys = items.map((item) => ({
      page: pageKey(item),
      attempts: attemptsKey(item),
    }));
    const rows = await this.#store.getMany(keys.flatMap(({ page, attempts }): Key[] => [page, attempts]));
    return items.map(({ index, epoch, redriveGeneration }, position): ItemFate => {
      const key = keys[position];
      const row = key && rows.get(keyText(key.page));
      const page = row && readPageRow(row);
      if (key === undefined || page === undefined) return { tag: "unknown" };
      if (page.epoch !== epoch) return { tag: "stale" };
      if (page.done.has(index)) return { tag: "done" };
      const settled = page.dead.has(index) || page.cancelled.has(index);
      return {
        tag: settled && !page.reopened.has(index) ? "dead" : "pending",
        lastLife: lastSettledLife(page, index),
        redriven: isRedriven(page, index),
        failures: readAttemptsRow(rows.get(keyText(key.attempts)), redriveGeneration).failures,
      };
    });
  }

  /**
   * Records that items of one page were redriven, so that they count as pending until they settle again. After their messages
   * are sent: a redrive that dies between the two has sent what is recorded when it settles, and left the dead letter where it
   * was; the other way round, an item could be pending of which no message is left.
   */
  async recordRedrives({ epoch, items, ...page }: Cancellations): Promise<void> {
    // First where the counts begin to read: else they would not come to see the page.
    const known = await this.#store.update(runKey(page.run), {
      set: { redriven: true },
      when: [{ equals: ["id", page.run] }],
    });
    if (known === undefined) return;
    await this.#store.update(blockKey(blockAddressOf(page)), { set: { redriven: true } });
    await this.#store.update(pageKey(page), {
      add: { redriven: items.map(({ index, redriveGeneration }) => lifeEntry(index, redriveGeneration)) },
      when: [{ equals: ["epoch", epoch] }],
    });
  }

  /**
   * Records successes of one page: one write for all of them. Of an earlier epoch, they are dropped.
   *
   * @throws {Error} An item's death had been claimed, so that its success does not count: its message must come again, as
   * it may be the one whose redelivery has to complete the death.
   */
  async recordSuccesses({ epoch, items, ...page }: Successes): Promise<void> {
    const row = await this.#store.update(pageKey(page), {
      add: {
        // mutant: collect-successes
        done: items.map(({ index, redriveGeneration }) => lifeEntry(index, redriveGeneration)),
        retries: items
          .filter(({ failures }) => failures > 0)
          .map(({ index, redriveGeneration, failures }) => retryEntry(index, redriveGeneration, failures)),
      },
      when: [{ equals: ["epoch", epoch] }],
    });
    if (row === undefined) return;
    const state = readPageRow(row);
    await this.#climb.fromPage(page, state);
    this.#checkSettled({ ...page, epoch, items }, state);
  }

  /**
   * Records a failed attempt under the receive count at which it happened, and with `final` that no other follows.
   * Returns the failures since the item's latest redrive, in order.
   */
  async recordFailure(
    item: ItemAddress,
    receiveCount: number,
    failure: Failure,
    final?: Reason,
  ): Promise<readonly Failure[]> {
    const row = await this.#store.update(attemptsKey(item), {
      set: {
        [failureAttribute(item.redriveGeneration, receiveCount)]: failure as unknown as Json,
        ...(final !== undefined && { [finalAttribute(item.redriveGeneration)]: final }),
      },
    });
    return readAttemptsRow(row, item.redriveGeneration).failures;
  }

  /**
   * Records an attempt that ended in a wait, in a row whose size does not grow with the waits. With it, all receives up to
   * its own are accounted for.
   *
   * @param before What the ledger was known to have of the item.
   * @param isSuspect Whether the item is one: it stays one.
   * @returns the waits, and with `exceeds` that this one would pass the bound: no further attempt follows.
   */
  async recordWait(
    item: ItemAddress,
    wait: WaitRecord,
    before: AttemptsRow,
    { atMostMilliseconds, isSuspect }: { readonly atMostMilliseconds: number; readonly isSuspect: boolean },
  ): Promise<{ readonly waits: Waits; readonly exceeds: boolean }> {
    const { redriveGeneration } = item;
    let known = before;
    for (let round = 0; round < WAIT_ROUNDS; round++) {
      const added = addWait(known.waits, wait, atMostMilliseconds);
      const row = await this.#store.update(attemptsKey(item), {
        set: {
          [waitsAttribute(redriveGeneration)]: added.waits as unknown as Json,
          [waitCountAttribute(redriveGeneration)]: countWaits(added.waits),
          ...(added.exceeds && { [finalAttribute(redriveGeneration)]: "waited too long" satisfies Reason }),
          ...accounting(item, known, wait.receive, isSuspect),
        },
        // Whatever began under this receive has ended.
        remove: [...new Set([receiveAttribute(redriveGeneration, wait.receive), ...returnedMarks(item, known)])],
        when: [
          known.waits === undefined
            ? { absent: waitCountAttribute(redriveGeneration) }
            : { equals: [waitCountAttribute(redriveGeneration), countWaits(known.waits)] },
        ],
      });
      if (row !== undefined) return added;
      // Somebody else has recorded a wait: of another message of the item, or this very one, and its answer was lost.
      known = readAttemptsRow(await this.#store.get(attemptsKey(item)), redriveGeneration);
      if (known.waits?.receive === wait.receive) {
        return { waits: known.waits, exceeds: known.final === "waited too long" };
      }
    }
    throw new Error(`the wait of item ${item.index} of page ${item.page} of run ${item.run} could not be recorded`);
  }

  /**
   * Accounts for all receives of a message up to one, before the message is replaced by a fresh one: notes of those that
   * were put back are no longer needed.
   */
  async recordReplacement(item: ItemAddress, receive: number, before: AttemptsRow, isSuspect: boolean): Promise<void> {
    let known = before;
    do {
      const row = await this.#store.update(attemptsKey(item), {
        set: accounting(item, known, receive, isSuspect),
        remove: returnedMarks(item, known),
      });
      known = readAttemptsRow(row, item.redriveGeneration);
    } while (returnedMarks(item, known).length > 0);
  }

  /**
   * Claims an item for the dead-letter queue, before its dead letter is sent. From then on a success of a duplicate no
   * longer counts, so that an item never is both done and in the dead-letter queue.
   *
   * @returns false where a duplicate has succeeded, or a death of it is recorded, or the item is of an earlier epoch: no
   * dead letter must be sent.
   */
  async claimDeath(item: ItemAddress): Promise<boolean> {
    const { index, epoch, redriveGeneration } = item;
    const key = pageKey(item);
    const life = lifeEntry(index, redriveGeneration);
    const claimed = await this.#store.update(key, {
      add: { dying: [life] },
      when: [{ equals: ["epoch", epoch] }, { lacks: ["done", life] }, { lacks: ["cancelled", life] }],
    });
    // Refused, it may have been claimed before, and then a duplicate succeeded in vain: the claim stands.
    const row = claimed ?? (await this.#store.get(key));
    if (row === undefined) return false;
    const state = readPageRow(row);
    if (state.epoch !== epoch) return false;
    const settled = isSettled(state, index, redriveGeneration);
    // The message may be the only one: it was received again while the consumer worked that settled it, and died then.
    if (settled) await this.#climb.fromPage(item, state);
    return !settled;
  }

  /** Records a death whose dead letter has been sent. */
  async recordDeath(item: ItemAddress, reason: Reason, retries: number): Promise<void> {
    const { index, epoch, redriveGeneration } = item;
    const life = lifeEntry(index, redriveGeneration);
    const row = await this.#store.update(pageKey(item), {
      add: {
        dying: [life],
        [deadSet(reason)]: [life],
        retries: retries > 0 ? [retryEntry(index, redriveGeneration, retries)] : [],
      },
      when: [{ equals: ["epoch", epoch] }],
    });
    if (row !== undefined) await this.#climb.fromPage(item, readPageRow(row));
  }

  /**
   * Records what became of a receive that has no failure, so that it is accounted for whatever happens next. Only of
   * messages that were received before, or put back.
   */
  async recordReceive(item: ItemAddress, receiveCount: number, mark: ReceiveMark): Promise<void> {
    await this.#store.update(attemptsKey(item), {
      set: { [receiveAttribute(item.redriveGeneration, receiveCount)]: mark },
    });
  }

  /**
   * Records items of one page that a stopped run drops unrun. Those that were settled otherwise meanwhile stay so.
   *
   * @throws {Error} An item's death had been claimed: its message must come again, as with `recordSuccesses`.
   */
  async recordCancelled({ epoch, items, ...page }: Cancellations): Promise<void> {
    const lives = items.map(({ index, redriveGeneration }) => lifeEntry(index, redriveGeneration));
    const cancel = (some: readonly number[]) =>
      this.#store.update(pageKey(page), {
        add: { cancelled: some },
        when: [
          { equals: ["epoch", epoch] },
          // mutant: cancel-unsettled-only
          ...some.flatMap((life): Condition[] => [{ lacks: ["done", life] }, { lacks: ["dying", life] }]),
        ],
      });
    let row = await cancel(lives);
    // Refused for one of them, perhaps: each for itself.
    if (row === undefined && lives.length > 1) for (const life of lives) row = (await cancel([life])) ?? row;
    row ??= await this.#store.get(pageKey(page));
    if (row === undefined) return;
    const state = readPageRow(row);
    await this.#climb.fromPage(page, state);
    this.#checkSettled({ ...page, epoch, items }, state);
  }

  // Of a life whose death is claimed: the message at hand may be the one whose redelivery has to complete the death.
  #checkSettled({ run, page, epoch, items }: Cancellations, state: PageRow): void {
    if (state.epoch !== epoch) return;
    const claimed = items.filter(({ index, redriveGeneration }) => !isSettled(state, index, redriveGeneration));
    if (claimed.length === 0) return;
    const indexes = claimed.map(({ index }) => index).join(", ");
    throw new Error(`the deaths of items ${indexes} of page ${page} of run ${run} had been claimed before`);
  }

  /**
   * Cancels what a page still owes, for a producer that stops before it knows whether the page's messages are sent. One that
   * was not opened is closed: another producer, which does not know yet that the run is being stopped, must not open it.
   *
   * @returns the page's size, or `undefined` where it was never opened.
   */
  async cancelPage(page: PageAddress): Promise<number | undefined> {
    const key = pageKey(page);
    const set = { size: 0, digest: CLOSED, epoch: 1 };
    if ((await this.#store.update(key, { set, when: [{ absent: "digest" }] })) !== undefined) return undefined;
    const row = await this.#store.get(key);
    if (row === undefined) return undefined;
    const state = readPageRow(row);
    if (state.digest === CLOSED) return undefined;
    await this.#announceEpoch(page, state.epoch);
    const items = pendingIndexes(state).map((index) => ({ index, redriveGeneration: 0 }));
    for (let start = 0; start < items.length; start += CANCELLED_PER_WRITE) {
      await this.recordCancelled({
        ...page,
        epoch: state.epoch,
        items: items.slice(start, start + CANCELLED_PER_WRITE),
      });
    }
    if (items.length === 0) await this.#climb.fromPage(page, state);
    return state.size;
  }

  /**
   * Cancels items of a page whose messages stay hidden until after a time, because their tasks asked to wait. No attempt of
   * such an item is under way, and none begins before its wait is over: its message is deleted when it comes.
   */
  async cancelWaiting(page: PageAddress, after: number): Promise<void> {
    const row = await this.#store.get(pageKey(page));
    if (row === undefined || row.digest === CLOSED) return;
    const state = readPageRow(row);
    const { epoch } = state;
    const keyOf = (index: number) => attemptsKey({ ...page, index, epoch, redriveGeneration: 0 });
    const pending = pendingIndexes(state);
    const rows = await this.#store.getMany(pending.map(keyOf));
    const waiting = pending.filter((index) => {
      const { waits, final } = readAttemptsRow(rows.get(keyText(keyOf(index))), 0);
      return final === undefined && waits !== undefined && waits.until > after;
    });
    const items = waiting.map((index) => ({ index, redriveGeneration: 0 }));
    for (let start = 0; start < items.length; start += CANCELLED_PER_WRITE) {
      await this.recordCancelled({ ...page, epoch, items: items.slice(start, start + CANCELLED_PER_WRITE) });
    }
  }

  /** Items of a page, not redriven ones, that have not settled. */
  async pending(page: PageAddress): Promise<number> {
    const row = await this.#store.get(pageKey(page));
    if (row === undefined) return 0;
    const state = readPageRow(row);
    return Array.from({ length: state.size }, (_, index) => index).filter((index) => !isSettled(state, index, 0))
      .length;
  }

  /** Climbs again from a page whose items are found settled: the one who settled them may have died on its way. */
  async climbAgain(page: PageAddress): Promise<void> {
    const row = await this.#store.get(pageKey(page));
    if (row !== undefined) await this.#climb.fromPage(page, readPageRow(row));
  }
}

/** Accounts for all receives up to one. Another message of the item may be further. */
function accounting(
  { redriveGeneration }: ItemAddress,
  { accountedTo = 0, suspect }: AttemptsRow,
  receive: number,
  isSuspect: boolean,
): Readonly<Record<string, Json>> {
  return {
    [accountedAttribute(redriveGeneration)]: Math.max(accountedTo, receive),
    ...((isSuspect || suspect === true) && { [suspectAttribute(redriveGeneration)]: true }),
  };
}

/** Notes of receives that were put back, as many as one write can remove. */
const returnedMarks = ({ redriveGeneration }: ItemAddress, { receives }: AttemptsRow): readonly string[] =>
  [...receives]
    .filter(([, mark]) => mark === "returned")
    .slice(0, REMOVED_PER_WRITE)
    .map(([receive]) => receiveAttribute(redriveGeneration, receive));
