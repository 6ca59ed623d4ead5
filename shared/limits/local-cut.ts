/** The longest pause after throttles in a row, if the service does not say how long to wait. */
const LONGEST_PAUSE_MILLISECONDS = 1_000;

/** The first pause if no rate is known. Each further throttle doubles it. */
const FIRST_PAUSE_MILLISECONDS = 20;

/** By how much the first throttle lowers the environment's rate until the fleet's limit follows. */
const FIRST_FACTOR = 0.9;

/** By how much each further throttle lowers it, if nothing was accepted in between. */
const NEXT_FACTOR = 0.7;

const LOWEST_FACTOR = 0.05;

export interface LocalThrottle {
  readonly now: number;
  /** When the refused attempt started. */
  readonly startedAt: number;
  /** Attempts in flight after it. */
  readonly inFlight: number;
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
  #factor = 1;
  #until = 0;
  /** Throttles since an attempt was accepted that started after the one before. */
  #inRow = 0;
  #lastAt = Number.NEGATIVE_INFINITY;
  /** Whether the throttles are reported; a number is the epoch in which they were. */
  #report: "none" | "due" | "under way" | number = "none";

  /** The most attempts in flight. */
  get slots(): number {
    return this.#slots;
  }

  /** The part of the share's rate that is used. */
  get factor(): number {
    return this.#factor;
  }

  /** No attempt starts before this time. */
  get until(): number {
    return this.#until;
  }

  /** Whether there were throttles that no report contains. */
  get isReportDue(): boolean {
    return this.#report === "due";
  }

  throttled({ now, startedAt, inFlight, perSecond, random }: LocalThrottle): void {
    // Attempts that were under way when the cut began say nothing new.
    const isNew = startedAt >= this.#lastAt;
    this.#report = "due";
    if (perSecond === undefined)
      this.#slots = Math.max(1, Math.min(this.#slots, inFlight - (isNew ? 2 ** this.#inRow - 1 : 0)));
    if (!isNew) return;
    this.#lastAt = now;
    if (perSecond !== undefined) {
      this.#factor = Math.max(LOWEST_FACTOR, this.#factor * (this.#inRow === 0 ? FIRST_FACTOR : NEXT_FACTOR));
    }
    const first = perSecond === undefined ? FIRST_PAUSE_MILLISECONDS : 1_000 / perSecond;
    const pause = Math.min(LONGEST_PAUSE_MILLISECONDS, first * 2 ** this.#inRow);
    this.#until = Math.max(this.#until, now + pause * (0.5 + random));
    this.#inRow = Math.min(this.#inRow + 1, 10);
  }

  /** An attempt was not refused. */
  accepted(startedAt: number): void {
    if (startedAt >= this.#lastAt) this.#inRow = 0;
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
    this.#slots = Number.POSITIVE_INFINITY;
    this.#factor = 1;
    this.#until = 0;
    this.#report = "none";
  }
}
