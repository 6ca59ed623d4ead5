import { type Duration, toMilliseconds } from "./duration.ts";
import { integerOption, rejectUnknownKeys } from "./options.ts";

/** How often a task is tried, and how long the pauses between attempts are. */
export interface RetryOptions {
  /** Attempts in all, the first included: 1 to 100. Default 5. */
  readonly attempts?: number;
  /** The pause after attempt n is uniform between 0 and `min(cap, base * 2^(n - 1))` ("full jitter"). */
  readonly backoff?: {
    /** Default 1 s. SQS counts visibility in whole seconds, so a pause is rounded up to the next one. */
    readonly base?: Duration;
    /** Default 5 min; 11 h at the most: SQS hides a message for 12 h from its receive, and an attempt comes first. */
    readonly cap?: Duration;
  };
}

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

/** `RetryOptions` with every default filled in. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly baseMilliseconds: number;
  readonly capMilliseconds: number;
}

/**
 * @throws {ConfigurationError} An option is unknown or outside its range.
 */
export function retryPolicy(options: RetryOptions = {}): RetryPolicy {
  rejectUnknownKeys(options, ["attempts", "backoff"], "retry");
  const { attempts: asked = 5, backoff = {} } = options;
  rejectUnknownKeys(backoff, ["base", "cap"], "retry.backoff");
  const attempts = integerOption("retry.attempts", asked, {
    minimum: 1,
    // An item's failures stand in one DynamoDB row of at most 400 KB, each cut to 3 KB.
    maximum: 100,
    mend: "1 means that a failed task is not tried again",
  });
  const { cap = { minutes: 5 } } = backoff;
  const capMilliseconds = toMilliseconds(cap, {
    option: "retry.backoff.cap",
    // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
    maximum: { hours: 11 },
  });
  const { base = { milliseconds: Math.min(1_000, capMilliseconds) } } = backoff;
  const baseMilliseconds = toMilliseconds(base, {
    option: "retry.backoff.base",
    maximum: { milliseconds: capMilliseconds },
  });
  return { attempts, baseMilliseconds, capMilliseconds };
}

/**
 * @throws {ConfigurationError} An option is unknown or outside its range.
 */
export function taskRetryPolicy(options: TaskRetryOptions = {}): TaskRetryPolicy {
  rejectUnknownKeys(options, ["attempts", "backoff", "waitAtMost"], "retry");
  const { waitAtMost = { hours: 24 }, ...pauses } = options;
  return {
    ...retryPolicy(pauses),
    waitAtMostMilliseconds: toMilliseconds(waitAtMost, {
      option: "retry.waitAtMost",
      minimum: { seconds: 1 },
      // Below the retention of the queue, `topology` has it.
      maximum: { days: 8 },
    }),
  };
}

/**
 * The pause before the next attempt, in milliseconds, after `failures` failed ones (at least 1).
 *
 * Full jitter spreads the retries of many items that failed together over the whole interval, so that a service which
 * comes back is not met by all of them at once.
 *
 * @param random Uniform in [0, 1).
 */
export function backoffMilliseconds(policy: RetryPolicy, failures: number, random: number): number {
  return random * Math.min(policy.capMilliseconds, policy.baseMilliseconds * 2 ** (failures - 1));
}
