import { fromStoredText } from "../base/exact-json.ts";
import type { TaskLogger } from "../task.ts";
import type { Workflow } from "../workflow.ts";
import { runAttempt } from "./attempt.ts";
import { type IsolatedAnswer, type IsolatedRequest, toAnswer } from "./isolation-protocol.ts";
import { containStrayErrors } from "./stray-errors.ts";

/**
 * The other side of `Isolation`: runs the one attempt that it is asked for, answers, and ends. The answer is all that
 * leaves it, so the task may end, block or fill this process as it likes.
 */
export function serveIsolatedAttempt(
  workflow: Workflow,
  taskLogger: (fields: Record<string, string | number>) => TaskLogger,
) {
  containStrayErrors(() => {});
  process.on("disconnect", () => process.exit(0));
  // Ctrl-C on a terminal reaches it, too; the attempt is finished, like those in the consumer.
  process.on("SIGINT", () => {});
  process.once("message", async (message) => {
    const { itemText, context, timeoutMilliseconds } = message as IsolatedRequest;
    const outcome = await runAttempt({
      task: workflow.task,
      schema: workflow.item,
      item: fromStoredText(itemText),
      context: { ...context, logger: taskLogger({ id: context.id, attempt: context.attempt }) },
      timeoutMilliseconds,
      deadline: Number.POSITIVE_INFINITY,
      now: Date.now,
    });
    send(toAnswer(outcome), () => process.exit(0));
  });
  send({ tag: "ready" });
}

function send(answer: IsolatedAnswer, sent: () => void = () => {}): void {
  process.send?.(answer, sent);
}
