import { SluiceError, type SluiceErrorOptions } from "./errors.ts";
import { type RequestedWait, WAIT, type WaitSource, waitMilliseconds } from "./requested-wait.ts";

/**
 * A task throws this error when another attempt cannot succeed. The item becomes a dead letter at once, with the reason
 * `permanent`. A source can throw it too, to fail the run at once. The code is `PERMANENT`.
 *
 * @example
 * ```ts
 * if (response.status === 404) throw new PermanentError(`no city ${id}`);
 * ```
 */
export class PermanentError extends SluiceError {
  override readonly name: string = "PermanentError";

  constructor(message: string, options?: SluiceErrorOptions) {
    super("PERMANENT", message, options);
  }
}

/** The options of `Throttled` and `RetryLater`. */
export interface WaitOptions extends SluiceErrorOptions {
  /** The error message. Default: a sentence that states the wait. */
  readonly message?: string;
}

/**
 * A task throws this error when a service refused a request because of load. This is a wait and not a failed attempt:
 * it never uses up the item's attempts. `retry.waitAtMost` limits the total of all waits of an item. The code is
 * `THROTTLED`.
 *
 * The next attempt follows after the wait that the service asks for, plus a random part of the workflow's backoff
 * (`retry.backoff`). The backoff grows with each throttle of the item. It keeps items that were refused together from
 * returning together. If the response contains no readable wait, the backoff alone decides. The shortest wait is 1 s.
 *
 * @example
 * ```ts
 * if (response.status === 429) throw new Throttled(response); // `checkResponse` does this for you
 * if (error.name === "ThrottlingException") throw new Throttled(undefined, { cause: error });
 * ```
 */
export class Throttled extends SluiceError {
  override readonly name = "Throttled";
  readonly [WAIT]: RequestedWait;
  /** How long the service asks to wait, in milliseconds. `undefined` if the service does not say. */
  readonly afterMilliseconds: number | undefined;

  /**
   * @param after A `Response` or its `Headers`: Sluice reads `Retry-After`, `RateLimit`, `X-RateLimit-Reset` and
   *   similar headers. Or the value of a `Retry-After` header (seconds or an HTTP date), or a duration. Default: the
   *   backoff decides.
   * @throws {ConfigurationError} `after` is an invalid duration, such as `{ seconds: NaN }`.
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
 * A task throws this error when its item is not ready yet, such as a report that is still being created. The next
 * attempt of this item follows after the delay; other items are not affected. This is a wait and not a failed attempt:
 * it never uses up the item's attempts. `retry.waitAtMost` limits the total of all waits of an item. The shortest wait
 * is 1 s, and waits are rounded up to whole seconds. The code is `RETRY_LATER`.
 *
 * @example
 * ```ts
 * if (report.status === "running") throw new RetryLater({ minutes: 5 });
 * if (response.status === 202) throw new RetryLater(response);
 * ```
 */
export class RetryLater extends SluiceError {
  override readonly name = "RetryLater";
  readonly [WAIT]: RequestedWait;
  /** How long to wait, in milliseconds. `undefined` if `after` contains no wait. */
  readonly afterMilliseconds: number | undefined;

  /**
   * @param after How long to wait: a duration, a `Response` or its `Headers`, or the value of a `Retry-After` header
   *   (seconds or an HTTP date). If the header is missing or not readable, the workflow's backoff decides. The backoff
   *   grows with each wait of the item.
   * @throws {ConfigurationError} `after` is an invalid duration, such as `{ seconds: NaN }`.
   */
  constructor(after: WaitSource, options?: WaitOptions) {
    const afterMilliseconds = waitMilliseconds(after, "RetryLater(after)", Date.now());
    const when = afterMilliseconds === undefined ? "later" : `in ${afterMilliseconds / 1_000} s`;
    super("RETRY_LATER", options?.message ?? `try again ${when}`, options);
    this.afterMilliseconds = afterMilliseconds;
    this[WAIT] = { kind: "retryLater", afterMilliseconds };
  }
}

/**
 * `checkResponse` throws this error when a service failed and another attempt can succeed. It counts as a failed
 * attempt. The code is `RESPONSE`, and `ids.status` is the HTTP status.
 */
export class ResponseError extends SluiceError {
  override readonly name = "ResponseError";

  constructor(message: string, options?: SluiceErrorOptions) {
    super("RESPONSE", message, options);
  }
}

/**
 * An attempt ran longer than the workflow's `timeout` and was aborted. It counts as a failed attempt. The code is
 * `TASK_TIMEOUT`.
 */
export class TaskTimeoutError extends SluiceError {
  override readonly name = "TaskTimeoutError";

  constructor(message: string, options?: SluiceErrorOptions) {
    super("TASK_TIMEOUT", message, options);
  }
}
