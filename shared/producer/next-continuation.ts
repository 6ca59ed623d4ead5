import { type ContinueMessage, continueEntry } from "../messages/control.ts";
import type { ProducerContext } from "./context.ts";
import { mayReceiveAgain, type ReceivedControl } from "./received-control.ts";
import { DONE, type Verdict } from "./verdict.ts";

/** Sends the continuation that follows this one. Its number (`hop`) is higher by one, so that it is no duplicate. */
export async function sendNextContinuation(
  { run, hop }: Pick<ContinueMessage, "run" | "hop">,
  { controlQueue, workflow }: ProducerContext,
): Promise<void> {
  await controlQueue.sendControl(continueEntry({ run, workflow: workflow.name, hop: hop + 1 }));
}

/** Continues the run after a time. The message is hidden until then, because FIFO queues have no delay per message. */
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
