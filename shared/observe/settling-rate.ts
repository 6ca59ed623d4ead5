/** How far back the rate reaches: long enough to be steady, short enough to follow changes. */
const WINDOW_MILLISECONDS = 5_000;

/** Computes how many items a run settles per second. */
export class Pace {
  readonly #samples: { at: number; settled: number }[] = [];

  /**
   * Adds a sample and returns the rate over the last five seconds.
   *
   * @param at Milliseconds since any fixed moment.
   * @param settled How many items are settled at that time.
   */
  rate(at: number, settled: number): number {
    this.#samples.push({ at, settled });
    while (this.#samples.length > 2 && (this.#samples[1]?.at ?? at) < at - WINDOW_MILLISECONDS) this.#samples.shift();
    const first = this.#samples[0];
    if (first === undefined || at === first.at) return 0;
    return ((settled - first.settled) * 1_000) / (at - first.at);
  }
}
