import type { RequestedWait, WaitKind } from "./requested-wait.ts";

/** One wait, as it is stored in the ledger and in the dead letter. */
export interface WaitNote {
  /** When the attempt ended, in ISO 8601. */
  readonly at: string;
  /** The name of the error that requested the wait. */
  readonly name: string;
  readonly message: string;
  /** How long the item had to wait. */
  readonly milliseconds: number;
}

/** The waits of one kind. The object has the same size for any number of waits. */
export interface WaitsOfKind {
  readonly count: number;
  readonly first: WaitNote;
  readonly last: WaitNote;
}

/** The waits of an item since its latest redrive. The object has the same size for any number of waits. */
export interface Waits {
  readonly throttled?: WaitsOfKind | undefined;
  readonly retryLater?: WaitsOfKind | undefined;
  /**
   * The time that `retry.waitAtMost` limits. It starts at the end of the first attempt that ended in a wait. It
   * contains the waits and the later attempts that ended in a wait. It does not contain the time in the queue, in a
   * paused run or without a free slot.
   */
  readonly milliseconds: number;
  /** No attempt begins before this time, in milliseconds since 1970. */
  readonly until: number;
  /**
   * The receive count of the message when the latest wait was recorded. It shows whether a wait was recorded already,
   * so that no wait is counted twice.
   */
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

/** The number of waits of both kinds. */
export const countWaits = (waits: Pick<Waits, WaitKind> | undefined): number =>
  (waits?.throttled?.count ?? 0) + (waits?.retryLater?.count ?? 0);

/** The latest wait of either kind. */
export function lastWait(waits: Pick<Waits, WaitKind> | undefined): WaitNote | undefined {
  const { throttled, retryLater } = waits ?? {};
  if (throttled === undefined || retryLater === undefined) return (throttled ?? retryLater)?.last;
  return throttled.last.at > retryLater.last.at ? throttled.last : retryLater.last;
}

/**
 * Adds a wait to the waits of an item. If the wait would exceed the limit, it is counted, but the item does not wait.
 *
 * Two messages of one item can wait at the same time. Then both waits are counted, and their common time is counted
 * once.
 *
 * @param atMostMilliseconds The limit: `retry.waitAtMost`.
 * @returns The new waits, and whether the wait would exceed the limit.
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
 * The longest wait that the cancellation of a run does not cut short. When such a wait ends, a consumer receives the
 * item's message and cancels the item. The producer cancels an item with a longer wait at once.
 */
export const LONG_WAIT_MILLISECONDS = 30_000;

/**
 * The shortest wait. Without this limit, a task that requests a wait of 0 would run again and again without a pause.
 */
const SHORTEST_WAIT_MILLISECONDS = 1_000;

/**
 * How long an item waits, in milliseconds. The wait is a number of whole seconds, because SQS accepts only whole
 * seconds as a visibility timeout.
 *
 * @param backoffMilliseconds A pause of the workflow's backoff. If the task did not say how long to wait, this pause is
 *   the wait. For a throttled item, the pause is added to the requested wait, so that items that were throttled
 *   together do not return together.
 */
export function nextWaitMilliseconds({ kind, afterMilliseconds }: RequestedWait, backoffMilliseconds: number): number {
  const asked = afterMilliseconds ?? 0;
  const spread = afterMilliseconds === undefined || kind === "throttled" ? backoffMilliseconds : 0;
  return Math.ceil(Math.max(SHORTEST_WAIT_MILLISECONDS, asked + spread) / 1_000) * 1_000;
}
