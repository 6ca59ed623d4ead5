import type { Display } from "../screens/display.ts";

/**
 * Handles Ctrl-C and SIGTERM while a run is active. After the first signal, tasks in flight finish and are recorded.
 * After the second signal, the command does not wait for them.
 */
export class RunInterrupts {
  readonly #display: Display;
  readonly #soon = new AbortController();
  readonly #atOnce = new AbortController();

  constructor(display: Display) {
    this.#display = display;
    process.on("SIGINT", this.#onSignal);
    process.on("SIGTERM", this.#onSignal);
  }

  /** Aborted by the first signal. */
  get soon(): AbortSignal {
    return this.#soon.signal;
  }

  /** Aborted by the second signal. */
  get atOnce(): AbortSignal {
    return this.#atOnce.signal;
  }

  stop(): void {
    process.off("SIGINT", this.#onSignal);
    process.off("SIGTERM", this.#onSignal);
  }

  readonly #onSignal = () => {
    if (this.#soon.signal.aborted) this.#atOnce.abort();
    else {
      this.#display.say("Stopping: tasks in flight finish and are recorded. Press Ctrl-C again to stop at once.");
      this.#soon.abort();
    }
  };
}
