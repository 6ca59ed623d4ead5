import { type Duration, toMilliseconds } from "./duration.ts";
import { integerOption, rejectUnknownKeys } from "./options.ts";

/**
 * The most attempts that can be configured. The failures of all attempts of an item share one row of the ledger, and
 * DynamoDB refuses a row of more than 400 KB. With 100 attempts each failure has room for an error message and a stack.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
 */
const MOST_ATTEMPTS = 100;

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

/** `RetryOptions` with every default filled in. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly baseMilliseconds: number;
  readonly capMilliseconds: number;
}

/**
 * The options with every default filled in.
 *
 * @param longestCapMilliseconds The largest `backoff.cap` that is allowed.
 * @throws {ConfigurationError} An option is unknown or outside its range.
 */
export function retryPolicy(options: RetryOptions, longestCapMilliseconds: number): RetryPolicy {
  rejectUnknownKeys(options, ["attempts", "backoff"], "retry");
  const { attempts: asked = 5, backoff = {} } = options;
  rejectUnknownKeys(backoff, ["base", "cap"], "retry.backoff");
  const attempts = integerOption("retry.attempts", asked, {
    minimum: 1,
    maximum: MOST_ATTEMPTS,
    fix: "1 means that a failed task is not tried again",
  });
  const { cap = { minutes: 5 } } = backoff;
  const capMilliseconds = toMilliseconds(cap, {
    option: "retry.backoff.cap",
    maximum: { milliseconds: longestCapMilliseconds },
  });
  const { base = { milliseconds: Math.min(1_000, capMilliseconds) } } = backoff;
  const baseMilliseconds = toMilliseconds(base, {
    option: "retry.backoff.base",
    maximum: { milliseconds: capMilliseconds },
  });
  return { attempts, baseMilliseconds, capMilliseconds };
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
