import type { RunSummary } from "../completion.ts";
import { toError } from "../errors.ts";
import { finalCounts, type RunRecord } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";
import { sameFailureOf } from "../ledger/same-failure.ts";
import { toAttributeText } from "../messages/body.ts";
import { type CompleteMessage, completeEntry } from "../messages/control.ts";
import type { Queue } from "../queue.ts";
import { backoffMilliseconds } from "../retry.ts";
import type { TaskLogger } from "../task.ts";
import type { Workflow } from "../workflow.ts";
import type { Verdict } from "./verdict.ts";

/** How often `onComplete` is tried. */
const POLICY = { attempts: 5, baseMilliseconds: 2_000, capMilliseconds: 300_000 } as const;

const LONGEST_REASON = 1_000;

export interface CompletionOptions {
  readonly workflow: Workflow;
  readonly runs: Runs;
  readonly controlDeadLetterQueue: Queue;
  readonly logger: TaskLogger;
  /** Tells the world outside; absent where there is none. */
  readonly publishEvent?: ((summary: RunSummary) => Promise<void>) | undefined;
  readonly random: () => number;
}

/** What a run's end sets off: the event, and the workflow's `onComplete`. At least once; a run that has it behind it is left. */
export async function handleCompletion(
  { run: id, workflow: name }: CompleteMessage,
  options: CompletionOptions,
  signal: AbortSignal,
): Promise<Verdict> {
  const { workflow, runs, logger, publishEvent, random } = options;
  const run = await runs.find(id);
  const handled = run?.completionHandledAt !== undefined && run.completionError === undefined;
  if (run?.completedAt === undefined || handled) return { tag: "done" };
  const attempt = await runs.beginCompletion(run);
  try {
    const summary = summaryOf(run);
    await publishEvent?.(summary);
    await Promise.race([workflow.onComplete?.(summary, { signal, attempt, logger }), whenAborted(signal)]);
    await runs.endCompletion(id);
    return { tag: "done" };
  } catch (thrown) {
    const error = toError(thrown);
    logger.error("onComplete failed", { run: id, attempt, error });
    if (attempt < POLICY.attempts) return { tag: "wait", milliseconds: backoffMilliseconds(POLICY, attempt, random()) };
    const entry = completeEntry({ run: id, workflow: name });
    // Given up once more after a redrive, it must not be dropped as a duplicate.
    const letter = { ...entry, deduplicationId: `${entry.deduplicationId}-${attempt}` };
    // Beside the message, which can be sent again as it is, stands why it lies there.
    const reason = toAttributeText(`onComplete failed ${attempt} times: ${error.message}`.slice(0, LONGEST_REASON));
    await options.controlDeadLetterQueue.sendControl(letter, { SluiceReason: reason });
    await runs.endCompletion(id, error.message);
    return { tag: "done" };
  }
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(new Error("onComplete did not settle before the invocation's end"));
    if (signal.aborted) fail();
    else signal.addEventListener("abort", fail, { once: true });
  });
}

/** What a run that has ended came to. */
function summaryOf(run: RunRecord): RunSummary {
  const { owed: _, ...counts } = finalCounts(run);
  const { completedAt = run.requestedAt, requestedAt, failure, warnings } = run;
  const sameFailure = sameFailureOf(run, finalCounts(run));
  return {
    workflow: run.workflow,
    run: run.id,
    status: run.status as RunSummary["status"],
    ...(failure !== undefined && { failure }),
    ...counts,
    warnings,
    ...(sameFailure !== undefined && { sameFailure }),
    requestedAt,
    completedAt,
    wallSeconds: (Date.parse(completedAt) - Date.parse(requestedAt)) / 1_000,
  };
}
