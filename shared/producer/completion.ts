import type { ObjectStore } from "../aws/object-store.ts";
import type { Queue } from "../aws/queue.ts";
import { LONGEST_HIDING_MILLISECONDS } from "../aws/quotas.ts";
import { toError } from "../base/errors.ts";
import { errorMessageCompletion } from "../base/late-error-message.ts";
import { requestedWaitOf } from "../base/requested-wait.ts";
import { backoffMilliseconds } from "../base/retry.ts";
import type { TaskLogger } from "../base/task.ts";
import type { RunSummary } from "../definition/on-complete.ts";
import type { Workflow } from "../definition/workflow.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { finalCounts, type RunRecord } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";
import { sameFailureOf } from "../ledger/same-failure.ts";
import { toAttributeText } from "../messages/body.ts";
import { type CompleteMessage, completeEntry } from "../messages/control.ts";
import { openResultSet } from "../results/read-results.ts";
import { offerResults } from "../results/result-records.ts";
import { unlessAborted } from "./unless-aborted.ts";
import type { Verdict } from "./verdict.ts";

/** How often the producer tries to announce the end of a run, and the backoff between the attempts. */
const POLICY = { attempts: 5, baseMilliseconds: 2_000, capMilliseconds: 300_000 } as const;

/** The most characters of the reason that a message in the dead-letter queue carries. */
const LONGEST_REASON = 1_000;

/** The reason if the process ended during the latest attempt and therefore could not record a reason. */
const PROCESS_ENDED = "its process ended, or was stopped at its timeout, during the latest attempt";

const NOT_SETTLED = "onComplete did not settle before the end of the invocation";

/** The options of `handleCompletion`. */
export interface CompletionOptions {
  readonly workflow: Workflow;
  readonly runs: Runs;
  readonly controlDeadLetterQueue: Queue;
  readonly logger: TaskLogger;
  /** Publishes the end of the run as an event on EventBridge. Absent if the stack has no event bus. */
  readonly publishEvent?: ((summary: RunSummary) => Promise<void>) | undefined;
  /** A random number, uniform in [0, 1). */
  readonly random: () => number;
  /** Where results are stored. Absent: the workflow keeps none. */
  readonly resultStore?: ObjectStore | undefined;
  /** From its rows, `readResults` finds out what counts. */
  readonly ledger: Pick<Ledger, "store">;
}

/**
 * Announces the end of a run: publishes the event and calls the workflow's `onComplete`. Each of the two happens at
 * least once. If the end of the run was announced before, nothing happens.
 */
export async function handleCompletion(
  { run: id }: CompleteMessage,
  options: CompletionOptions,
  signal: AbortSignal,
): Promise<Verdict> {
  const { workflow, runs, logger, publishEvent, random } = options;
  const run = await runs.find(id);
  const handled = run?.completionHandledAt !== undefined && run.completionError === undefined;
  if (run?.completedAt === undefined || handled) return { tag: "done" };
  if (run.completionAttempts >= POLICY.attempts && run.completionHandledAt === undefined) {
    logger.error("onComplete failed", { run: id, attempt: run.completionAttempts, error: PROCESS_ENDED });
    return await deadLetter(run, run.completionAttempts, PROCESS_ENDED, options);
  }
  const attempt = await runs.beginCompletion(run);
  try {
    const summary = summaryOf(run);
    const { resultStore: store, ledger } = options;
    if (run.results !== undefined && store !== undefined) {
      offerResults(summary, () => openResultSet({ store, ledgerStore: ledger.store, runs }, id));
    }
    await publishEvent?.(summary);
    const called = workflow.onComplete?.(summary, { signal, attempt, logger });
    await unlessAborted<unknown>(called, signal, () => new Error(NOT_SETTLED));
    await runs.endCompletion(id);
    return { tag: "done" };
  } catch (thrown) {
    await errorMessageCompletion(thrown);
    const error = toError(thrown);
    logger.error("onComplete failed", { run: id, attempt, error });
    if (attempt < POLICY.attempts) {
      const asked = requestedWaitOf(thrown)?.afterMilliseconds ?? 0;
      const pause = Math.max(asked, backoffMilliseconds(POLICY, attempt, random()));
      return { tag: "wait", milliseconds: Math.min(pause, LONGEST_HIDING_MILLISECONDS) };
    }
    return await deadLetter(run, attempt, error.message, options);
  }
}

/** Sends a copy of the message to the control queue's dead-letter queue. The copy can be redriven unchanged. */
async function deadLetter(
  { id, workflow }: RunRecord,
  attempts: number,
  error: string,
  { controlDeadLetterQueue, runs }: CompletionOptions,
): Promise<Verdict> {
  const entry = completeEntry({ run: id, workflow });
  // The number of attempts makes the id unique. Otherwise SQS would drop the message as a duplicate after a redrive.
  const copy = { ...entry, deduplicationId: `${entry.deduplicationId}-${attempts}` };
  const reason = toAttributeText(`onComplete failed ${attempts} times: ${error}`.slice(0, LONGEST_REASON));
  await controlDeadLetterQueue.sendControl(copy, { SluiceReason: reason });
  await runs.endCompletion(id, error);
  return { tag: "done" };
}

/** The summary of a run that has ended. */
function summaryOf(run: RunRecord): RunSummary {
  const { pending: _, ...counts } = finalCounts(run);
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
