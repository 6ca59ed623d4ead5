/** The logger a task gets: each line carries the run, the item and the attempt. */
export interface TaskLogger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What a task knows beside its item. */
export interface TaskContext {
  /** Fires when the attempt's timeout is over. Pass it to `fetch` and the like, so that what was begun is given up. */
  readonly signal: AbortSignal;
  /**
   * 1 for the first attempt, and one more after each failed one. A wait (`Throttled`, `RetryLater`) is no failed attempt:
   * the number stays.
   */
  readonly attempt: number;
  /** How often an attempt for the item has ended in a wait (`Throttled`, `RetryLater`), since its latest redrive. */
  readonly waits: number;
  readonly run: {
    readonly id: string;
    readonly workflow: string;
  };
  /**
   * The item's identity: `run/page/index`. It never changes: not at another attempt, and not after a redrive, whatever
   * the redrive changed.
   */
  readonly id: string;
  /** How often the item was redriven from the dead-letter queue: 0 before its first redrive. */
  readonly redrives: number;
  /**
   * The key of an idempotent request. It equals `id`, except after a redrive that changed the item: an API that stores
   * its answers by key would otherwise repeat its old refusal to the corrected item. It then stays the same until
   * a redrive changes the item again.
   *
   * @example `fetch(url, { method: "POST", headers: { "idempotency-key": idempotencyKey }, body })`
   */
  readonly idempotencyKey: string;
  readonly logger: TaskLogger;
}

/**
 * The work on one item. It may run more than once for an item (a retry, or a consumer that died before it could record
 * the result), so its effect should be idempotent.
 *
 * It succeeds by returning (what it returns is not kept). It fails by throwing: after a `PermanentError` no further attempt
 * follows, after anything else another one follows after a backoff. `Throttled` (the service refused because of load) and
 * `RetryLater` (this item is not ready yet) are waits and no failures: the item comes back, and no attempt is used up.
 * `checkResponse` throws the right one for the status of an HTTP response.
 */
export type Task<Item> = (item: Item, context: TaskContext) => unknown;
