import type { Reason } from "../base/failure.ts";
import type { TaskLogger } from "../base/task.ts";

/** What a run came to, as `onComplete` and the completion's event tell it. */
export interface RunSummary {
  readonly workflow: string;
  readonly run: string;
  /** `failed`: more items died than are tolerated. */
  readonly status: "completed" | "cancelled" | "failed";
  /** Why it failed. */
  readonly failure?: string;
  /** Exact: produced = succeeded + dead + cancelled. */
  readonly produced: number;
  readonly succeeded: number;
  readonly dead: number;
  readonly cancelled: number;
  /** Failed attempts that were followed by another. */
  readonly retried: number;
  readonly deadByReason: Readonly<Partial<Record<Reason, number>>>;
  /** What the source warned of while it was read: at most 10 distinct texts of up to 300 characters, oldest first. */
  readonly warnings: readonly string[];
  /** How all invalid items failed, if in the same way: "all 3,000 items: `email` missing; the header has `E-Mail`". */
  readonly sameFailure?: string;
  /** ISO 8601. */
  readonly requestedAt: string;
  readonly completedAt: string;
  readonly wallSeconds: number;
}

/** What `onComplete` knows beside the summary. */
export interface CompletionContext {
  /** Fires shortly before the invocation ends. */
  readonly signal: AbortSignal;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly logger: TaskLogger;
}

/**
 * Called when a run has ended: at least once, so its effect should be idempotent (the run's id is the key). If it throws
 * it is tried again with backoff, and after its fifth attempt its message lies in the control queue's dead-letter queue.
 * After `Throttled` or `RetryLater` the next attempt comes no sooner than the wait that was asked for, up to 11 h.
 */
export type OnComplete = (summary: RunSummary, context: CompletionContext) => unknown;
