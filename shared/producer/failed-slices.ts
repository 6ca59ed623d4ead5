import { SourceError, toError } from "../base/errors.ts";
import { backoffMilliseconds } from "../base/retry.ts";
import type { RunRecord } from "../ledger/run-record.ts";
import type { ContinueMessage } from "../messages/control.ts";
import type { ProducerContext } from "./context.ts";
import { continueAfter } from "./next-continuation.ts";
import type { ReceivedControl } from "./received-control.ts";
import { DONE, type Verdict } from "./verdict.ts";

/** How many slices in a row may fail without a checkpoint before the run fails, and the backoff between them. */
const SLICE_POLICY = { attempts: 5, baseMilliseconds: 1_000, capMilliseconds: 60_000 } as const;

/** Whether the source has reported that another attempt cannot succeed. */
export const isPermanentSourceError = (thrown: unknown): boolean => thrown instanceof SourceError && thrown.permanent;

/** Whether so many slices in a row have failed that the run must fail. */
export const hasFailedTooOften = ({ failedSlices }: Pick<RunRecord, "failedSlices">): boolean =>
  failedSlices >= SLICE_POLICY.attempts;

/** How long the producer waits after a failed slice. @param random Uniform in [0, 1). */
export const sliceBackoffMilliseconds = (failures: number, random: number): number =>
  backoffMilliseconds(SLICE_POLICY, failures, random);

/** Records a failed slice. The run continues after a backoff, or fails after the last attempt. */
export async function failSlice(
  thrown: unknown,
  warnings: readonly string[],
  message: ContinueMessage,
  control: ReceivedControl,
  context: ProducerContext,
): Promise<Verdict> {
  const { run: id } = message;
  const { runs, logger, metrics, random } = context;
  if (isPermanentSourceError(thrown)) {
    await failPermanently(id, thrown, context);
    return DONE;
  }
  const { message: reason } = toError(thrown);
  // If the slice wrote a checkpoint before it failed, the checkpoint has reset the count.
  const run = await runs.get(id);
  const failures = Math.max(1, run.failedSlices);
  metrics.count("slicesFailed", 1);
  logger.error("the producer failed", { run: id, failures, error: thrown });
  await runs.progress.recordSlice(run, failures, reason, warnings);
  if (failures >= SLICE_POLICY.attempts) {
    await runs.progress.fail(id, tooManyFailures(failures, reason));
    return DONE;
  }
  return await continueAfter(sliceBackoffMilliseconds(failures, random()), message, control, context);
}

/** Fails a run whose latest slices ended before they could record why they failed. */
export async function failAfterLostSlices(
  { id, failedSlices, sliceError }: RunRecord,
  { runs }: ProducerContext,
): Promise<Verdict> {
  const reason = sliceError ?? "it crashed, ran out of time or lost its control message";
  await runs.progress.fail(id, tooManyFailures(failedSlices, reason));
  return DONE;
}

/** The failure of a run, or of a partition, after too many failed slices. */
export const tooManyFailures = (failures: number, reason: string): string =>
  `the producer failed ${failures} times in a row: ${reason}`;

/** Fails a run at once, because the next slice would fail in the same way. */
export async function failPermanently(
  id: string,
  error: unknown,
  { runs, logger, metrics }: ProducerContext,
): Promise<void> {
  metrics.count("slicesFailed", 1);
  logger.error("the source failed permanently", { run: id, error });
  await runs.progress.fail(id, toError(error).message);
}
