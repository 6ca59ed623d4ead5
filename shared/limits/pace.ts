/** A start that is late by this much is made up for: timers and requests are never exact. */
const LATE_MILLISECONDS = 50;

/** A new member of the fleet waits about this long: the others may not know yet that their rates are lower. */
const FIRST_MILLISECONDS = 100;

/** The most starts that are made up for after all slots were taken: their ends space these starts. */
const MOST_AFTER_FULL = 3;

interface NewPace {
  readonly perSecond: number | undefined;
  /** The tokens that the member has been given so far. */
  readonly tokens: number | undefined;
  /** When the latest tokens were given. An epoch that only divides the limit anew gives none. */
  readonly givenAt: number;
  readonly factor: number;
}

/**
 * Spaces the starts of one environment evenly, at its share of the fleet's rate. A new pace begins at a random point of its
 * interval, so the environments of a fleet do not start in lock-step.
 */
export class Pace {
  readonly #random: () => number;
  /** Starts per millisecond. `undefined`: starts are not spaced. */
  #rate: number | undefined;
  #factor = 1;
  /** Starts that are due: at least 1 is needed for the next one. */
  #due = 0;
  #at = 0;
  #tokens: number | undefined;
  #tokensSeen: number | undefined;
  #givenAt: number | undefined;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Sets the pace. Tokens that were given later take the place of those that are left: unused tokens are lost. */
  set(now: number, { perSecond, tokens, givenAt, factor }: NewPace): void {
    this.#advance(now);
    if ((perSecond ?? 0) > 0 && (this.#rate ?? 0) === 0) {
      this.#due = this.#random() - ((perSecond ?? 0) * FIRST_MILLISECONDS) / 1_000;
    }
    this.#rate = perSecond === undefined ? undefined : perSecond / 1_000;
    this.#factor = factor;
    if (tokens === undefined) {
      this.#tokens = undefined;
      return;
    }
    // The name of a member is that of one process. So what was given before its first look is unused.
    if (tokens !== this.#tokensSeen || givenAt !== this.#givenAt)
      this.#tokens = Math.max(0, tokens - (this.#tokensSeen ?? 0));
    this.#tokensSeen = tokens;
    this.#givenAt = givenAt;
  }

  /** Lowers the pace at once, until the next `set`. */
  setFactor(now: number, factor: number): void {
    this.#advance(now);
    this.#factor = factor;
  }

  /** When the next attempt may start: a time that is not later than `now` if it may start now. */
  nextAt(now: number): number {
    this.#advance(now);
    if (this.#tokens !== undefined && this.#tokens < 1) return Number.POSITIVE_INFINITY;
    if (this.#rate === undefined) return now;
    const rate = this.#rate * this.#factor;
    // mutant: space-starts
    return this.#due >= 1 - 1e-6 ? now : rate > 0 ? now + (1 - this.#due) / rate : Number.POSITIVE_INFINITY;
  }

  take(now: number): void {
    this.#advance(now);
    if (this.#tokens !== undefined) this.#tokens--;
    if (this.#rate !== undefined) this.#due = Math.max(0, this.#due - 1);
  }

  /** The latest start did not happen. */
  giveBack(): void {
    if (this.#tokens !== undefined) this.#tokens++;
    if (this.#rate !== undefined) this.#due++;
  }

  #advance(now: number): void {
    const milliseconds = Math.max(0, now - this.#at);
    this.#at = now;
    if (this.#rate === undefined) return;
    const rate = this.#rate * this.#factor;
    // Tokens bound the starts in any window, so starts that were missed are not made up for.
    const most = this.#tokens === undefined ? MOST_AFTER_FULL : 1;
    this.#due = Math.min(this.#due + rate * milliseconds, Math.max(1 + rate * LATE_MILLISECONDS, most));
  }
}
