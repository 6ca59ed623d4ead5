import { isWaiting, type RunRecord } from "../ledger/run-record.ts";
import { continueEntry, type StartMessage } from "../messages/control.ts";
import { sampleBacklog } from "./backlog-sample.ts";
import type { ProducerContext } from "./context.ts";
import { failPermanently, isPermanentSourceError } from "./failed-slices.ts";
import { applyOverlap, lanesOf, runToCreate } from "./overlap.ts";
import type { ReceivedControl } from "./received-control.ts";
import { type BegunRun, runSlice } from "./slice.ts";
import type { SliceTime } from "./slice-time.ts";
import { recordWait } from "./source-waits.ts";
import { DONE, LEFT, type Verdict } from "./verdict.ts";
import { WarningCollector } from "./warning-collector.ts";

/**
 * Starts a run: writes its row, sends its first page, and sends its first continuation. So consumers need not wait for
 * a second invocation, and a run of one page needs no second one.
 *
 * A scheduled start only writes the row and sends the continuation, because its message is not in the message group of
 * the run. If it also sent the first page, two things could happen. If the run is cancelled at once, another producer
 * could handle a continuation of the run at the same time. And other scheduled starts would wait until the page is
 * sent.
 */
export async function startRun(
  message: StartMessage,
  control: ReceivedControl,
  time: SliceTime,
  context: ProducerContext,
): Promise<Verdict> {
  const { run: id, workflow: name } = message;
  const { runs, controlQueue, workflow, now } = context;
  if (message.scheduled === true && workflow.overlap !== "allow") {
    const verdict = await applyOverlap(message, control, context);
    if (verdict !== undefined) return verdict;
  }
  // If the message was received before, a producer may have died because of the first page. Then the continuation reads
  // the first page, because only continuations count failed slices.
  // A source with partitions is divided by the continuation, which counts failed slices.
  const isDivided = lanesOf(message, context) !== undefined;
  const sendsPage = control.group === id && control.receiveCount === 1 && !isDivided;
  const sampling = sendsPage ? sampleBacklog(0, context) : undefined;
  sampling?.catch(() => {});
  const { record: run, entered } = await runs.begin(runToCreate(message, context));
  // The first continuation was sent before, and SQS would drop a second one as a duplicate.
  if (run.hop > 0 || run.status === "skipped") return DONE;
  // SQS may deliver a start message twice with a receive count of 1, and the source may have asked to wait in between.
  // Then the continuation waits.
  const mayRead = run.status === "running" && !isWaiting(run, now()) && run.lanes === undefined;
  const hasEnded =
    sampling !== undefined && mayRead && (await sendFirstPage(run, time, { sampling, entered }, context));
  // A run may continue only when it is among the active runs. If the run could not be added to them, this line throws,
  // and SQS delivers the start message again.
  await entered;
  if (time.lost.aborted) return LEFT;
  if (!hasEnded) await controlQueue.sendControl(continueEntry({ run: id, workflow: name, hop: 1 }));
  return DONE;
}

/**
 * Sends the first page of a run.
 *
 * @returns whether nothing is left to produce, because the first page was also the last, or because the source failed
 *   permanently. After any other failure, the continuation tries again and counts its own failures.
 */
async function sendFirstPage(
  run: RunRecord,
  time: SliceTime,
  begun: BegunRun,
  context: ProducerContext,
): Promise<boolean> {
  const warnings = new WarningCollector(run, context.logger);
  // The time of this slice is over before the slice begins, so the slice ends after one page.
  const onePage = { ...time, sliceEnd: Number.NEGATIVE_INFINITY };
  const end = await runSlice(run, onePage, warnings, context, begun);
  switch (end.tag) {
    case "waits":
      // If the wait is recorded, the continuation finds it.
      return (await recordWait(run, end.wait, warnings.all, context)).tag === "failed";
    case "failed":
      if (isPermanentSourceError(end.error)) {
        await failPermanently(run.id, end.error, context);
        return true;
      }
      context.logger.warn("the first page could not be sent, the continuation tries again", {
        run: run.id,
        error: end.error,
      });
      return end.wait !== undefined && (await recordWait(run, end.wait, warnings.all, context)).tag === "failed";
    default:
      return end.tag === "ended";
  }
}
