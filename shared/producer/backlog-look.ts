import type { BacklogLook } from "../ledger/run-record.ts";
import { backlogOf, backlogWithoutPausedRuns } from "./backlog.ts";
import type { ProducerContext } from "./context.ts";

/**
 * Asks SQS how many messages the queue holds.
 *
 * @param produced Items that the run has produced so far. They are part of the result, to compute the consumers' pace.
 */
export async function lookAtBacklog(
  produced: number,
  { queue, runs, maxBacklog, logger, now }: ProducerContext,
): Promise<BacklogLook> {
  const backlog = backlogOf(await queue.depth());
  const at = now();
  if (backlog < maxBacklog) return { at, produced, backlog };
  // If the ledger does not answer, all messages count, and the queue is full for now.
  const resting = await runs.resting().catch(() => 0);
  const counted = backlogWithoutPausedRuns(backlog, resting, maxBacklog);
  if (resting > 0 && counted >= maxBacklog) {
    logger.warn("the queue is full, partly with messages of paused runs: resume or cancel a paused run", {
      backlog,
      resting,
    });
  }
  return { at, produced, backlog: counted };
}
