import { LONG_WAIT_MILLISECONDS } from "../base/waits.ts";
import type { RunRecord } from "../ledger/run-record.ts";
import type { ContinueMessage } from "../messages/control.ts";
import type { ProducerContext } from "./context.ts";
import { sendNextContinuation } from "./next-continuation.ts";
import { isOver, type SliceTime } from "./slice-time.ts";
import { DONE, LEFT, type Verdict } from "./verdict.ts";

/**
 * Ends the production of a run that is being stopped, and cancels the pending items that no consumer will cancel. A
 * consumer cancels an item when it receives the item's message. Two kinds of items must be cancelled here: items whose
 * message is lost, and items that wait for longer than `LONG_WAIT_MILLISECONDS`.
 */
export async function stopProduction(
  run: RunRecord,
  message: ContinueMessage,
  time: SliceTime,
  context: ProducerContext,
): Promise<Verdict> {
  const { runs, sender, now } = context;
  await runs.stopping.endProduction(run, (death) => sender.completeDeath(death));
  // The first page of which messages may be lost. Messages of all later pages may be lost too.
  const firstWithoutMessages = run.missing ? { partition: 0, pages: 0 } : run.resend;
  if (firstWithoutMessages !== undefined) {
    const { partition = 0, pages: page } = firstWithoutMessages;
    await runs.stopping.cancelPending(run, { partition, page });
  }
  const isLate = () => isOver(time, now());
  if (await runs.stopping.cancelWaiting(run, now() + LONG_WAIT_MILLISECONDS, isLate)) return DONE;
  if (time.lost.aborted) return LEFT;
  await sendNextContinuation(message, context);
  return DONE;
}
