import { type Failure, REASONS, type Reason } from "../failure.ts";
import type { Key, Row, Value } from "./store.ts";

/** Items of a ledger page at the most: a page row with its sets stays near 1 KB, one DynamoDB write unit. */
export const ITEMS_PER_PAGE = 200;

/** Pages of a block: three levels of sets hold 10⁹ items, and none has more than a few thousand members. */
export const PAGES_PER_BLOCK = 1_000;

/** The key attributes of the ledger's table, both strings. */
export const TABLE_KEYS = { partition: "pk", sort: "sk" } as const;

// A partition of its own for each page and block: DynamoDB takes about 1,000 writes a second of one partition.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
export const runKey = (run: string): Key => ({ pk: `run#${run}`, sk: "run" });
export const blockKey = (run: string, block: number): Key => ({ pk: `run#${run}#block#${block}`, sk: "block" });
export const pageKey = (run: string, page: number): Key => ({ pk: `run#${run}#page#${page}`, sk: "page" });
/** The epoch is part of it: what failed in an earlier one was another item. */
export const attemptsKey = (run: string, page: number, index: number, epoch: number): Key => ({
  pk: pageKey(run, page).pk,
  sk: `item#${index}#${epoch}`,
});
export const RUN_LIST = "runs";
export const runListKey = (run: string, requestedAt: string): Key => ({ pk: RUN_LIST, sk: `${requestedAt}#${run}` });

export const blockOf = (page: number): number => Math.floor(page / PAGES_PER_BLOCK);
export const blockCount = (pages: number): number => Math.ceil(pages / PAGES_PER_BLOCK);

/** The set of a page row that holds the items which died of a reason. */
export const deadSet = (reason: Reason): string => `dead: ${reason}`;
export const DEAD_SETS = REASONS.map(deadSet);

/** A page row, read. */
export interface PageRow {
  readonly size: number;
  readonly digest: string;
  readonly epoch: number;
  /** Items whose task succeeded; see `isDone`. */
  readonly done: ReadonlySet<number>;
  /** Items whose dead letter is being sent: from then on a late success of a duplicate no longer counts. */
  readonly dying: ReadonlySet<number>;
  readonly dead: ReadonlySet<number>;
  readonly deadByReason: Readonly<Partial<Record<Reason, ReadonlySet<number>>>>;
  /** Failed attempts of settled items, `index * RETRIES_PER_ITEM + failures`, that were followed by another. */
  readonly retries: ReadonlySet<number>;
}

const RETRIES_PER_ITEM = 1_000;
export const retryEntry = (index: number, retries: number): number => index * RETRIES_PER_ITEM + retries;

export function readPageRow(row: Row): PageRow {
  const deadByReason: Partial<Record<Reason, ReadonlySet<number>>> = {};
  for (const reason of REASONS) {
    const members = numberSet(row[deadSet(reason)]);
    if (members.size > 0) deadByReason[reason] = members;
  }
  return {
    size: Number(row.size),
    digest: String(row.digest),
    epoch: Number(row.epoch),
    done: numberSet(row.done),
    dying: numberSet(row.dying),
    dead: numberSet(row.dead),
    deadByReason,
    retries: numberSet(row.retries),
  };
}

/** Whether an item succeeded. Of a success and a death that met, the first to be written counts. */
export const isDone = (page: PageRow, index: number): boolean => page.done.has(index) && !page.dying.has(index);

/** Items of a page that are neither done nor dead. */
export function owedOf(page: PageRow): number {
  let settled = page.dead.size;
  for (const index of page.done) if (isDone(page, index)) settled++;
  return page.size - settled;
}

/** What a page, a block or a run adds up to beside its plain successes. */
export interface Totals {
  readonly dead: number;
  readonly retried: number;
  readonly deadByReason: Readonly<Partial<Record<Reason, number>>>;
}

export function pageTotals(page: PageRow): Totals {
  // An item's entries may differ where duplicates settled it twice: its highest count is the true one.
  const retries = new Map<number, number>();
  for (const entry of page.retries) {
    const index = Math.floor(entry / RETRIES_PER_ITEM);
    retries.set(index, Math.max(retries.get(index) ?? 0, entry % RETRIES_PER_ITEM));
  }
  const deadByReason: Partial<Record<Reason, number>> = {};
  for (const [reason, members] of Object.entries(page.deadByReason)) deadByReason[reason as Reason] = members.size;
  return { dead: page.dead.size, retried: [...retries.values()].reduce((a, b) => a + b, 0), deadByReason };
}

/** Whether a page has more to tell than that all its items succeeded at once. */
export const isNotable = (page: PageRow): boolean => page.dead.size > 0 || page.retries.size > 0;

export function sumTotals(all: Iterable<Totals>): Totals {
  let dead = 0;
  let retried = 0;
  const deadByReason: Partial<Record<Reason, number>> = {};
  for (const totals of all) {
    dead += totals.dead;
    retried += totals.retried;
    for (const [reason, count] of Object.entries(totals.deadByReason)) {
      deadByReason[reason as Reason] = (deadByReason[reason as Reason] ?? 0) + count;
    }
  }
  return { dead, retried, deadByReason };
}

/** A block row, read. */
export interface BlockRow {
  /** Its pages; known once the producer has passed it, when no page of it can be sent again. */
  readonly size: number | undefined;
  /** Its pages all of whose items are settled. */
  readonly full: ReadonlySet<number>;
  /** Those of `full` with dead items or retries. */
  readonly notable: ReadonlySet<number>;
  readonly totals: Totals | undefined;
}

// A page that is full counts in the epoch in which it became so: an entry holds both, and a late entry of an earlier
// epoch counts for nothing.
export const pageEntry = (page: number, epoch: number): number =>
  (epoch - 1) * PAGES_PER_BLOCK + (page % PAGES_PER_BLOCK);
export const epochAttribute = (page: number): string => `epoch of ${page % PAGES_PER_BLOCK}`;

export function readBlockRow(row: Row, block: number): BlockRow {
  const pagesOf = (value: Value | undefined): Set<number> => {
    const pages = new Set<number>();
    for (const entry of numberSet(value)) {
      const page = block * PAGES_PER_BLOCK + (entry % PAGES_PER_BLOCK);
      const epoch = Math.floor(entry / PAGES_PER_BLOCK) + 1;
      if (epoch === (row[epochAttribute(page)] ?? 1)) pages.add(page);
    }
    return pages;
  };
  return {
    size: typeof row.size === "number" ? row.size : undefined,
    full: pagesOf(row.full),
    notable: pagesOf(row.notable),
    totals: row.totals as Totals | undefined,
  };
}

/** What failed of an item so far. */
export interface AttemptsRow {
  /** In the order of the attempts, those before its latest redrive included. */
  readonly failures: readonly Failure[];
  /** Why no further attempt follows, once that is decided. */
  readonly final: Reason | undefined;
}

/** Keyed by the receive count under which it happened, so that recording it twice is once. */
export const failureAttribute = (redrives: number, receiveCount: number): string =>
  `failure ${redrives}.${receiveCount}`;
export const finalAttribute = (redrives: number): string => `final ${redrives}`;
const FAILURE = /^failure (\d+)\.(\d+)$/;

export function readAttemptsRow(row: Row | undefined, redrives: number): AttemptsRow {
  const keyed = Object.entries(row ?? {}).flatMap(([attribute, value]) => {
    const match = FAILURE.exec(attribute);
    return match === null ? [] : [{ redrive: Number(match[1]), receive: Number(match[2]), failure: value }];
  });
  const failures = keyed
    .filter(({ redrive }) => redrive === redrives)
    .sort((a, b) => a.receive - b.receive)
    .map(({ failure }) => failure as unknown as Failure);
  return { failures, final: row?.[finalAttribute(redrives)] as Reason | undefined };
}

function numberSet(value: Value | undefined): ReadonlySet<number> {
  return value instanceof Set ? value : new Set();
}
