import type { BacklogSample } from "../ledger/run-record.ts";
import { backlogOf, backlogWithoutPausedRuns } from "./backlog.ts";
import type { ProducerContext } from "./context.ts";

/**
 * Asks SQS how many messages the queue holds.
 *
 * @param produced Items that the run has produced so far. They are part of the result, to compute the consumers' pace.
 */
export async function sampleBacklog(
  produced: number,
  { queue, runs, maxBacklog, logger, now }: ProducerContext,
): Promise<BacklogSample> {
  const backlog = backlogOf(await queue.depth());
  const at = now();
  if (backlog < maxBacklog) return { at, produced, backlog };
  // If the ledger does not answer, all messages count, and the queue is full for now.
  const pausedItems = await runs.pendingOfPausedRuns().catch(() => 0);
  const counted = backlogWithoutPausedRuns(backlog, pausedItems, maxBacklog);
  if (pausedItems > 0 && counted >= maxBacklog) {
    logger.warn("the queue is full, partly with messages of paused runs: resume or cancel a paused run", {
      backlog,
      pausedItems,
    });
  }
  return { at, produced, backlog: counted };
}
