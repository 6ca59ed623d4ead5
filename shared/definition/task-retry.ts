import { LONGEST_HIDING_MILLISECONDS } from "../aws/quotas.ts";
import { type Duration, toMilliseconds } from "../base/duration.ts";
import { rejectUnknownKeys } from "../base/options.ts";
import { type RetryOptions, type RetryPolicy, retryPolicy } from "../base/retry.ts";

/** How often a task is tried, how long the pauses between attempts are, and how long an item may wait. */
export interface TaskRetryOptions extends RetryOptions {
  /**
   * How long an item may wait in total: 1 s to 8 days, because the queue keeps messages for 10 days. Default 24 h.
   *
   * The time contains the waits that the task requested by throwing `Throttled` or `RetryLater`, and the attempts that
   * ended in such a wait. It starts at the end of the first such attempt. It does not contain the time in which the
   * item had no slot, its run was paused or its message was queued. A wait that would exceed the limit makes the item a
   * dead letter at once, with the reason `waited too long`.
   */
  readonly waitAtMost?: Duration;
}

/** `TaskRetryOptions` with every default filled in. */
export interface TaskRetryPolicy extends RetryPolicy {
  readonly waitAtMostMilliseconds: number;
}

/**
 * The options with every default filled in.
 *
 * @throws {ConfigurationError} An option is unknown or outside its range.
 */
export function taskRetryPolicy(options: TaskRetryOptions = {}): TaskRetryPolicy {
  rejectUnknownKeys(options, ["attempts", "backoff", "waitAtMost"], "retry");
  const { waitAtMost = { hours: 24 }, ...pauses } = options;
  return {
    ...retryPolicy(pauses, LONGEST_HIDING_MILLISECONDS),
    waitAtMostMilliseconds: toMilliseconds(waitAtMost, {
      option: "retry.waitAtMost",
      minimum: { seconds: 1 },
      // Less than the retention of the queue in `topology`.
      maximum: { days: 8 },
    }),
  };
}
