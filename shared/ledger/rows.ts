import type { Key, Row, Value } from "../aws/table.ts";
import { type Failure, REASONS, type Reason } from "../base/failure.ts";
import type { Waits } from "../base/waits.ts";
import type { BlockAddress, PageAddress } from "../messages/item-address.ts";

/** Pages of a block: three levels of sets hold 10⁹ items, and none has more than a few thousand members. */
export const PAGES_PER_BLOCK = 1_000;

/** The key of a run's row. For the rows of its blocks, pages and items, see `messages/item-address.ts`. */
export const runKey = (run: string): Key => ({ pk: `run#${run}`, sk: "run" });
export const RUN_LIST = "runs";
export const runListKey = (run: string, requestedAt: string): Key => ({ pk: RUN_LIST, sk: `${requestedAt}#${run}` });

/** The number of the block that a page belongs to, by the page's number. */
export const blockOf = (page: number): number => Math.floor(page / PAGES_PER_BLOCK);
export const blockAddressOf = ({ run, partition, page }: PageAddress): BlockAddress => ({
  run,
  partition,
  block: blockOf(page),
});
export const blockCount = (pages: number): number => Math.ceil(pages / PAGES_PER_BLOCK);

/** The set of a page row that holds the items which died of a reason. */
export const deadSet = (reason: Reason): string => `dead: ${reason}`;
export const DEAD_SETS = REASONS.map(deadSet);

// A redrive gives an item another life. The sets of a page row hold lives and not items, so that no member ever has to
// be taken out again: an item is done if it succeeded in any life, else dead if it died in any.
const ITEMS_PER_LIFE = 1_000;
export const lifeEntry = (index: number, redrives: number): number => redrives * ITEMS_PER_LIFE + index;
const indexOf = (life: number): number => life % ITEMS_PER_LIFE;
const redrivesOf = (life: number): number => Math.floor(life / ITEMS_PER_LIFE);

/** A page row, read. */
export interface PageRow {
  readonly size: number;
  readonly digest: string;
  readonly epoch: number;
  /** Items whose task succeeded. */
  readonly done: ReadonlySet<number>;
  /** Items that died, and were neither done nor cancelled in a later life, with the reason of the latest death. */
  readonly dead: ReadonlyMap<number, Reason>;
  /** Lives whose dead letter is being sent, or was: from then on a success in the same life no longer counts. */
  readonly dying: ReadonlySet<number>;
  /** Items that were dropped unrun when the run was stopped, and neither succeeded nor died in a later life. */
  readonly cancelled: ReadonlySet<number>;
  /** Lives that were cancelled: from then on a success in the same life no longer counts. */
  readonly cancelledLives: ReadonlySet<number>;
  /** How often the items that died had been redriven when they last did. */
  readonly deaths: ReadonlyMap<number, number>;
  /** Failed attempts of settled lives, `life * RETRIES_PER_LIFE + failures`, that were followed by another. */
  readonly retries: ReadonlySet<number>;
  /**
   * Items among `dead` and `cancelled` that were redriven since they last settled: they are pending again. They stay among
   * those, as a page that is full remains so, and a run that ended has ended.
   */
  readonly reopened: ReadonlySet<number>;
  /** Lives that began with a redrive. */
  readonly redrivenLives: ReadonlySet<number>;
  /** Whether an item was redriven. */
  readonly redriven: boolean;
}

const RETRIES_PER_LIFE = 1_000;
export const retryEntry = (index: number, redrives: number, retries: number): number =>
  lifeEntry(index, redrives) * RETRIES_PER_LIFE + retries;

export function readPageRow(row: Row): PageRow {
  // Of a success and a death that met in one life, the first to be written counts.
  const dying = numberSet(row.dying);
  const cancelledLives = numberSet(row.cancelled);
  const successes = [...numberSet(row.done)].filter((life) => !dying.has(life) && !cancelledLives.has(life));
  const done = new Set(successes.map(indexOf));
  const dead = new Map<number, Reason>();
  const deaths = new Map<number, number>();
  for (const reason of REASONS) {
    for (const life of numberSet(row[deadSet(reason)])) {
      const index = indexOf(life);
      // Two who bury one life may differ in the reason. Whoever reads it takes the same.
      if (redrivesOf(life) <= (deaths.get(index) ?? -1)) continue;
      deaths.set(index, redrivesOf(life));
      if (!done.has(index)) dead.set(index, reason);
    }
  }
  const cancelled = new Set<number>();
  for (const life of cancelledLives) {
    const index = indexOf(life);
    if (done.has(index) || redrivesOf(life) <= (deaths.get(index) ?? -1)) continue;
    cancelled.add(index);
    // It had been redriven: no dead letter of it is left.
    dead.delete(index);
  }
  const reopened = new Set<number>();
  const redrivenLives = numberSet(row.redriven);
  for (const life of redrivenLives) {
    const index = indexOf(life);
    const settled = done.has(index) || (deaths.get(index) ?? -1) >= redrivesOf(life) || cancelledLives.has(life);
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
    cancelledLives,
    deaths,
    retries: numberSet(row.retries),
    reopened,
    redrivenLives,
    redriven:
      redrivenLives.size > 0 ||
      [...successes, ...cancelledLives].some((life) => redrivesOf(life) > 0) ||
      [...deaths.values()].some((redrives) => redrives > 0),
  };
}

/**
 * Whether nothing is left to do about a life of an item. One that was redriven stays dead until it succeeds, but is
 * settled only by the death of this life, or of a later one: a death is recorded when its dead letter has been sent, and the
 * dead letters of the lives before are gone.
 */
export const isSettled = (page: PageRow, index: number, redrives: number): boolean =>
  page.done.has(index) ||
  (page.deaths.get(index) ?? -1) >= redrives ||
  page.cancelledLives.has(lifeEntry(index, redrives));

/** The latest life of an item that has died or was cancelled; -1 where none has. */
export const lastSettledLife = (page: PageRow, index: number): number =>
  [...page.cancelledLives]
    .filter((life) => indexOf(life) === index)
    .map(redrivesOf)
    .reduce((latest, redrives) => Math.max(latest, redrives), page.deaths.get(index) ?? -1);

/** Whether a life of an item that began with a redrive has not settled yet. */
export const isRedriven = (page: PageRow, index: number): boolean =>
  [...page.redrivenLives].some((life) => indexOf(life) === index && !isSettled(page, index, redrivesOf(life)));

/** Items of a page that are neither done, dead nor cancelled. */
export const pendingOf = (page: PageRow): number => page.size - page.done.size - page.dead.size - page.cancelled.size;

/** Which they are, of a page none of whose items was redriven. */
export const pendingIndexes = (page: PageRow): readonly number[] =>
  Array.from({ length: page.size }, (_, index) => index).filter(
    (index) => !isSettled(page, index, 0) && !page.dying.has(lifeEntry(index, 0)),
  );

/** What a page, a block or a run adds up to beside its plain successes. */
export interface Totals {
  readonly dead: number;
  readonly cancelled: number;
  readonly retried: number;
  readonly deadByReason: Readonly<Partial<Record<Reason, number>>>;
}

export function pageTotals(page: PageRow): Totals {
  // A life's entries may differ where duplicates settled it twice: its highest count is the true one.
  const retries = new Map<number, number>();
  for (const entry of page.retries) {
    const life = Math.floor(entry / RETRIES_PER_LIFE);
    retries.set(life, Math.max(retries.get(life) ?? 0, entry % RETRIES_PER_LIFE));
  }
  const deadByReason: Partial<Record<Reason, number>> = {};
  for (const reason of page.dead.values()) deadByReason[reason] = (deadByReason[reason] ?? 0) + 1;
  const retried = [...retries.values()].reduce((a, b) => a + b, 0);
  return { dead: page.dead.size, cancelled: page.cancelled.size, retried, deadByReason };
}

/** The same as it stands now: what was redriven is pending, and not dead or cancelled. */
export function presentTotals(page: PageRow): Totals & { readonly pending: number } {
  const { reopened } = page;
  const dead = new Map([...page.dead].filter(([index]) => !reopened.has(index)));
  const cancelled = page.cancelled.difference(reopened);
  return { ...pageTotals({ ...page, dead, cancelled }), pending: pendingOf(page) + reopened.size };
}

/** Whether a page has more to tell than that all its items succeeded at once. */
export const isNotable = (page: PageRow): boolean => page.dead.size + page.cancelled.size + page.retries.size > 0;

export function sumTotals(all: Iterable<Totals>): Totals {
  let dead = 0;
  let cancelled = 0;
  let retried = 0;
  const deadByReason: Partial<Record<Reason, number>> = {};
  for (const totals of all) {
    dead += totals.dead;
    cancelled += totals.cancelled;
    retried += totals.retried;
    for (const [reason, count] of Object.entries(totals.deadByReason)) {
      deadByReason[reason as Reason] = (deadByReason[reason as Reason] ?? 0) + count;
    }
  }
  return { dead, cancelled, retried, deadByReason };
}

/** A block row, read. */
export interface BlockRow {
  /** Its pages; known once the producer has passed it, when no page of it can be sent again. */
  readonly size: number | undefined;
  /** Its pages all of whose items are settled. */
  readonly full: ReadonlySet<number>;
  /** Those of `full` with dead items or retries. */
  readonly notable: ReadonlySet<number>;
  /** What its pages added up to when it became full. */
  readonly totals: Totals | undefined;
  /** Items of it have settled again after a redrive, so its totals may be those of before. */
  readonly redriven: boolean;
}

// A page that is full counts in the epoch in which it became so: an entry holds both, and a late entry of an earlier
// epoch counts for nothing.
export const pageEntry = (page: number, epoch: number): number =>
  (epoch - 1) * PAGES_PER_BLOCK + (page % PAGES_PER_BLOCK);
const EPOCH_PREFIX = "epoch of ";
export const epochAttribute = (page: number): string => `${EPOCH_PREFIX}${page % PAGES_PER_BLOCK}`;

export function readBlockRow(row: Row, block: number): BlockRow {
  const size = typeof row.size === "number" ? row.size : undefined;
  // Few blocks have a page that was sent again, and most of them have hundreds of pages.
  const sentAgain = Object.keys(row).some((name) => name.startsWith(EPOCH_PREFIX));
  const pagesOf = (value: Value | undefined): Set<number> => {
    const pages = new Set<number>();
    for (const entry of numberSet(value)) {
      const page = block * PAGES_PER_BLOCK + (entry % PAGES_PER_BLOCK);
      const epoch = Math.floor(entry / PAGES_PER_BLOCK) + 1;
      // A page may have been sent, and be full, that the source no longer had when it ended: it is none of the run.
      if (size !== undefined && entry % PAGES_PER_BLOCK >= size) continue;
      if (epoch === ((sentAgain ? row[epochAttribute(page)] : undefined) ?? 1)) pages.add(page);
    }
    return pages;
  };
  return {
    size,
    full: pagesOf(row.full),
    notable: pagesOf(row.notable),
    totals: row.totals as Totals | undefined,
    redriven: row.redriven === true,
  };
}

/** What failed of an item so far. */
export interface AttemptsRow {
  /** In the order of the attempts, since its latest redrive: of those before, the redriven dead letter tells. */
  readonly failures: readonly Failure[];
  /** Why no further attempt follows, once that is decided. */
  readonly final: Reason | undefined;
  /** Receives that are accounted for: a failure was recorded under them, or what became of them otherwise. */
  readonly receives: ReadonlyMap<number, "failed" | ReceiveMark>;
  /** All receives up to this one are accounted for, whether or not they are among `receives`. Default: 0. */
  readonly accountedTo?: number;
  /** It was a suspect when the receives up to `accountedTo` were accounted for, and stays one. */
  readonly suspect?: true;
  /** The waits that its task asked for, since its latest redrive. */
  readonly waits?: Waits;
}

/**
 * What became of a receive without a failure: the message was put back unrun (`returned`), or its attempt began in a
 * process of its own, beside others (`isolated`) or with none beside it (`alone`). If no failure follows one of these
 * two, even the consumer died over it; of `alone`, the item itself is to blame.
 */
export type ReceiveMark = "returned" | "isolated" | "alone";

/** Keyed by the receive count under which it happened, so that recording it twice is once. */
export const failureAttribute = (redrives: number, receiveCount: number): string =>
  `failure ${redrives}.${receiveCount}`;
export const receiveAttribute = (redrives: number, receiveCount: number): string =>
  `receive ${redrives}.${receiveCount}`;
export const finalAttribute = (redrives: number): string => `final ${redrives}`;
export const waitsAttribute = (redrives: number): string => `waits ${redrives}`;
/** How many waits there are: each update of them is on condition that no other consumer has added one. */
export const waitCountAttribute = (redrives: number): string => `wait count ${redrives}`;
export const accountedAttribute = (redrives: number): string => `accounted ${redrives}`;
export const suspectAttribute = (redrives: number): string => `suspect ${redrives}`;
const RECEIVE = /^(failure|receive) (\d+)\.(\d+)$/;

export function readAttemptsRow(row: Row | undefined, redrives: number): AttemptsRow {
  const failures: { receive: number; failure: Failure }[] = [];
  const receives = new Map<number, "failed" | ReceiveMark>();
  for (const [attribute, value] of Object.entries(row ?? {})) {
    const match = RECEIVE.exec(attribute);
    if (match === null || Number(match[2]) !== redrives) continue;
    const receive = Number(match[3]);
    if (match[1] === "failure") {
      failures.push({ receive, failure: value as unknown as Failure });
      receives.set(receive, "failed");
    } else if (!receives.has(receive)) receives.set(receive, value as ReceiveMark);
  }
  failures.sort((a, b) => a.receive - b.receive);
  const accountedTo = row?.[accountedAttribute(redrives)];
  const waits = row?.[waitsAttribute(redrives)];
  return {
    failures: failures.map(({ failure }) => failure),
    final: row?.[finalAttribute(redrives)] as Reason | undefined,
    receives,
    ...(typeof accountedTo === "number" && { accountedTo }),
    ...(row?.[suspectAttribute(redrives)] === true && { suspect: true }),
    ...(waits !== undefined && { waits: waits as unknown as Waits }),
  };
}

function numberSet(value: Value | undefined): ReadonlySet<number> {
  return value instanceof Set ? value : new Set();
}
