import { type Duration, toMilliseconds } from "./duration.ts";
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

/**
 * Thrown by a task when the service asked for a delay: the next attempt comes after it instead of after the backoff.
 * It counts as an attempt.
 *
 * @example
 * ```ts
 * if (response.status === 429) throw new RetryLater({ seconds: Number(response.headers.get("retry-after")) });
 * ```
 */
export class RetryLater extends SluiceError {
  override readonly name = "RetryLater";
  readonly afterMilliseconds: number;

  /**
   * @param after How long to wait, 0 to 11 hours: SQS hides a message for 12 hours at the most, counted from its receive.
   * @throws {ConfigurationError} The delay is not a duration within that range.
   */
  constructor(after: Duration, options?: SluiceErrorOptions & { readonly message?: string }) {
    const afterMilliseconds = toMilliseconds(after, { option: "RetryLater(after)", maximum: { hours: 11 } });
    super("RETRY_LATER", options?.message ?? `try again in ${afterMilliseconds / 1000} s`, options);
    this.afterMilliseconds = afterMilliseconds;
  }
}

/** An attempt ran longer than the workflow's `timeout` and was aborted. */
export class TaskTimeoutError extends SluiceError {
  override readonly name = "TaskTimeoutError";

  constructor(message: string, options?: SluiceErrorOptions) {
    super("TASK_TIMEOUT", message, options);
  }
}
