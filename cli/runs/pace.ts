/** Where a run stands, as it is shown while it works. */
export interface Progress {
  readonly produced: number;
  /** Items of the whole run, once they are known: the source has ended, or the run has a limit. */
  readonly total: number | undefined;
  readonly inFlight: number;
  readonly succeeded: number;
  readonly retried: number;
  readonly dead: number;
  /** Settled items a second, over the last few seconds. */
  readonly rate: number;
  readonly secondsLeft: number | undefined;
  /** Where nothing has been under way for a while, and something is pending nevertheless. */
  readonly waiting?: Waiting;
  /** Seconds until the source may be read again, where its service asked to wait. */
  readonly sourceWaitSeconds?: number;
}

/** Messages that nobody receives yet: they wait for another attempt, or for the process that died with them. */
export interface Waiting {
  readonly items: number;
  /** Seconds until the first of them comes. */
  readonly nextInSeconds: number;
}

/** How far back the rate looks: long enough to be calm, short enough to follow. */
const WINDOW_MILLISECONDS = 5_000;

/** The pace of a run, from the counts it is told now and then. */
export class Pace {
  readonly #samples: { at: number; settled: number }[] = [];

  /** Items a second up to now. */
  rate(at: number, settled: number): number {
    this.#samples.push({ at, settled });
    while (this.#samples.length > 2 && (this.#samples[1]?.at ?? at) < at - WINDOW_MILLISECONDS) this.#samples.shift();
    const first = this.#samples[0];
    if (first === undefined || at === first.at) return 0;
    return ((settled - first.settled) * 1_000) / (at - first.at);
  }
}
