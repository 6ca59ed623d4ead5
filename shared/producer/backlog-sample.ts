import type { BacklogSample } from "../ledger/run-record.ts";
import { backlogOf, backlogWithoutPausedRuns } from "./backlog.ts";
import type { ProducerContext } from "./context.ts";

/**
 * Asks SQS how many messages the queue has.
 *
 * @param produced How many items the run has produced so far. A sample contains this number, so that two samples give
 *   the pace of the consumers.
 */
export async function sampleBacklog(
  produced: number,
  { queue, runs, workflow, maxBacklog, logger, now }: ProducerContext,
): Promise<BacklogSample> {
  const backlog = backlogOf(await queue.depth());
  const at = now();
  if (backlog < maxBacklog) return { at, produced, backlog };
  // If the ledger does not answer, the messages of paused runs count too, and the queue counts as full for now.
  const pausedItems = await runs.pendingOfPausedRuns().catch(() => 0);
  const counted = backlogWithoutPausedRuns(backlog, pausedItems, { maxBacklog, concurrency: workflow.concurrency });
  if (pausedItems > 0 && counted >= maxBacklog) {
    logger.warn("the queue is full, partly with messages of paused runs: resume or cancel a paused run", {
      backlog,
      pausedItems,
    });
  }
  return { at, produced, backlog: counted };
}
