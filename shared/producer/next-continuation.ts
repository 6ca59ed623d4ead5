import { type ContinueMessage, continueEntry } from "../messages/control.ts";
import type { ProducerContext } from "./context.ts";
import { mayReceiveAgain, type ReceivedControl } from "./received-control.ts";
import { DONE, type Verdict } from "./verdict.ts";

/**
 * Sends the next continuation of a run. Its number (`hop`) is higher by one, so that SQS does not drop the message as a
 * duplicate.
 */
export async function sendNextContinuation(
  { run, hop }: Pick<ContinueMessage, "run" | "hop">,
  { controlQueue, workflow }: ProducerContext,
): Promise<void> {
  await controlQueue.sendControl(continueEntry({ run, workflow: workflow.name, hop: hop + 1 }));
}

/** Continues the run after a time. Until then, the message is hidden, because FIFO queues have no delay per message. */
export async function continueAfter(
  milliseconds: number,
  message: Pick<ContinueMessage, "run" | "hop">,
  control: ReceivedControl,
  context: ProducerContext,
): Promise<Verdict> {
  if (mayReceiveAgain(control)) return { tag: "wait", milliseconds };
  await sendNextContinuation(message, context);
  return DONE;
}
