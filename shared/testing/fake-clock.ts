import { setImmediate } from "node:timers/promises";
import { type Duration, toMilliseconds } from "../base/duration.ts";
import { ConfigurationError } from "../base/errors.ts";
import { show } from "../base/options.ts";

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

/**
 * A clock that a test moves. `runTask` and `runWorkflow` take it as the option `clock`: then an attempt reaches its timeout
 * when the test moves the clock, and not when the time has passed. It does not change `Date` or `setTimeout` in the task; the
 * fake timers of the test runner do that.
 *
 * @example
 * ```ts
 * const clock = new FakeClock();
 * const attempt = runTask(workflow, item, { clock });
 * await Promise.all([expect(attempt).rejects.toThrow(TaskTimeoutError), clock.advance({ seconds: 10 })]);
 * ```
 */
export class FakeClock {
  #now: number;
  readonly #timers = new Set<Timer>();
  readonly #starting = new Set<Promise<void>>();

  /**
   * @param startsAt The first time: a date, its ISO 8601 text, or milliseconds since 1970. Default: 2026-01-01T00:00:00Z.
   * @throws {ConfigurationError} It is no date.
   */
  constructor(startsAt: Date | string | number = "2026-01-01T00:00:00Z") {
    this.#now = new Date(startsAt).getTime();
    if (!Number.isFinite(this.#now)) {
      throw new ConfigurationError(`FakeClock takes a date, but got ${show(startsAt)}: write "2026-01-01T00:00:00Z"`);
    }
  }

  /** The time in milliseconds since 1970. */
  now(): number {
    return this.#now;
  }

  /**
   * Moves the clock forward, and fires the timers that become due, in their order. The promise resolves when the code that
   * they called has run.
   *
   * @throws {ConfigurationError} It is no duration.
   */
  async advance(by: Duration): Promise<void> {
    const end = this.#now + toMilliseconds(by, { option: "FakeClock.advance(by)" });
    await Promise.all(this.#starting);
    // The attempt may not have started its timer yet.
    await setImmediate();
    for (let timer = this.#nextDue(end); timer !== undefined; timer = this.#nextDue(end)) {
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.at);
      timer.fire();
      await setImmediate();
    }
    this.#now = Math.max(this.#now, end);
    await setImmediate();
  }

  /**
   * Calls a function when the clock has moved on by a time.
   *
   * @returns A function that ends the timer.
   * @internal
   */
  startTimer(milliseconds: number, fire: () => void): () => void {
    const timer = { at: this.#now + milliseconds, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /**
   * Moves the clock to a time at which no timer is due.
   *
   * @internal
   */
  jumpTo(time: number): void {
    this.#now = Math.max(this.#now, time);
  }

  /**
   * Makes `advance` wait until a run has started its first attempts.
   *
   * @returns A function that the run calls then.
   * @internal
   */
  awaitStart(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#starting.add(promise);
    return () => {
      this.#starting.delete(promise);
      resolve();
    };
  }

  #nextDue(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer;
    return next;
  }
}
