import { isStopping, isWaiting, type RunRecord } from "../ledger/run-record.ts";
import type { ContinueMessage } from "../messages/control.ts";
import { compactOnTheWay } from "./compaction-messages.ts";
import type { ProducerContext } from "./context.ts";
import { failAfterLostSlices, failSlice, hasFailedTooOften } from "./failed-slices.ts";
import { continueAfter, sendNextContinuation } from "./next-continuation.ts";
import type { ReceivedControl } from "./received-control.ts";
import { runResend, runSlice } from "./slice.ts";
import type { SliceTime } from "./slice-time.ts";
import { type Again, recordWait, waitForSource } from "./source-waits.ts";
import { startLanes } from "./start-lanes.ts";
import { stopProduction } from "./stopping.ts";
import { DONE, LEFT, type Verdict } from "./verdict.ts";
import { WarningCollector } from "./warning-collector.ts";

/** How soon a producer reads the row of a run again after another producer has advanced the run. */
const SUPERSEDED_PAUSE_MILLISECONDS = 1_000;

/**
 * Continues a run: reads its source for one slice, or starts the lanes that read its partitions. If the run is being stopped, waits for its source, or has failed too
 * often, the function handles that state instead.
 */
export async function continueRun(
  message: ContinueMessage,
  control: ReceivedControl,
  time: SliceTime,
  context: ProducerContext,
): Promise<Verdict> {
  for (;;) {
    const next = await continueOnce(message, control, time, context);
    if (next.tag !== "again") return next;
  }
}

async function continueOnce(
  message: ContinueMessage,
  control: ReceivedControl,
  time: SliceTime,
  context: ProducerContext,
): Promise<Verdict | Again> {
  const { run: id, hop } = message;
  const { runs, logger, now } = context;
  const run = await runs.progress.takeUp(id, hop, now());
  if (run === undefined) {
    logger.info("the run needs no continuation", { run: id, hop });
    return DONE;
  }
  await noteCodeOf(run, context);
  await compactOnTheWay(run, context);
  if (isStopping(run)) return await stopProduction(run, message, time, context);
  if (isWaiting(run, now())) return await waitForSource(run, message, time, context);
  if (hasFailedTooOften(run)) return await failAfterLostSlices(run, context);

  const warnings = new WarningCollector(run, logger);
  const end =
    run.lanes === undefined
      ? await runSlice(run, time, warnings, context)
      : run.resend && (await runResend(run, time, warnings, context));
  if (end === undefined) return await startLanes(run, message, control, time, context);
  // Another producer may hold the message now. That producer continues from the checkpoint, and counts this slice as
  // failed if this slice wrote no checkpoint.
  if (time.lost.aborted) return LEFT;
  switch (end.tag) {
    case "ended":
    case "paused":
    case "stopped":
      return DONE;
    case "time":
      await sendNextContinuation(message, context);
      return DONE;
    case "full":
      await runs.progress.recordFull(id, end.sample);
      return await continueAfter(end.pauseMilliseconds, message, control, context);
    case "interrupted":
      await runs.progress.releaseSlice(run);
      logger.info("the process ends, and another producer continues", { run: id });
      return await continueAfter(0, message, control, context);
    case "superseded":
      // The other producer may have died, or lost its message, before it sent the next continuation.
      return await continueAfter(SUPERSEDED_PAUSE_MILLISECONDS, message, control, context);
    case "waits": {
      const recorded = await recordWait(run, end.wait, warnings.all, context);
      if (recorded.tag === "failed") return DONE;
      if (recorded.tag === "waiting") return await waitForSource(recorded.run, message, time, context);
      return await continueAfter(SUPERSEDED_PAUSE_MILLISECONDS, message, control, context);
    }
    case "failed":
      // The next slice finds the wait, and reads nothing before it ends.
      if (end.wait !== undefined && (await recordWait(run, end.wait, warnings.all, context)).tag === "failed")
        return DONE;
      return await failSlice(end.error, warnings.all, message, control, context);
  }
}

/** Records that other code than that of the run's beginning works on it. */
export async function noteCodeOf(run: RunRecord, { codeVersion, runs }: ProducerContext): Promise<void> {
  const isOtherCode = run.codeVersion !== undefined && codeVersion !== undefined && run.codeVersion !== codeVersion;
  if (isOtherCode && run.codeChange?.version !== codeVersion) await runs.noteCode(run.id, codeVersion);
}
