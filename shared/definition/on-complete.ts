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
  /** Failed attempts after which another attempt followed. */
  readonly retried: number;
  /** The number of dead letters for each reason. */
  readonly deadByReason: Readonly<Partial<Record<Reason, number>>>;
  /** The warnings of the source: at most 10 different texts of up to 300 characters each, the oldest first. */
  readonly warnings: readonly string[];
  /** The fault of all invalid items, if it is the same: "all 3,000 items: `email` missing; the header has `E-Mail`". */
  readonly sameFailure?: string;
  /** When the run was requested, in ISO 8601. */
  readonly requestedAt: string;
  /** When the run ended, in ISO 8601. */
  readonly completedAt: string;
  /** The time between the two, in seconds. */
  readonly wallSeconds: number;
}

/** What `onComplete` receives in addition to the summary. */
export interface CompletionContext {
  /** Fires shortly before the invocation ends. */
  readonly signal: AbortSignal;
  /** The number of the attempt: 1 for the first one. */
  readonly attempt: number;
  readonly logger: TaskLogger;
}

/**
 * Called when a run has ended. It can be called more than once for a run, so its effect should be idempotent: use the
 * id of the run as the key.
 *
 * If it throws, it is called again after a backoff, up to 5 attempts in total. After the fifth attempt, its control
 * message moves to the dead-letter queue of the control queue. After `Throttled` or `RetryLater`, the next attempt
 * follows after the requested wait, up to 11 h, or after the backoff if that is longer.
 *
 * @example
 * ```ts
 * onComplete: async ({ run, status, dead }, { signal }) => {
 *   await notify(`run ${run}: ${status}, ${dead} dead letters`, { signal });
 * },
 * ```
 */
export type OnComplete = (summary: RunSummary, context: CompletionContext) => unknown;
