/** Requests that run in one tick of the event loop. */
const PER_TICK = 6;

/** At least this many of these requests send messages, if so many are waiting. */
const SENDS_PER_TICK = 2;

/** `send` for a request that sends messages, `other` for all others. */
export type RequestKind = "send" | "other";

/**
 * Runs a few requests in each tick of the event loop. A client may send twenty requests at once. If they all ran in one
 * tick, they would delay timers and the reports of the execution environments by ten milliseconds.
 *
 * Other requests run before requests that send messages. A producer has twenty such requests under way, each with ten
 * messages, and does not wait for each of them. Without this order, a consumer that waits for one short answer would
 * wait for all twenty.
 */
export class RequestScheduler {
  readonly #sends: (() => void)[] = [];
  readonly #others: (() => void)[] = [];
  #next: NodeJS.Immediate | undefined;

  /** Runs `work` in one of the next ticks. Calls of one kind run in the order in which they were scheduled. */
  schedule<T>(kind: RequestKind, work: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      (kind === "send" ? this.#sends : this.#others).push(() => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
      this.#next ??= setImmediate(() => this.#tick());
    });
  }

  #tick(): void {
    const reserved = Math.min(SENDS_PER_TICK, this.#sends.length);
    const others = this.#others.splice(0, PER_TICK - reserved);
    const sends = this.#sends.splice(0, PER_TICK - others.length);
    this.#next = this.#others.length + this.#sends.length > 0 ? setImmediate(() => this.#tick()) : undefined;
    for (const work of [...others, ...sends]) work();
  }
}
