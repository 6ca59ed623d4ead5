import type { ReceiveMark } from "../../ledger/attempts-row.ts";
import type { ItemState } from "../../ledger/item-ledger.ts";
import { type ItemMessage, receiveOf } from "../../messages/item-message.ts";

/** What the ledger knows of an item that has no outcome yet. */
export type PendingState = Extract<ItemState, { tag: "pending" }>;

/**
 * Earlier receives of the message that the ledger knows nothing about. Their consumer crashed, was throttled, or could
 * not write to the ledger.
 */
export function unexplainedReceives(item: ItemMessage, { receives, accountedTo = 0 }: PendingState): readonly number[] {
  const before = Math.max(0, receiveOf(item) - 1 - accountedTo);
  return Array.from({ length: before }, (_, index) => accountedTo + index + 1).filter(
    (receive) => !receives.has(receive),
  );
}

/** Earlier receives in which an isolated attempt began and no end of the attempt was recorded. */
export function crashedReceives(
  item: ItemMessage,
  { receives }: PendingState,
  ...marks: readonly ReceiveMark[]
): readonly number[] {
  const wanted = new Set<unknown>(marks);
  return [...receives].flatMap(([receive, mark]) => (wanted.has(mark) && receive < receiveOf(item) ? [receive] : []));
}

/**
 * An isolated attempt ends at its timeout, and is recorded within this time, unless the ledger is slow. So an older mark without an
 * outcome is of an attempt that crashed its consumer.
 */
const RECORDED_WITHIN_MILLISECONDS = 5_000;

/**
 * Until when an earlier attempt that runs alone may still be running, in milliseconds since 1970. `undefined`: none is. SQS may
 * deliver a message to a second consumer while the first one still has it.
 */
export function maybeRunningUntil(
  item: ItemMessage,
  state: PendingState,
  timeoutMilliseconds: number,
  now: number,
): number | undefined {
  const began = crashedReceives(item, state, "alone").flatMap((receive) => state.began?.get(receive) ?? []);
  const latest = Math.max(...began);
  const until = latest + timeoutMilliseconds + RECORDED_WITHIN_MILLISECONDS;
  // If the clock was set back, the attempt seems to begin in the future.
  return now < until && latest <= now + RECORDED_WITHIN_MILLISECONDS ? until : undefined;
}

/**
 * Whether an item is a suspect: its attempt may have ended the process that it ran in. The other items that were in the
 * process are suspects too, because nothing shows which item was the cause. Attempts of suspects run isolated; see
 * `docs/internals/poison.md`.
 */
export function isSuspect(item: ItemMessage, state: PendingState): boolean {
  if (state.suspect === true) return true;
  // There is no receive before the first one. Almost all receives are the first of their message.
  if (receiveOf(item) === 1) return false;
  return unexplainedReceives(item, state).length > 0 || crashedReceives(item, state, "isolated", "alone").length > 0;
}
