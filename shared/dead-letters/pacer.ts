import { setTimeout } from "node:timers/promises";

export interface PacerOptions {
  /** The highest number of dead letters in one second. If it is absent, there is no limit. */
  readonly ratePerSecond?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Resolves after this many milliseconds, or rejects when the signal fires. Default: a timer of Node. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<unknown>;
}

const defaultSleep = (milliseconds: number, signal: AbortSignal | undefined) =>
  setTimeout(milliseconds, undefined, { signal });

/**
 * A step moves at most as many dead letters as the rate allows in half a second, so that the work is spread evenly. A
 * step moves at least one.
 */
const STEPS_PER_SECOND = 2;
const LARGEST_STEP = 80;

/** Limits a redrive to a rate. */
export class Pacer {
  readonly #options: PacerOptions;
  #freeAt = 0;

  constructor(options: PacerOptions) {
    this.#options = options;
  }

  /** How many dead letters one step moves. */
  get step(): number {
    const { ratePerSecond = Number.POSITIVE_INFINITY } = this.#options;
    return Math.min(LARGEST_STEP, Math.max(1, Math.floor(ratePerSecond / STEPS_PER_SECOND)));
  }

  /** Resolves when this many dead letters may be moved. @returns false if the signal fired first. */
  async wait(deadLetters: number): Promise<boolean> {
    const { ratePerSecond, signal, now, sleep = defaultSleep } = this.#options;
    if (signal?.aborted) return false;
    if (ratePerSecond === undefined) return true;
    const pause = this.#freeAt - now();
    if (pause > 0) await sleep(pause, signal).catch(() => {});
    if (signal?.aborted) return false;
    this.#freeAt = Math.max(this.#freeAt, now()) + (deadLetters * 1_000) / ratePerSecond;
    return true;
  }
}
