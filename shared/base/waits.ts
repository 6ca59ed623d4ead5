import type { AskedWait, WaitKind } from "./asked-wait.ts";

/** One wait, as the ledger and the dead letter keep it. */
export interface WaitNote {
  /** When the attempt ended in it, ISO 8601. */
  readonly at: string;
  /** Of the error that asked for it. */
  readonly name: string;
  readonly message: string;
  /** How long the item was to wait. */
  readonly milliseconds: number;
}

/** The waits of one kind, in constant size. */
export interface WaitsOfKind {
  readonly count: number;
  readonly first: WaitNote;
  readonly last: WaitNote;
}

/** The waits of an item since its latest redrive: the same size, however many there were. */
export interface Waits {
  readonly throttled?: WaitsOfKind | undefined;
  readonly retryLater?: WaitsOfKind | undefined;
  /**
   * The clock that `retry.waitAtMost` bounds: from the end of the first attempt that ended in a wait, the time of waits
   * and of the attempts that ended in one. Time in the queue, paused or without a slot is not in it.
   */
  readonly milliseconds: number;
  /** No attempt begins before, in milliseconds since 1970. */
  readonly until: number;
  /** The receive under which the latest wait was recorded, so that recording it twice is recording it once. */
  readonly receive: number;
}

/** An attempt that ended in a wait. */
export interface WaitRecord {
  readonly kind: WaitKind;
  readonly note: WaitNote;
  readonly receive: number;
  /** When the attempt began and ended, in milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number;
}

export const countWaits = (waits: Pick<Waits, WaitKind> | undefined): number =>
  (waits?.throttled?.count ?? 0) + (waits?.retryLater?.count ?? 0);

/** The latest wait of either kind. */
export function lastWait(waits: Pick<Waits, WaitKind> | undefined): WaitNote | undefined {
  const { throttled, retryLater } = waits ?? {};
  if (throttled === undefined || retryLater === undefined) return (throttled ?? retryLater)?.last;
  return throttled.last.at > retryLater.last.at ? throttled.last : retryLater.last;
}

/**
 * The waits with one more, and whether it would pass the bound: it is counted then, and not waited.
 *
 * Of two messages of one item, both may wait at the same time. Their waits are counted each, and the time once.
 */
export function addWait(
  before: Waits | undefined,
  { kind, note, receive, startedAt, endedAt }: WaitRecord,
  atMostMilliseconds: number,
): { readonly waits: Waits; readonly exceeds: boolean } {
  const until = Math.max(endedAt + note.milliseconds, before?.until ?? 0);
  const from = before === undefined ? endedAt : Math.max(startedAt, before.until);
  const milliseconds = (before?.milliseconds ?? 0) + Math.max(0, until - from);
  const exceeds = milliseconds > atMostMilliseconds;
  const ofKind = before?.[kind];
  const waits: Waits = {
    ...before,
    [kind]: { count: (ofKind?.count ?? 0) + 1, first: ofKind?.first ?? note, last: note },
    milliseconds: exceeds ? (before?.milliseconds ?? 0) : milliseconds,
    until: exceeds ? (before?.until ?? endedAt) : until,
    receive,
  };
  return { waits, exceeds };
}

/**
 * A wait above this is not waited for when its run is cancelled. A shorter one is: the item's message soon comes to a
 * consumer, which drops it.
 */
export const LONG_WAIT_MILLISECONDS = 30_000;

/** The shortest wait: without it, an item that asks for none would be attempted without a pause, and for ever. */
const SHORTEST_WAIT_MILLISECONDS = 1_000;

/**
 * How long an item is to wait, in whole seconds, as SQS hides messages.
 *
 * @param backoffMilliseconds A pause of the workflow's backoff. It stands for a wait that the task left open, and spreads
 *   items that were throttled together.
 */
export function waitToMake({ kind, afterMilliseconds }: AskedWait, backoffMilliseconds: number): number {
  const asked = afterMilliseconds ?? 0;
  const spread = afterMilliseconds === undefined || kind === "throttled" ? backoffMilliseconds : 0;
  return Math.ceil(Math.max(SHORTEST_WAIT_MILLISECONDS, asked + spread) / 1_000) * 1_000;
}
