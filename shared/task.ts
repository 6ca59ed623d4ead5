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
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly run: {
    readonly id: string;
    readonly workflow: string;
  };
  /** The item's identity, the same at every attempt: `run/page/index`. Use it as the key of an idempotent request. */
  readonly id: string;
  readonly logger: TaskLogger;
}

/**
 * The work on one item. It may run more than once for an item (a retry, or a consumer that died before it could record
 * the result), so its effect should be idempotent.
 *
 * It succeeds by returning (what it returns is not kept), and fails by throwing: `PermanentError` (no further attempt),
 * `RetryLater` (the delay that a service asked for), or anything else (another attempt after a backoff).
 */
export type Task<Item> = (item: Item, context: TaskContext) => unknown;
