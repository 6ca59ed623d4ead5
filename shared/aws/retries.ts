import { StandardRetryStrategy } from "@smithy/core/retry";
import { LAST_RETRY_MILLISECONDS, MOST_ATTEMPTS } from "./timeouts.ts";

type Token = Awaited<ReturnType<StandardRetryStrategy["acquireInitialRetryToken"]>>;
type ErrorInfo = Parameters<StandardRetryStrategy["refreshRetryTokenForRetry"]>[1];

/**
 * The SDK's standard retries with a time limit: no retry begins later than `LAST_RETRY_MILLISECONDS` after the first
 * attempt. So the longest duration of a request is known, and an invocation can reserve time for it.
 */
export class Retries extends StandardRetryStrategy {
  readonly #now: () => number;
  readonly #starts = new WeakMap<object, number>();

  /** @param now Returns the time in milliseconds. The clock must never be set back. */
  constructor(now: () => number = () => performance.now()) {
    super(MOST_ATTEMPTS);
    this.#now = now;
  }

  override async acquireInitialRetryToken(scope: string): Promise<Token> {
    const token = await super.acquireInitialRetryToken(scope);
    this.#starts.set(token, this.#now());
    return token;
  }

  override async refreshRetryTokenForRetry(token: Token, errorInfo: ErrorInfo): Promise<Token> {
    const start = this.#starts.get(token) ?? this.#now();
    this.#checkTime(start);
    const next = await super.refreshRetryTokenForRetry(token, errorInfo);
    // The call above has waited for the backoff.
    this.#checkTime(start);
    this.#starts.set(next, start);
    return next;
  }

  /** Throws if no time is left. The SDK catches this error and throws the error of the latest attempt. */
  #checkTime(start: number): void {
    if (this.#now() - start > LAST_RETRY_MILLISECONDS) throw new Error("No time is left for a retry");
  }
}
