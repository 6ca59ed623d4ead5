import { type Failure, lastError, type Reason, roomForMessage, toFailure } from "../base/failure.ts";
import { backoffMilliseconds } from "../base/retry.ts";
import { addWait, countWaits, nextWaitMilliseconds, type Waits } from "../base/waits.ts";
import { requestedWait } from "../consumer/attempts/attempt.ts";
import { finalReason } from "../consumer/outcomes/final-reason.ts";
import type { Workflow } from "../definition/workflow.ts";
import type { TestOutcome } from "./test-attempt.ts";

/** An item that a run of a test works on: what has happened to it so far. */
export interface ItemProgress {
  readonly failures: readonly Failure[];
  readonly waits: Waits | undefined;
}

export const NOTHING_HAPPENED: ItemProgress = { failures: [], waits: undefined };

/** What follows an attempt. */
export type AfterAttempt<Result> =
  | { readonly tag: "succeeded"; readonly result: Result }
  | { readonly tag: "dead"; readonly reason: Reason; readonly error: Error; readonly progress: ItemProgress }
  /** Another attempt follows at this time of the clock. */
  | { readonly tag: "again"; readonly at: number; readonly isRetry: boolean; readonly progress: ItemProgress };

/**
 * Decides what follows an attempt, by the rules of the consumer.
 *
 * @param random Chooses the pauses of the backoff: a number from 0 to 1.
 */
export function afterAttempt<Result>(
  { retry }: Pick<Workflow, "retry">,
  { failures, waits }: ItemProgress,
  outcome: TestOutcome<Result>,
  random: () => number,
): AfterAttempt<Result> {
  if (outcome.tag === "succeeded") return { tag: "succeeded", result: outcome.value };
  const { thrown, startedAt, endedAt } = outcome;
  const asked = requestedWait(outcome);
  if (asked !== undefined) {
    const backoff = backoffMilliseconds(retry, countWaits(waits) + 1, random());
    const { name, message } = toFailure(thrown, { ...outcome, attempt: 0 });
    const note = {
      at: new Date(endedAt).toISOString(),
      name,
      message,
      milliseconds: nextWaitMilliseconds(asked, backoff),
    };
    const record = { kind: asked.kind, note, receive: countWaits(waits) + 1, startedAt, endedAt };
    const added = addWait(waits, record, retry.waitAtMostMilliseconds);
    const progress = { failures, waits: added.waits };
    if (added.exceeds) return { tag: "dead", reason: "waited too long", error: thrown, progress };
    return { tag: "again", at: added.waits.until, isRetry: false, progress };
  }
  const attempt = failures.length + 1;
  const room = roomForMessage(failures, retry.attempts);
  const progress = { failures: [...failures, toFailure(thrown, { ...outcome, attempt, room })], waits };
  const reason = finalReason(outcome, attempt, retry.attempts);
  if (reason !== undefined) return { tag: "dead", reason, error: thrown, progress };
  const pause = backoffMilliseconds(retry, attempt, random());
  // Visibility timeouts of SQS are whole seconds.
  return { tag: "again", at: endedAt + Math.ceil(pause / 1_000) * 1_000, isRetry: true, progress };
}

/** The text that a dead letter shows for the item's death. */
export const deathText = (reason: Reason, { failures, waits }: ItemProgress): string =>
  lastError(reason, failures, waits).message;
