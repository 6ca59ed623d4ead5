/** Waits up to this length are believed at once. A longer one might concern one item only, so another item tries. */
const BELIEVED_MILLISECONDS = 10_000;

/**
 * The wait that the service has asked this environment for. It ends early if an attempt is accepted that started after the
 * refused one.
 */
export class ServiceWait {
  #until = 0;
  #refusedStart = Number.NEGATIVE_INFINITY;
  #tryAt = Number.POSITIVE_INFINITY;
  #tryAfter = BELIEVED_MILLISECONDS;

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

  asked(startedAt: number, now: number, milliseconds: number): void {
    if (this.#until <= now) this.#tryAfter = BELIEVED_MILLISECONDS;
    this.#until = Math.max(this.#until, now + milliseconds);
    this.#refusedStart = Math.max(this.#refusedStart, startedAt);
    if (this.#tryAt === Number.POSITIVE_INFINITY) this.#tryAt = now + this.#tryAfter;
  }

  started(now: number): void {
    if (now >= this.#until) return;
    // The next attempt tries only if this one is refused, too.
    this.#tryAfter *= 2;
    this.#tryAt = now + this.#tryAfter;
  }

  accepted(startedAt: number): void {
    if (startedAt <= this.#refusedStart) return;
    this.#until = 0;
    this.#tryAt = Number.POSITIVE_INFINITY;
    this.#tryAfter = BELIEVED_MILLISECONDS;
  }
}
