import { syncBuiltinESMExports } from "node:module";
import FakeTimers from "@sinonjs/fake-timers";

const realImmediate = globalThis.setImmediate;
const realTimeoutSignal = AbortSignal.timeout;

/** The beginning of every simulated run. */
const START = Date.parse("2026-11-27T08:00:00.000Z");

/**
 * The time of a simulated run. While it is installed, all timers and clocks of this process belong to it. It stands still
 * while code runs, and jumps to the next timer when all code waits for timers.
 */
export class VirtualTime {
  readonly #clock: FakeTimers.Clock;
  /** By how much `Date.now` of the functions is wrong, in milliseconds. */
  shiftMilliseconds = 0;

  constructor() {
    this.#clock = FakeTimers.install({
      now: START,
      toFake: [
        "setTimeout",
        "clearTimeout",
        "setInterval",
        "clearInterval",
        "setImmediate",
        "clearImmediate",
        "Date",
        "performance",
      ],
    });
    // The modules that import named functions from `node:timers/promises` see the replaced ones from now on.
    syncBuiltinESMExports();
    Date.now = () => this.now() + this.shiftMilliseconds;
    AbortSignal.timeout = (milliseconds) => {
      const controller = new AbortController();
      const abort = () =>
        controller.abort(new DOMException("The operation was aborted due to timeout", "TimeoutError"));
      setTimeout(abort, milliseconds);
      return controller.signal;
    };
  }

  /** The milliseconds since 1970, whatever the clocks of the run say. */
  now(): number {
    return this.#clock.now;
  }

  /** Lets the time pass until the promise settles. Rejects if nothing is left that could settle it. */
  async until<Value>(promise: Promise<Value>): Promise<Value> {
    let settled = false;
    const settle = () => {
      settled = true;
    };
    promise.then(settle, settle);
    for (;;) {
      // All promises that can resolve have resolved when the event loop takes its next turn.
      await new Promise<void>((resolve) => realImmediate(resolve));
      if (settled) return await promise;
      if (this.#clock.countTimers() === 0) throw new Error("everything waits, and no timer is left");
      this.#clock.next();
    }
  }

  uninstall(): void {
    this.#clock.uninstall();
    AbortSignal.timeout = realTimeoutSignal;
    syncBuiltinESMExports();
  }
}
