import { type AskedWait, WAIT, type WaitSource, waitMilliseconds } from "./asked-wait.ts";
import { SluiceError, type SluiceErrorOptions } from "./errors.ts";

/**
 * Thrown by a task when another attempt cannot help: the item becomes a dead letter at once.
 *
 * @example
 * ```ts
 * if (response.status === 404) throw new PermanentError(`no city ${id}`);
 * ```
 */
export class PermanentError extends SluiceError {
  override readonly name = "PermanentError";

  constructor(message: string, options?: SluiceErrorOptions) {
    super("PERMANENT", message, options);
  }
}

/** The options of `Throttled` and `RetryLater`. */
export interface WaitOptions extends SluiceErrorOptions {
  /** Default: a sentence that tells the wait. */
  readonly message?: string;
}

/**
 * Thrown by a task when the service refused because of load. This is a wait and not a failed attempt: it never uses up
 * the item's attempts. All waits of an item together are bounded by `retry.waitAtMost`.
 *
 * The item comes back after the wait that the service asks for, and up to one backoff of the workflow (`retry.backoff`,
 * longer with each throttle of the item) later, so that items which were refused together do not return together.
 * Without a wait that can be read, the backoff alone decides. The shortest wait is 1 s.
 *
 * @example
 * ```ts
 * if (response.status === 429) throw new Throttled(response); // `checkResponse` does this for you
 * if (error.name === "ThrottlingException") throw new Throttled(undefined, { cause: error });
 * ```
 */
export class Throttled extends SluiceError {
  override readonly name = "Throttled";
  readonly [WAIT]: AskedWait;
  /** How long the service asks to wait; `undefined` if it does not say. */
  readonly afterMilliseconds: number | undefined;

  /**
   * @param after A `Response` or its `Headers` (`Retry-After`, `RateLimit`, `X-RateLimit-Reset` and the like are read),
   *   the value of a `Retry-After` header (seconds or an HTTP date), or a duration. Default: the backoff decides.
   * @throws {ConfigurationError} It is a duration that is not valid, such as `{ seconds: NaN }`.
   */
  constructor(after?: WaitSource, options?: WaitOptions) {
    const afterMilliseconds = waitMilliseconds(after, "Throttled(after)", Date.now());
    const asks = afterMilliseconds === undefined ? "" : `, which asks to wait ${afterMilliseconds / 1_000} s`;
    super("THROTTLED", options?.message ?? `throttled by the service${asks}`, options);
    this.afterMilliseconds = afterMilliseconds;
    this[WAIT] = { kind: "throttled", afterMilliseconds };
  }
}

/**
 * Thrown by a task when this item is not ready yet, such as a report that is still being made: the item alone comes back
 * after the delay. This is a wait and not a failed attempt: it never uses up the item's attempts. All waits of an item
 * together are bounded by `retry.waitAtMost`. The shortest wait is 1 s; waits are rounded up to whole seconds.
 *
 * @example
 * ```ts
 * if (report.status === "running") throw new RetryLater({ minutes: 5 });
 * if (response.status === 202) throw new RetryLater(response);
 * ```
 */
export class RetryLater extends SluiceError {
  override readonly name = "RetryLater";
  readonly [WAIT]: AskedWait;
  /** How long to wait; `undefined` if what was given does not say. */
  readonly afterMilliseconds: number | undefined;

  /**
   * @param after How long to wait: a duration, a `Response` or its `Headers`, or the value of a `Retry-After` header
   *   (seconds or an HTTP date). Where the header is missing or cannot be read, the workflow's backoff decides, which
   *   gets longer with each wait of the item.
   * @throws {ConfigurationError} It is a duration that is not valid, such as `{ seconds: NaN }`.
   */
  constructor(after: WaitSource, options?: WaitOptions) {
    const afterMilliseconds = waitMilliseconds(after, "RetryLater(after)", Date.now());
    const when = afterMilliseconds === undefined ? "later" : `in ${afterMilliseconds / 1_000} s`;
    super("RETRY_LATER", options?.message ?? `try again ${when}`, options);
    this.afterMilliseconds = afterMilliseconds;
    this[WAIT] = { kind: "retryLater", afterMilliseconds };
  }
}

/** Thrown by `checkResponse`: the service failed, and another attempt may succeed. It is a failed attempt. */
export class ResponseError extends SluiceError {
  override readonly name = "ResponseError";

  constructor(message: string, options?: SluiceErrorOptions) {
    super("RESPONSE", message, options);
  }
}

/** An attempt ran longer than the workflow's `timeout` and was aborted. */
export class TaskTimeoutError extends SluiceError {
  override readonly name = "TaskTimeoutError";

  constructor(message: string, options?: SluiceErrorOptions) {
    super("TASK_TIMEOUT", message, options);
  }
}
