import { fromStoredText } from "../../base/exact-json.ts";
import { PrivateChannel } from "../../base/private-channel.ts";
import { ignoreProcessMessages } from "../../base/process-messages.ts";
import type { TaskLogger } from "../../base/task.ts";
import type { Workflow } from "../../definition/workflow.ts";
import { runAttempt } from "./attempt.ts";
import { type IsolatedAnswer, type IsolatedRequest, toAnswer } from "./isolation-protocol.ts";
import { containStrayErrors } from "./stray-errors.ts";

/**
 * The main function of a process that makes one isolated attempt: it waits for the request, makes the attempt, answers
 * and ends the process. Only the answer leaves the process, so no harm is done if the task ends the process, blocks it
 * or fills its memory.
 */
export async function serveIsolatedAttempt(
  workflow: Workflow,
  taskLogger: (fields: Record<string, string | number>) => TaskLogger,
): Promise<void> {
  containStrayErrors(() => {});
  ignoreProcessMessages();
  // Ctrl-C in a terminal also reaches this process. The attempt is finished, like the attempts in the consumer.
  process.on("SIGINT", () => {});
  const channel = await PrivateChannel.toParent();
  channel.onClose(() => process.exit(0));
  let hasRequest = false;
  channel.onMessage(async (message) => {
    if (hasRequest) return;
    hasRequest = true;
    const { itemText, keepsResult, context, timeoutMilliseconds } = message as IsolatedRequest;
    const outcome = await runAttempt({
      task: workflow.task,
      schema: workflow.item,
      item: fromStoredText(itemText),
      ...(keepsResult === true && { result: { schema: workflow.result } }),
      context: { ...context, logger: taskLogger({ id: context.id, attempt: context.attempt }) },
      timeoutMilliseconds,
      deadline: Number.POSITIVE_INFINITY,
      now: Date.now,
    });
    channel.send(toAnswer(outcome), () => process.exit(0));
  });
  channel.send({ tag: "ready" } satisfies IsolatedAnswer);
}
