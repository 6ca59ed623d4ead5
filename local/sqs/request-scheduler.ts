/** Requests that run in one tick of the event loop. */
const PER_TICK = 6;

/**
 * Runs a few requests in each tick of the event loop. A client may send twenty requests at once. If they all ran in one
 * tick, they would delay timers and the reports of the execution environments by ten milliseconds.
 */
export class RequestScheduler {
  readonly #waiting: (() => void)[] = [];
  #next: NodeJS.Immediate | undefined;

  /** Runs `work` in one of the next ticks. Calls run in the order in which they were scheduled. */
  schedule<T>(work: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
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
    const batch = this.#waiting.splice(0, PER_TICK);
    this.#next = this.#waiting.length > 0 ? setImmediate(() => this.#tick()) : undefined;
    for (const work of batch) work();
  }
}
