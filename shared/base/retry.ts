import { type Duration, toMilliseconds } from "./duration.ts";
import { integerOption, rejectUnknownKeys } from "./options.ts";

/**
 * The most attempts that can be configured. The failures of all attempts of an item share one row of the ledger, and
 * DynamoDB refuses a row of more than 400 KB. With 100 attempts each failure has room for an error message and a stack.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
 */
const MOST_ATTEMPTS = 100;

/** How many attempts an item has, and how long the pauses between the attempts are. */
export interface RetryOptions {
  /** The number of attempts, including the first one: 1 to 100. Default 5. */
  readonly attempts?: number;
  /**
   * The pauses between attempts. The pause after attempt n is random between 0 and `min(cap, base * 2^(n - 1))`, evenly
   * distributed ("full jitter").
   * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
   */
  readonly backoff?: {
    /** Default 1 s. A pause is rounded up to whole seconds, because visibility timeouts of SQS are whole seconds. */
    readonly base?: Duration;
    /**
     * Default 5 min, at most 11 h. SQS hides a message for at most 12 h after its receive, and the attempt is part of
     * that time.
     * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
     */
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
 * Checks the options, and fills in every default.
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
 * The pause before the next attempt, in milliseconds.
 *
 * Full jitter spreads the retries of many items that failed together over the whole interval. So a service that
 * recovers does not receive all of them at once.
 *
 * @param failures The number of failed attempts, at least 1.
 * @param random A random number from 0 to 1, evenly distributed.
 */
export function backoffMilliseconds(policy: RetryPolicy, failures: number, random: number): number {
  return random * Math.min(policy.capMilliseconds, policy.baseMilliseconds * 2 ** (failures - 1));
}
