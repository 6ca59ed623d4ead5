import { setTimeout } from "node:timers/promises";
import { formatDuration, toMilliseconds } from "../base/duration.ts";
import { SourceError } from "../base/errors.ts";
import { isStopping, type RunRecord } from "../ledger/run-record.ts";
import { type ContinueMessage, type LaneMessage, waitEntry } from "../messages/control.ts";
import { LONGEST_SOURCE_WAIT, type SourceWait } from "../sources/source-wait.ts";
import type { ProducerContext } from "./context.ts";
import { failPermanently } from "./failed-slices.ts";
import { continueAfter, sendNextContinuation } from "./next-continuation.ts";
import { mayReceiveAgain, type ReceivedControl } from "./received-control.ts";
import type { SliceTime } from "./slice-time.ts";
import { DONE, type Verdict } from "./verdict.ts";

/**
 * The pauses before the source is read again if the service did not say how long to wait. Each pause is twice as long
 * as the one before.
 */
const UNKNOWN_WAIT = { baseMilliseconds: 5_000, capMilliseconds: 900_000 } as const;

/**
 * The longest wait during which the invocation itself sleeps, because a new invocation would cost as much as the sleep.
 */
const LONGEST_SLEEP_MILLISECONDS = 5_000;

/**
 * The longest time for which a wait message is hidden at once. It is short compared with the longest waits, so that a run which
 * is being stopped ends soon even if the worker that stopped it crashed before it could tell the producer.
 */
const LONGEST_HIDING_MILLISECONDS = 900_000;

const LONGEST_WAIT_MILLISECONDS = toMilliseconds(LONGEST_SOURCE_WAIT, { option: "the longest wait" });

/** How many characters of the service's reason the ledger keeps. */
const LONGEST_REASON = 500;

/**
 * The result of `waitForSource` if the producer has slept for the whole wait. The producer then continues with the same
 * message.
 */
export interface Again {
  readonly tag: "again";
}

/**
 * The result of `recordWait`.
 *
 * - `waiting`: the wait is recorded in the ledger.
 * - `failed`: the wait is too long, and the run has failed. For a partition, the caller must fail it with the error.
 * - `superseded`: another producer has advanced the run.
 */
export type WaitOutcome =
  | { readonly tag: "waiting"; readonly run: RunRecord }
  | { readonly tag: "failed"; readonly error?: SourceError }
  | { readonly tag: "superseded" };

/**
 * Records in the ledger that the service asked the source to wait. From then on, no producer reads the source before
 * the wait ends, even after a crash.
 *
 * @param before The run as it was before the slice.
 */
export async function recordWait(
  before: RunRecord,
  { message, until: asked }: SourceWait,
  warnings: readonly string[],
  context: ProducerContext,
): Promise<WaitOutcome> {
  const { runs, logger, now, random } = context;
  const run = await runs.progress.latest(before);
  const at = now();
  const { since = at, count = 0 } = run.wait ?? {};
  // The wait is a random time between half of the pause and the whole pause. So runs that were refused together do not
  // return together, and no run returns at once.
  const pause = Math.min(UNKNOWN_WAIT.capMilliseconds, UNKNOWN_WAIT.baseMilliseconds * 2 ** count);
  const until = Math.ceil(asked ?? at + pause * (0.5 + random() / 2));
  if (until - since > LONGEST_WAIT_MILLISECONDS) {
    const error = new SourceError(
      `the source asks to wait until ${isoTime(until)}. A run waits for at most ` +
        `${formatDuration(LONGEST_WAIT_MILLISECONDS)}, and this run has waited since ${isoTime(since)}. ` +
        `The service said: ${message}. Resume the run after that time`,
    );
    if (run.partition !== undefined) return { tag: "failed", error };
    await failPermanently(run.id, error, context);
    return { tag: "failed" };
  }
  const wait = { until, since, count: count + 1, reason: message.slice(0, LONGEST_REASON) };
  logger.warn("the service asked the source to wait", { run: run.id, until: isoTime(until), reason: wait.reason });
  // If the slice wrote a checkpoint before the wait, the checkpoint has reset the count. A wait is not a failure, so it
  // does not increase the count.
  const failedSlices = run.failedSlices === 0 ? 0 : before.failedSlices;
  const isRecorded = await runs.progress.recordWait(run, wait, failedSlices, warnings);
  return isRecorded ? { tag: "waiting", run: { ...run, wait } } : { tag: "superseded" };
}

/**
 * Waits until the source may be read again. If the wait is short, the invocation sleeps. Otherwise a hidden message
 * waits, which costs nothing.
 */
export async function waitForSource(
  run: RunRecord,
  message: ContinueMessage,
  time: SliceTime,
  context: ProducerContext,
): Promise<Verdict | Again> {
  if (await sleepThrough(run, time, context)) return { tag: "again" };
  const { id } = run;
  await context.controlQueue.sendControl(waitEntry({ run: id, workflow: message.workflow, hop: message.hop }));
  return DONE;
}

/**
 * Does what `waitForSource` does, for a lane. The message of the lane is hidden, because no other message must wait for it:
 * the run is cancelled and resumed by messages of another group.
 */
export async function waitForPartition(
  run: RunRecord,
  message: LaneMessage,
  control: ReceivedControl,
  time: SliceTime,
  context: ProducerContext,
): Promise<Verdict | Again> {
  if (await sleepThrough(run, time, context)) return { tag: "again" };
  const left = Math.max(0, endOfWait(run) - context.now());
  return await continueAfter(Math.min(left, LONGEST_HIDING_MILLISECONDS), message, control, context);
}

/** Sleeps for the whole wait if it is short. Returns false if it is long, or if the producer must stop. */
async function sleepThrough(
  run: RunRecord,
  time: SliceTime,
  { now, sleep = sleepUnlessAborted }: ProducerContext,
): Promise<boolean> {
  const until = endOfWait(run);
  const left = until - now();
  if (left <= LONGEST_SLEEP_MILLISECONDS && until < time.sliceEnd) {
    const mustStop = AbortSignal.any([time.signal, time.lost, ...(time.shutdown === undefined ? [] : [time.shutdown])]);
    await sleep(Math.max(0, Math.ceil(left)), mustStop);
    if (!mustStop.aborted) return true;
  }
  return false;
}

/**
 * Handles a wait message: hides it until the source may be read again, and then sends the run's next continuation. If the run is
 * being stopped, the continuation follows at once.
 */
export async function handleWaitMessage(
  { run: id, workflow, hop }: ContinueMessage,
  control: ReceivedControl,
  context: ProducerContext,
): Promise<Verdict> {
  const { runs, controlQueue, now } = context;
  const run = await runs.find(id);
  if (run !== undefined && isStopping(run)) {
    // The worker that stopped the run may have crashed before it sent the continuation that cancels the pending items.
    await sendNextContinuation({ run: id, hop: run.hop }, context);
    return DONE;
  }
  // If the run was paused, `sluice resume` sends a continuation of its own.
  if (run?.status !== "running") return DONE;
  const left = endOfWait(run) - now();
  if (left <= 0) await sendNextContinuation({ run: id, hop: run.hop }, context);
  else if (mayReceiveAgain(control)) {
    return { tag: "wait", milliseconds: Math.min(left, LONGEST_HIDING_MILLISECONDS) };
  } else await controlQueue.sendControl(waitEntry({ run: id, workflow, hop }, `-after-${control.id}`));
  return DONE;
}

/** When the run may read its source, in milliseconds since 1970. 0: the run does not wait. */
const endOfWait = ({ wait }: RunRecord): number => wait?.until ?? 0;

const isoTime = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** Resolves after the time, and also when the signal fires. The caller checks the signal. */
async function sleepUnlessAborted(milliseconds: number, signal: AbortSignal): Promise<void> {
  await setTimeout(milliseconds, undefined, { signal }).catch(() => {});
}
