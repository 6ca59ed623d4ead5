/**
 * Tells when a sequence of positions comes round to one that was there before, of any period, holding only one of them
 * (Brent's algorithm): it is found within about three periods.
 */
export class LoopDetector {
  #saved: string | undefined;
  #steps = 0;
  #power = 1;

  /** Whether the position was there before. */
  isRepeated(position: unknown): boolean {
    const key = JSON.stringify(position);
    if (key === this.#saved) return true;
    this.#steps += 1;
    if (this.#saved === undefined || this.#steps === this.#power) {
      this.#saved = key;
      this.#power *= 2;
      this.#steps = 0;
    }
    return false;
  }
}
