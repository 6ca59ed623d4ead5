/** The longest pause after throttles in a row, if the service does not say how long to wait. */
const LONGEST_PAUSE_MILLISECONDS = 1_000;

/** The first pause if no rate is known. Each further throttle doubles it. */
const FIRST_PAUSE_MILLISECONDS = 20;

/** By how much the first throttle lowers the environment's rate until the fleet's limit follows. */
const FIRST_FACTOR = 0.97;

/** The most that the first throttle of a probe takes from the rate. */
const MOST_FIRST_CUT = 0.2;

/** By how much each further throttle lowers it, if nothing was accepted in between. */
const NEXT_FACTOR = 0.7;

/** By how much each accepted attempt brings the rate back to what was safe. */
const RECOVERY = 0.15;

const LOWEST_FACTOR = 0.05;

export interface LocalThrottle {
  readonly now: number;
  /** When the refused attempt started. */
  readonly startedAt: number;
  /** Attempts in flight after it. */
  readonly inFlight: number;
  /** The environment's share of the slots that the service is known to bear. 0: nothing is known. */
  readonly safeSlots: number;
  /** The part of the rate that the service is known to bear. */
  readonly safePart: number;
  /** The environment's share of the rate. */
  readonly perSecond: number | undefined;
  readonly random: number;
}

/**
 * What an environment does at once when the service refuses its attempts: it uses no more slots than the service has just
 * accepted, and starts attempts more slowly. The cut ends when a share arrives whose epoch has counted the throttles.
 */
export class LocalCut {
  #slots = Number.POSITIVE_INFINITY;
  /** The part of the rate to which the environment returns after throttles in a row. */
  #safePart = 1;
  #found: number | undefined;
  #factor = 1;
  #isCareful = false;
  #until = 0;
  /** Throttles in a row: an accepted attempt that started after the latest throttle ends the row. */
  #inRow = 0;
  #lastAt = Number.NEGATIVE_INFINITY;
  /** Whether the throttles are reported; a number is the epoch in which they were. */
  #report: "none" | "due" | "under way" | number = "none";

  /** The most attempts in flight. */
  get slots(): number {
    return Math.floor(this.#slots);
  }

  /** The attempts in flight that the service accepted when it refused another one. `undefined`: it has refused none. */
  get found(): number | undefined {
    return this.#found;
  }

  /** The part of the share's rate that is used. */
  get factor(): number {
    return this.#factor;
  }

  /** No attempt starts before this time. */
  get until(): number {
    return this.#until;
  }

  /** When the latest throttle arrived. Attempts that had started before the previous throttle do not count. */
  get since(): number {
    return this.#lastAt;
  }

  /** Whether there were throttles that no report contains. */
  get isReportDue(): boolean {
    return this.#report === "due";
  }

  /** Others were refused: begins with one slot, and doubles the slots with each round of accepted attempts until one is refused. */
  beginCarefully(): void {
    this.#isCareful = true;
    this.#slots = 1;
    this.#found = 1;
    this.#report = "due";
  }

  throttled({ now, startedAt, inFlight, perSecond, safeSlots, safePart, random }: LocalThrottle): void {
    // Attempts that were under way when the cut began say nothing new.
    const isNew = startedAt >= this.#lastAt;
    this.#report = "due";
    this.#isCareful = false;
    // Of attempts that started together, the last one that was refused knows best.
    this.#found = Math.max(1, isNew || this.#found === undefined ? inFlight : Math.min(this.#found, inFlight));
    if (perSecond === undefined) {
      const accepted = this.#inRow === 0 ? Math.max(inFlight, safeSlots) : inFlight;
      this.#slots = Math.max(1, Math.min(this.#slots, accepted - (isNew ? 2 ** this.#inRow - 1 : 0)));
    }
    if (!isNew) return;
    this.#lastAt = now;
    this.#safePart = safePart;
    if (perSecond !== undefined) {
      const first = Math.max(Math.min(FIRST_FACTOR, safePart), (1 - MOST_FIRST_CUT) * this.#factor);
      const next = this.#inRow === 0 ? Math.min(first, FIRST_FACTOR * this.#factor) : NEXT_FACTOR * this.#factor;
      this.#factor = Math.max(LOWEST_FACTOR, next);
    }
    const first = perSecond === undefined ? FIRST_PAUSE_MILLISECONDS : 1_000 / perSecond;
    const pause = Math.min(LONGEST_PAUSE_MILLISECONDS, first * 2 ** this.#inRow);
    this.#until = Math.max(this.#until, now + pause * (0.5 + random));
    this.#inRow = Math.min(this.#inRow + 1, 10);
  }

  /**
   * An attempt was not refused.
   *
   * @param isKnown Whether the fleet has a limit. Until then, the environment searches on its own: one more slot each time that all
   *   of its slots were accepted.
   */
  accepted(startedAt: number, isKnown: boolean): void {
    if (startedAt < this.#lastAt) return;
    this.#inRow = 0;
    const back = Math.min(FIRST_FACTOR, this.#safePart);
    if (this.#factor < back) this.#factor += RECOVERY * (back - this.#factor);
    if (isKnown || this.#found === undefined) return;
    this.#slots += this.#isCareful ? 1 : 1 / this.#slots;
    this.#found = Math.max(this.#found, Math.floor(this.#slots) - 1);
  }

  /** A report begins. It contains all throttles so far. */
  beginReport(): void {
    if (this.#report === "due") this.#report = "under way";
  }

  /** The report has been added in an epoch. The shares of the next epoch take it into account. */
  endReport(epoch: number): void {
    if (this.#report === "under way") this.#report = epoch;
    else if (typeof this.#report === "number" && epoch > this.#report) this.end();
  }

  end(): void {
    this.#found = undefined;
    this.#slots = Number.POSITIVE_INFINITY;
    this.#factor = 1;
    this.#isCareful = false;
    this.#until = 0;
    this.#report = "none";
  }
}
