import type { Reason } from "../../base/failure.ts";
import type { ItemState } from "../../ledger/item-ledger.ts";
import { type ItemMessage, receiveOf } from "../../messages/item-message.ts";
import type { PendingState } from "../attempts/receive-history.ts";
import type { RunMode } from "../run-watch.ts";
import type { Outcome } from "./outcome.ts";
import { pauseDelay, tooLateDelay } from "./return-delays.ts";

/** Clocks of two environments differ, so an attempt may begin this much before the end of a wait. */
const EARLY_MILLISECONDS = 1_000;

/** Everything that decides whether an item needs an attempt. Times are in the clock's milliseconds. */
export interface Situation {
  readonly item: ItemMessage;
  readonly state: ItemState;
  /** What must be done with the messages of the item's run. */
  readonly mode: RunMode;
  /** How long the run has been paused. 0 if it is not. */
  readonly pausedMilliseconds: number;
  readonly now: number;
  /** The attempts that the workflow gives an item. */
  readonly attempts: number;
  /** The latest time at which the attempt may begin. `undefined`: at any time. */
  readonly beginsBy?: number | undefined;
  /** Whether this environment must begin no more attempts. */
  readonly isRetired?: boolean;
}

export type NextStep =
  | { readonly tag: "attempt"; readonly state: PendingState }
  /** The item needs no attempt now: this outcome is recorded. */
  | Exclude<Outcome, { tag: "attempted" }>;

/** Decides whether an item needs an attempt. The first rule that applies counts. */
export function nextStep(situation: Situation): NextStep {
  const { item, state, mode, now } = situation;
  if (state.tag === "stale" || state.tag === "settled") return { tag: state.tag, item };
  if (state.tag === "unknown") {
    const { run } = item.envelope;
    const error = new Error(`run ${run} is not in this workflow's ledger, so its items cannot be counted`);
    return { tag: "foreign", message: item.message, error };
  }
  const reason = decidedReason(situation, state);
  if (reason !== undefined) return { tag: "dead", item, reason, history: state };
  const putBack = (afterMilliseconds: number): NextStep => ({ tag: "returned", item, state, afterMilliseconds });
  if (mode === "pause") return putBack(pauseDelay(situation.pausedMilliseconds));
  if (mode === "drain") return { tag: "cancelled", item };
  // SQS hides a message for at most 12 h, so a longer wait is renewed. A second message of the item may not know of the wait.
  const waitMilliseconds = (state.waits?.until ?? 0) - now;
  if (waitMilliseconds > EARLY_MILLISECONDS) return putBack(waitMilliseconds);
  if (situation.isRetired === true) return putBack(0);
  // Tasks took longer than before, or the ledger did: another environment makes the attempt.
  if (now > (situation.beginsBy ?? Number.POSITIVE_INFINITY)) return putBack(tooLateDelay(receiveOf(item)));
  return { tag: "attempt", state };
}

/** Why an item fails permanently without another attempt. `undefined` if it does not. */
function decidedReason({ item, attempts }: Situation, { failures, final }: PendingState): Reason | undefined {
  const { dead } = item.envelope;
  if (final !== undefined) return final;
  // The dead letter holds only the beginning of the item, so there is nothing to run.
  if (dead?.truncated === true) return dead.reason;
  return failures.length >= attempts ? "exhausted" : undefined;
}
