/** The largest pause between two requests. With it, a slow rate still notices that its run was cancelled. */
const LONGEST_PAUSE_MILLISECONDS = 20_000;

/**
 * Keeps the scans of one source below a rate of read units. It learns from each response how much an item costs, asks for
 * as many items as a second of the rate allows, and pauses for as long as the consumed units take.
 */
export class ReadRate {
  readonly #unitsPerSecond: number;
  #unitsPerItem: number | undefined;
  /** What earlier pauses were too short for. */
  #owedMilliseconds = 0;

  constructor(unitsPerSecond: number) {
    this.#unitsPerSecond = unitsPerSecond;
  }

  /** How many items the next request may read. Without experience: one for each unit. */
  limit(): number {
    const items = this.#unitsPerSecond / (this.#unitsPerItem ?? 1);
    return Math.max(1, Math.floor(items));
  }

  /**
   * @param units What the request consumed.
   * @param scanned How many items it read.
   * @returns how long to pause after the request, in milliseconds.
   */
  consumed(units: number, scanned: number): number {
    if (scanned > 0 && units > 0) this.#unitsPerItem = units / scanned;
    const milliseconds = this.#owedMilliseconds + (units / this.#unitsPerSecond) * 1_000;
    const pause = Math.min(milliseconds, LONGEST_PAUSE_MILLISECONDS);
    this.#owedMilliseconds = milliseconds - pause;
    return pause;
  }
}
