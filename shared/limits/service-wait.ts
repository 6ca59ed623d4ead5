/** After this many refused attempts in a row, the wait concerns the whole service. Before, it might concern one item only. */
const BELIEVED_AFTER = 3;

/** How long the environment waits at first before another item tries, while the wait is not believed. */
const FIRST_TRY_MILLISECONDS = 1_000;

/** A wait that is believed is interrupted by one attempt after this time, then after twice this time, and so on. */
const LONGEST_MILLISECONDS = 10_000;

/**
 * The wait that the service has asked this environment for. It ends early if an attempt is accepted that started after the
 * refused one: then the wait concerned one item, such as one tenant over its quota.
 */
export class ServiceWait {
  #until = 0;
  #refusedStart = Number.NEGATIVE_INFINITY;
  #tryAt = Number.POSITIVE_INFINITY;
  #inRow = 0;

  /** No attempt starts before this time, except one at `tryAt`. */
  get until(): number {
    return this.#until;
  }

  get tryAt(): number {
    return this.#tryAt;
  }

  mayTry(now: number): boolean {
    return now >= this.#tryAt;
  }

  /** Until when the service asks everyone to wait. `undefined`: not at all, or it might concern one item only. */
  believedUntil(now: number): number | undefined {
    return this.#until > now && this.#inRow >= BELIEVED_AFTER ? this.#until : undefined;
  }

  asked(startedAt: number, now: number, milliseconds: number): void {
    this.#inRow++;
    this.#until = Math.max(this.#until, now + milliseconds);
    this.#refusedStart = Math.max(this.#refusedStart, startedAt);
    this.#planTry(now);
  }

  started(now: number): void {
    // One attempt tries. The next one waits until the outcome of this one is known.
    if (now < this.#until) this.#planTry(now);
  }

  accepted(startedAt: number): void {
    if (startedAt <= this.#refusedStart) return;
    this.#until = 0;
    this.#tryAt = Number.POSITIVE_INFINITY;
    this.#inRow = 0;
  }

  #planTry(now: number): void {
    const doublings = Math.max(0, this.#inRow - BELIEVED_AFTER);
    this.#tryAt =
      now +
      (this.#inRow < BELIEVED_AFTER
        ? FIRST_TRY_MILLISECONDS * 2 ** (this.#inRow - 1)
        : LONGEST_MILLISECONDS * 2 ** Math.min(doublings, 10));
  }
}
