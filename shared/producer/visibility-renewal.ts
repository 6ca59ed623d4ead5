/** The options of `VisibilityRenewal`. */
export interface VisibilityRenewalOptions {
  /** Hides the message from all other receivers for this many milliseconds from now. */
  readonly hide: (milliseconds: number) => Promise<void>;
  /**
   * How long the message stays hidden after each renewal. If the receiver crashes, another receiver gets the message at
   * the end of this time.
   */
  readonly visibilityMilliseconds: number;
}

/** How many renewals fit into one visibility timeout. Two renewals may fail before the message becomes visible. */
const RENEWALS_PER_TIMEOUT = 3;

/**
 * The message counts as lost when only this share of the visibility timeout is left. The remaining time is for requests
 * that are still running.
 */
const LOST_SHARE = 1 / 15;

/** The pause before a failed renewal is tried again. */
const RETRY_MILLISECONDS = 1_000;

/**
 * The error codes with which SQS says that a receipt handle is no longer valid.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
 */
const GONE = /MessageNotInflight|ReceiptHandleIsInvalid|InvalidParameterValue|NonExistentQueue|QueueDoesNotExist/;

/**
 * Keeps a received message hidden while its receiver works on it: it sets a short visibility timeout and renews it. If
 * the receiver is killed, another receiver gets the message within that timeout. The queue's own timeout cannot be so
 * short, because Lambda refuses a timeout below that of the function.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
 *
 * States:
 *
 * - `held`: the renewals succeed.
 * - `lost`: SQS refused the receipt handle, or no renewal has succeeded in time. Another receiver may have the message.
 *   The receiver may finish its current step. If it had to stop at once, and every step blocked the event loop for
 *   longer than the timeout, no receiver would ever make progress.
 * - `expired`: a third of the timeout has passed since `lost`. The receiver must stop.
 *
 * Transitions: `held` → `lost` → `expired`, and any state ends with `stop()`.
 */
export class VisibilityRenewal {
  readonly #options: VisibilityRenewalOptions;
  readonly #lost = new AbortController();
  readonly #expired = new AbortController();
  #renewing: Promise<void> = Promise.resolve();
  #next: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: VisibilityRenewalOptions) {
    this.#options = options;
  }

  /** Fires when another receiver may have the message. Its reason says why. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Fires a third of the visibility timeout after `lost`. */
  get expired(): AbortSignal {
    return this.#expired.signal;
  }

  /**
   * Shortens the visibility timeout of the message, and begins to renew it. Resolves after the first request. If the
   * message was delivered too late, `lost` has fired by then.
   */
  async start(): Promise<void> {
    // The queue's own timeout is longer, so the message stays hidden until the first renewal.
    this.#expectRenewalBy(performance.now());
    await this.#renew();
  }

  /**
   * Ends the renewals. When the promise resolves, no renewal is running that could undo a later change of the
   * visibility.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#next);
    clearTimeout(this.#deadline);
    await this.#renewing;
  }

  #renew(): Promise<void> {
    this.#renewing = this.#renewOnce();
    return this.#renewing;
  }

  async #renewOnce(): Promise<void> {
    const { hide, visibilityMilliseconds } = this.#options;
    const begun = performance.now();
    try {
      await hide(visibilityMilliseconds);
      this.#expectRenewalBy(begun);
      this.#renewAfter(begun + visibilityMilliseconds / RENEWALS_PER_TIMEOUT - performance.now());
    } catch (error) {
      if (isGone(error)) this.#lose(error);
      else this.#renewAfter(RETRY_MILLISECONDS);
    }
  }

  #renewAfter(milliseconds: number): void {
    if (this.#stopped || this.lost.aborted) return;
    this.#next = setTimeout(() => void this.#renew(), Math.max(0, milliseconds));
  }

  /**
   * Makes the message lost if no further renewal succeeds in time.
   *
   * @param hiddenFrom When the request that hid the message was sent.
   */
  #expectRenewalBy(hiddenFrom: number): void {
    // After `lost`, the timer is the one of `expired`. A renewal that succeeds too late does not stop it.
    if (this.#stopped || this.lost.aborted) return;
    clearTimeout(this.#deadline);
    const { visibilityMilliseconds } = this.#options;
    const latest = hiddenFrom + visibilityMilliseconds * (1 - LOST_SHARE);
    this.#deadline = setTimeout(
      () => this.#lose(new Error("the visibility timeout of the control message could not be renewed in time")),
      Math.max(0, latest - performance.now()),
    );
  }

  #lose(reason: unknown): void {
    if (this.#stopped || this.lost.aborted) return;
    clearTimeout(this.#next);
    this.#lost.abort(reason);
    const { visibilityMilliseconds } = this.#options;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#expired.abort(reason), visibilityMilliseconds / RENEWALS_PER_TIMEOUT);
  }
}

function isGone(error: unknown): boolean {
  return typeof error === "object" && error !== null && "name" in error && GONE.test(String(error.name));
}
