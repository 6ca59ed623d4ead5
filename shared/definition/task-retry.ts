import { LONGEST_HIDING_MILLISECONDS } from "../aws/quotas.ts";
import { type Duration, toMilliseconds } from "../base/duration.ts";
import { rejectUnknownKeys } from "../base/options.ts";
import { type RetryOptions, type RetryPolicy, retryPolicy } from "../base/retry.ts";

/** How often a task is tried, how long the pauses are, and how long an item may wait. */
export interface TaskRetryOptions extends RetryOptions {
  /**
   * How long an item may wait in all: the waits that its task asked for by `Throttled` and `RetryLater`, and the
   * attempts that ended in one, counted from the end of the first such attempt. Time in which the item had no slot, its
   * run was paused or its message queued does not count. A wait that would pass the bound makes the item dead at once,
   * with the reason `waited too long`. 1 s to 8 days: the queue keeps messages for 10. Default 24 h.
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
      // Below the retention of the queue, `topology` has it.
      maximum: { days: 8 },
    }),
  };
}
