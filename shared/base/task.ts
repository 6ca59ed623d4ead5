/** The logger of a task. Each line contains the run, the item and the attempt. */
export interface TaskLogger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What a task receives in addition to its item. */
export interface TaskContext {
  /**
   * Fires when the attempt's timeout is over. Pass it to `fetch` and similar functions, so that they stop their work.
   */
  readonly signal: AbortSignal;
  /**
   * The number of the attempt: 1 for the first one. It grows by 1 with each failed attempt. A wait (`Throttled`,
   * `RetryLater`) is not a failed attempt and does not change the number.
   */
  readonly attempt: number;
  /** How many attempts of the item ended in a wait (`Throttled`, `RetryLater`) since its latest redrive. */
  readonly waits: number;
  readonly run: {
    readonly id: string;
    readonly workflow: string;
  };
  /**
   * The id of the item: `run/page/index`. It is the same in all attempts and after every redrive, even if the redrive
   * changed the item.
   */
  readonly id: string;
  /** How often the item was redriven from the dead-letter queue: 0 before its first redrive. */
  readonly redrives: number;
  /**
   * The key for idempotent requests. The key equals `id` until a redrive changes the item, and each such redrive gives
   * it a new value. Without a new value, an API that stores its responses by key would repeat the old error for the
   * corrected item.
   *
   * @example `fetch(url, { method: "POST", headers: { "idempotency-key": idempotencyKey }, body })`
   */
  readonly idempotencyKey: string;
  /** Writes to the log of the function. */
  readonly logger: TaskLogger;
}

/**
 * The work on one item.
 *
 * A task can run more than once for an item: after a failed attempt, or because a consumer died before it recorded the
 * outcome. So the effect of a task should be idempotent.
 *
 * - The task succeeds when it returns. What it returns is the item's result. A workflow with the option `results` stores
 *   it; otherwise it is dropped.
 * - The task fails permanently when it throws a `PermanentError`.
 * - The item waits when the task throws `Throttled` (the service refused because of load) or `RetryLater` (this item is
 *   not ready yet). Another attempt follows, and no attempt is used up.
 * - The attempt fails when the task throws anything else, or when the task exceeds the timeout. Another attempt follows
 *   after the backoff, up to `retry.attempts`.
 *
 * `checkResponse` throws the right error for the status of an HTTP response.
 *
 * @example
 * ```ts
 * task: async ({ id }, { signal, idempotencyKey }) => {
 *   const headers = { "idempotency-key": idempotencyKey };
 *   checkResponse(await fetch(`${API}/invoices/${id}/send`, { method: "POST", headers, signal }));
 * },
 * ```
 *
 * @typeParam Item What the task receives.
 * @typeParam Returned What the task returns: the result, or a promise of it.
 */
export type Task<Item, Returned = unknown> = (item: Item, context: TaskContext) => Returned;
