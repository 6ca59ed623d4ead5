export interface VisibilityRenewalOptions {
  /** Hides the message from all other receivers, for so many milliseconds from now. */
  readonly hide: (milliseconds: number) => Promise<void>;
  /** How long the message stays hidden after each renewal: after a crash, another receiver gets it then. */
  readonly visibilityMilliseconds: number;
}

/** Renewals per visibility timeout: two may fail before the message becomes visible. */
const RENEWALS_PER_TIMEOUT = 3;

/** Share of the visibility timeout that is left when the message counts as lost, for a request under way. */
const LOST_SHARE = 1 / 15;

/** How soon a renewal that failed is tried again. */
const RETRY_MILLISECONDS = 1_000;

/**
 * The codes by which SQS says that a receipt handle is worth nothing any more.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
 */
const GONE = /MessageNotInflight|ReceiptHandleIsInvalid|InvalidParameterValue|NonExistentQueue|QueueDoesNotExist/;

/**
 * Keeps a received message hidden while it is worked on, by a short visibility timeout that is renewed: where its
 * receiver is killed, another gets the message within that timeout. The queue's own timeout cannot be as short, since
 * Lambda refuses one below the function's timeout.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
 *
 * States: held → lost → expired. A message is lost when SQS refuses the receipt handle, or when no renewal has
 * succeeded in time. Its receiver should then finish what it is about, as another receiver may have the message
 * already: where a page of work blocks the event loop for longer than the timeout, no producer would make progress
 * otherwise. A third of the timeout later it is expired, and the receiver must stop.
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

  /** Fires when another receiver may have the message. The reason says why. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Fires a while after `lost`. */
  get expired(): AbortSignal {
    return this.#expired.signal;
  }

  /**
   * Shortens the message's visibility, and begins to renew it. Resolves after the first request, which tells a message
   * that was delivered too late: then it is lost.
   */
  async start(): Promise<void> {
    // The queue's own timeout is longer than this.
    this.#expectRenewalBy(performance.now());
    await this.#renew();
  }

  /** Ends the renewal. Once it resolves, none is under way that could undo a later change of the visibility. */
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

  /** @param hiddenFrom When the request that hid the message was sent. */
  #expectRenewalBy(hiddenFrom: number): void {
    clearTimeout(this.#deadline);
    if (this.#stopped || this.lost.aborted) return;
    const { visibilityMilliseconds } = this.#options;
    const latest = hiddenFrom + visibilityMilliseconds * (1 - LOST_SHARE);
    this.#deadline = setTimeout(
      () => this.#lose(new Error("the visibility of its control message could not be renewed in time")),
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
