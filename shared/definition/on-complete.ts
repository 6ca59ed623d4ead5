import type { Reason } from "../base/failure.ts";
import type { TaskLogger } from "../base/task.ts";

/** The result of a run. `onComplete` receives it, and the event in EventBridge contains it. */
export interface RunSummary {
  readonly workflow: string;
  readonly run: string;
  /** `failed`: more items became dead letters than `toleratedFailures` allows. */
  readonly status: "completed" | "cancelled" | "failed";
  /** Why the run failed. Present if the status is `failed`. */
  readonly failure?: string;
  /** All items of the run. The counts are exact: produced = succeeded + dead + cancelled. */
  readonly produced: number;
  readonly succeeded: number;
  /** Items that became dead letters. */
  readonly dead: number;
  readonly cancelled: number;
  /** Failed attempts that were followed by another attempt. */
  readonly retried: number;
  /** The number of dead letters for each reason. */
  readonly deadByReason: Readonly<Partial<Record<Reason, number>>>;
  /** The warnings of the source: at most 10 different texts of up to 300 characters each, the oldest first. */
  readonly warnings: readonly string[];
  /**
   * What is wrong with the invalid items. Present if there are at least two and all of them have the same fault.
   *
   * @example "all 3,000 items: `email` missing; the header has `E-Mail`"
   */
  readonly sameFailure?: string;
  /** When the run was requested, in ISO 8601. */
  readonly requestedAt: string;
  /** When the run ended, in ISO 8601. */
  readonly completedAt: string;
  /** The time from `requestedAt` to `completedAt`, in seconds. */
  readonly wallSeconds: number;
}

/** What `onComplete` receives in addition to the summary. */
export interface CompletionContext {
  /** Aborts shortly before the timeout of the Lambda invocation. */
  readonly signal: AbortSignal;
  /** The number of the attempt: 1 for the first one. */
  readonly attempt: number;
  readonly logger: TaskLogger;
}

/**
 * A function that Sluice calls when a run has ended. `readResults(summary)` reads the results of the run.
 *
 * Sluice can call the function more than once for a run, so its effect should be idempotent: use the id of the run as the
 * key.
 *
 * If the function throws, Sluice calls it again after a backoff, up to 5 attempts in total. After the fifth failure,
 * the control message that announced the end of the run moves to the dead-letter queue of the control queue. If the
 * function throws `Throttled` or `RetryLater`, the next attempt follows after the requested wait (at most 11 h), or
 * after the backoff if the backoff is longer.
 *
 * @example
 * ```ts
 * onComplete: async ({ run, status, dead }, { signal }) => {
 *   await notify(`run ${run}: ${status}, ${dead} dead letters`, { signal });
 * },
 * ```
 */
export type OnComplete = (summary: RunSummary, context: CompletionContext) => unknown;
