import type { Row } from "../aws/table.ts";
import { REASONS, type Reason } from "../base/failure.ts";
import { numberSet } from "./number-set.ts";
import type { Totals } from "./totals.ts";

/** The attribute of a page row with the set of items that died for a reason. */
export const deadSet = (reason: Reason): string => `dead: ${reason}`;
export const DEAD_SETS = REASONS.map(deadSet);

// The sets of a page row hold one entry for each settled redrive generation of an item. So a redrive adds entries and
// never removes one. An item is done if it succeeded in any generation. Otherwise its latest generation that settled
// decides whether the item is dead or cancelled.
const ITEMS_PER_GENERATION = 1_000;

/** The entry of one redrive generation of an item in the sets of its page row. */
export const generationEntry = (index: number, generation: number): number => generation * ITEMS_PER_GENERATION + index;
const indexOf = (entry: number): number => entry % ITEMS_PER_GENERATION;
const generationOf = (entry: number): number => Math.floor(entry / ITEMS_PER_GENERATION);

/**
 * How often an item can be redriven. Each redrive of an item adds an entry to up to five sets of its page row: about 20
 * bytes. If all 200 items of a page are redriven 50 times, the row has about 200 KB. DynamoDB refuses a row of more than
 * 400 KB, and then no outcome of the page could be recorded.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
 */
export const MOST_REDRIVES = 50;

const RETRIES_PER_GENERATION = 1_000;

/** The entry of a redrive generation in a page row's set of retries. It contains how many retries the generation had. */
export const retryEntry = (index: number, generation: number, retries: number): number =>
  generationEntry(index, generation) * RETRIES_PER_GENERATION + retries;

/** What a page row says. Sets of entries hold what `generationEntry` returns. */
export interface PageRow {
  readonly size: number;
  readonly digest: string;
  readonly epoch: number;
  /** Indexes of the items that succeeded. */
  readonly done: ReadonlySet<number>;
  /** The dead items, with the reason of the latest death. Items that later succeeded or were cancelled are not in here. */
  readonly dead: ReadonlyMap<number, Reason>;
  /** Entries whose death is claimed: their dead letter is sent now or soon. A later success of an entry is ignored. */
  readonly dying: ReadonlySet<number>;
  /** Items that a stopped run dropped without an attempt. Items that later succeeded or died are not in here. */
  readonly cancelled: ReadonlySet<number>;
  /** Entries that were cancelled. A later success of the same generation is ignored. */
  readonly cancelledEntries: ReadonlySet<number>;
  /** The latest generation in which an item died, for each item that died. */
  readonly deaths: ReadonlyMap<number, number>;
  /** The retries of the settled generations, as `retryEntry` returns them. */
  readonly retries: ReadonlySet<number>;
  /**
   * Items that were redriven after they last settled. They are pending again, and also stay in `dead` and `cancelled`:
   * a complete page stays complete, and a run that has ended stays ended.
   */
  readonly reopened: ReadonlySet<number>;
  /** Entries that began with a redrive. */
  readonly redrivenEntries: ReadonlySet<number>;
  /** Whether any item of the page was redriven. */
  readonly redriven: boolean;
}

/** The successes in a page row, with their generations. */
export interface SuccessEntries {
  /** Successes that count. An item can have several. */
  readonly counting: readonly { readonly index: number; readonly generation: number }[];
  /** Entries whose success does not count, because the generation died or was cancelled first. */
  readonly lost: ReadonlySet<number>;
}

export function entriesOfSuccesses(row: Row): SuccessEntries {
  const lost = numberSet(row.dying).union(numberSet(row.cancelled));
  // mutant: count-no-loser
  const counting = [...numberSet(row.done)]
    .filter((entry) => !lost.has(entry))
    .map((entry) => ({ index: indexOf(entry), generation: generationOf(entry) }));
  return { counting, lost };
}

export function readPageRow(row: Row): PageRow {
  // A row can have a success and a claimed death of the same generation. Then the claim was written first, and it counts.
  const dying = numberSet(row.dying);
  const cancelledEntries = numberSet(row.cancelled);
  const successes = [...numberSet(row.done)].filter((entry) => !dying.has(entry) && !cancelledEntries.has(entry));
  const done = new Set(successes.map(indexOf));
  const dead = new Map<number, Reason>();
  const deaths = new Map<number, number>();
  for (const reason of REASONS) {
    for (const entry of numberSet(row[deadSet(reason)])) {
      const index = indexOf(entry);
      // Two workers can record different reasons for one death. Every reader takes the first of them in `REASONS`.
      if (generationOf(entry) <= (deaths.get(index) ?? -1)) continue;
      deaths.set(index, generationOf(entry));
      if (!done.has(index)) dead.set(index, reason);
    }
  }
  const cancelled = new Set<number>();
  for (const entry of cancelledEntries) {
    const index = indexOf(entry);
    if (done.has(index) || generationOf(entry) <= (deaths.get(index) ?? -1)) continue;
    cancelled.add(index);
    // The item was redriven before it was cancelled, so it has no dead letter any more.
    dead.delete(index);
  }
  const reopened = new Set<number>();
  const redrivenEntries = numberSet(row.redriven);
  for (const entry of redrivenEntries) {
    const index = indexOf(entry);
    const settled = done.has(index) || (deaths.get(index) ?? -1) >= generationOf(entry) || cancelledEntries.has(entry);
    if (!settled && (dead.has(index) || cancelled.has(index))) reopened.add(index);
  }
  return {
    size: Number(row.size),
    digest: String(row.digest),
    epoch: Number(row.epoch),
    done,
    dead,
    dying,
    cancelled,
    cancelledEntries,
    deaths,
    retries: numberSet(row.retries),
    reopened,
    redrivenEntries,
    redriven:
      redrivenEntries.size > 0 ||
      [...successes, ...cancelledEntries].some((entry) => generationOf(entry) > 0) ||
      [...deaths.values()].some((generation) => generation > 0),
  };
}

/**
 * Whether nothing is left to do for a redrive generation of an item. A success in any generation settles the item. A death
 * settles its own generation and the earlier ones. It does not settle a later one, because its dead letter was redriven.
 * A cancellation settles its own generation.
 */
export const isSettled = (page: PageRow, index: number, generation: number): boolean =>
  page.done.has(index) ||
  (page.deaths.get(index) ?? -1) >= generation ||
  page.cancelledEntries.has(generationEntry(index, generation));

/** The latest generation of an item that died or was cancelled, or -1 if there is none. */
export const lastSettledGeneration = (page: PageRow, index: number): number =>
  [...page.cancelledEntries]
    .filter((entry) => indexOf(entry) === index)
    .map(generationOf)
    .reduce((latest, generation) => Math.max(latest, generation), page.deaths.get(index) ?? -1);

/** Whether the item has a generation that began with a redrive and has not settled yet. */
export const isRedriven = (page: PageRow, index: number): boolean =>
  [...page.redrivenEntries].some((entry) => indexOf(entry) === index && !isSettled(page, index, generationOf(entry)));

/** How many items of a page are neither done, dead nor cancelled. */
export const pendingOf = (page: PageRow): number => page.size - page.done.size - page.dead.size - page.cancelled.size;

/** The indexes of the pending items of a page that has no redriven items. Items whose death is claimed are left out. */
export const pendingIndexes = (page: PageRow): readonly number[] =>
  Array.from({ length: page.size }, (_, index) => index).filter(
    (index) => !isSettled(page, index, 0) && !page.dying.has(generationEntry(index, 0)),
  );

/** The indexes of the items whose death is claimed and not recorded, in a page that has no redriven items. */
export const claimedIndexes = (page: PageRow): readonly number[] =>
  Array.from({ length: page.size }, (_, index) => index).filter(
    (index) => page.dying.has(generationEntry(index, 0)) && !isSettled(page, index, 0),
  );

/** The totals of a page when it became complete: redriven items still count as dead or cancelled. */
export function pageTotals(page: PageRow): Totals {
  // If duplicates settled one generation twice, there can be two entries. The entry with the higher count is correct.
  const retries = new Map<number, number>();
  for (const retry of page.retries) {
    const entry = Math.floor(retry / RETRIES_PER_GENERATION);
    retries.set(entry, Math.max(retries.get(entry) ?? 0, retry % RETRIES_PER_GENERATION));
  }
  const deadByReason: Partial<Record<Reason, number>> = {};
  for (const reason of page.dead.values()) deadByReason[reason] = (deadByReason[reason] ?? 0) + 1;
  const retried = [...retries.values()].reduce((a, b) => a + b, 0);
  return { dead: page.dead.size, cancelled: page.cancelled.size, retried, deadByReason };
}

/** The totals of a page at this moment: redriven items count as pending. */
export function presentTotals(page: PageRow): Totals & { readonly pending: number } {
  const { reopened } = page;
  const dead = new Map([...page.dead].filter(([index]) => !reopened.has(index)));
  const cancelled = page.cancelled.difference(reopened);
  return { ...pageTotals({ ...page, dead, cancelled }), pending: pendingOf(page) + reopened.size };
}

/** Whether a page adds something to the totals of its block: dead items, cancelled items or retries. */
export const isNotable = (page: PageRow): boolean => page.dead.size + page.cancelled.size + page.retries.size > 0;
