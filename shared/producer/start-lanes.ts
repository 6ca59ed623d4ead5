import { SourceError, toError } from "../base/errors.ts";
import { errorMessageCompletion } from "../base/late-error-message.ts";
import { PermanentError } from "../base/task-errors.ts";
import { firstHopOf } from "../ledger/lanes.ts";
import type { RunRecord } from "../ledger/run-record.ts";
import { type ContinueMessage, laneEntry } from "../messages/control.ts";
import { WHOLE_SOURCE } from "../sources/partition-limits.ts";
import type { Partition, Source } from "../sources/source.ts";
import { type SourceWait, sourceWaitOf } from "../sources/source-wait.ts";
import type { ProducerContext } from "./context.ts";
import { failSlice } from "./failed-slices.ts";
import { continueAfter } from "./next-continuation.ts";
import { checkPartitions } from "./partition-list.ts";
import type { ReceivedControl } from "./received-control.ts";
import type { SliceTime } from "./slice-time.ts";
import { type Again, recordWait, waitForSource } from "./source-waits.ts";
import { unlessAborted } from "./unless-aborted.ts";
import { DONE, LEFT, type Verdict } from "./verdict.ts";
import { WarningCollector } from "./warning-collector.ts";

/** How soon a producer looks at a run again after another producer has advanced the run. */
const SUPERSEDED_PAUSE_MILLISECONDS = 1_000;

/**
 * Handles the continuation of a run with partitions: asks the source for the list of partitions, if it is not stored yet,
 * and starts the lanes. If the run is resumed, the lanes are started again. Each step can be repeated.
 */
export async function startLanes(
  run: RunRecord,
  message: ContinueMessage,
  control: ReceivedControl,
  time: SliceTime,
  context: ProducerContext,
): Promise<Verdict | Again> {
  const { runs, controlQueue } = context;
  const { id, lanes = 1 } = run;
  if (run.checkpoint.ended) {
    // The producer that ended the production may have died before it rolled up.
    await runs.progress.endPartitions(run, run.partitions ?? 0);
    return DONE;
  }
  if ((await runs.lanes.read(run)).count === undefined) {
    const warnings = new WarningCollector(run, context.logger);
    const planned = await askForPartitions(context.workflow.source, warnings, time, context);
    if (time.lost.aborted) return LEFT;
    switch (planned.tag) {
      case "waits": {
        const recorded = await recordWait(run, planned.wait, warnings.all, context);
        if (recorded.tag === "failed") return DONE;
        if (recorded.tag === "waiting") return await waitForSource(recorded.run, message, time, context);
        return await continueAfter(SUPERSEDED_PAUSE_MILLISECONDS, message, control, context);
      }
      case "failed":
        if (time.shutdown?.aborted === true) {
          await runs.progress.releaseSlice(run);
          return await continueAfter(0, message, control, context);
        }
        return await failSlice(planned.error, warnings.all, message, control, context);
      case "planned":
        await runs.lanes.seal(run, planned.partitions);
    }
  } else await runs.lanes.noteSealed(id);
  const { round, count = 0 } = await runs.lanes.beginRound(run, message.hop);
  const hop = firstHopOf(round);
  const numbers = Array.from({ length: Math.max(1, Math.min(lanes, count)) }, (_, lane) => lane);
  await Promise.all(
    numbers.map((lane) => controlQueue.sendControl(laneEntry({ run: id, workflow: message.workflow, lane, hop }))),
  );
  await runs.progress.releaseSlice(run);
  return DONE;
}

type Planned =
  | { readonly tag: "planned"; readonly partitions: readonly Partition[] }
  | { readonly tag: "waits"; readonly wait: SourceWait }
  | { readonly tag: "failed"; readonly error: unknown };

async function askForPartitions(
  source: Source,
  warnings: WarningCollector,
  { signal, shutdown }: SliceTime,
  { now }: ProducerContext,
): Promise<Planned> {
  // The run began with code whose source had partitions. If the source has none now, it is read as one part.
  if (source.partitions === undefined) return { tag: "planned", partitions: [{ id: WHOLE_SOURCE }] };
  const mustStop = shutdown === undefined ? signal : AbortSignal.any([signal, shutdown]);
  const notInTime = () =>
    new SourceError("the source did not return its partitions in time", { cause: mustStop.reason });
  try {
    const asked = source.partitions({ signal: mustStop, warn: warnings.warn });
    return { tag: "planned", partitions: checkPartitions(await unlessAborted(asked, mustStop, notInTime)) };
  } catch (thrown) {
    const at = now();
    await errorMessageCompletion(thrown);
    const wait = sourceWaitOf(thrown, at);
    if (wait !== undefined) return { tag: "waits", wait };
    const error = toError(thrown);
    if (error instanceof SourceError) return { tag: "failed", error };
    const permanent = error instanceof PermanentError;
    return {
      tag: "failed",
      error: new SourceError(`the source's function partitions threw: ${error.message}`, { cause: error, permanent }),
    };
  }
}
