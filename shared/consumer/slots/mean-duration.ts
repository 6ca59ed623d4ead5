/** Weight of the newest duration in the moving average. */
const NEWEST_WEIGHT = 0.1;

/** A moving average of how long attempts take. The newest durations count most. */
export class MeanDuration {
  #milliseconds: number | undefined;

  /** `undefined` before the first attempt has ended. */
  get milliseconds(): number | undefined {
    return this.#milliseconds;
  }

  add(milliseconds: number): void {
    const mean = this.#milliseconds ?? milliseconds;
    this.#milliseconds = mean + NEWEST_WEIGHT * (milliseconds - mean);
  }
}
