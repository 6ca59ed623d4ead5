/** Requests that are worked on in one turn. */
const PER_TURN = 6;

/**
 * Works on a few requests in each turn of the event loop. A client may send twenty at once, and worked on together they
 * would hold up all else for ten milliseconds: what execution environments say, whose slots stand idle meanwhile, and
 * timers.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #next: NodeJS.Immediate | undefined;

  /** Does some work when it is its turn. */
  take<T>(work: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
      this.#next ??= setImmediate(() => this.#turn());
    });
  }

  #turn(): void {
    const works = this.#waiting.splice(0, PER_TURN);
    this.#next = this.#waiting.length > 0 ? setImmediate(() => this.#turn()) : undefined;
    for (const work of works) work();
  }
}
