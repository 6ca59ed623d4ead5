import { type ContinueMessage, continueEntry, type LaneMessage, laneEntry } from "../messages/control.ts";
import type { ProducerContext } from "./context.ts";
import { mayReceiveAgain, type ReceivedControl } from "./received-control.ts";
import { DONE, type Verdict } from "./verdict.ts";

/** What names a continuation of a run, or of one of its lanes. */
export type Continuation = Pick<ContinueMessage, "run" | "hop"> & Partial<Pick<LaneMessage, "lane">>;

/**
 * Sends the next continuation of a run, or of one of its lanes. Its number (`hop`) is higher by one, so that SQS does not drop the message as a
 * duplicate.
 */
export async function sendNextContinuation(
  { run, hop, lane }: Continuation,
  { controlQueue, workflow }: ProducerContext,
): Promise<void> {
  const next = { run, workflow: workflow.name, hop: hop + 1 };
  await controlQueue.sendControl(lane === undefined ? continueEntry(next) : laneEntry({ ...next, lane }));
}

/** Continues the run after a time. Until then, the message is hidden, because FIFO queues have no delay per message. */
export async function continueAfter(
  milliseconds: number,
  message: Continuation,
  control: ReceivedControl,
  context: ProducerContext,
): Promise<Verdict> {
  if (mayReceiveAgain(control)) return { tag: "wait", milliseconds };
  await sendNextContinuation(message, context);
  return DONE;
}
