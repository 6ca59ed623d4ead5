import type { LiveProgress } from "../../shared/observe/live-progress.ts";
import type { Display } from "./display.ts";
import { count } from "./format.ts";
import { progressFacts } from "./progress-facts.ts";

const INTERVAL_MILLISECONDS = 2_000;

/** Prints a line of progress every two seconds, if the standard error is not a terminal. */
export class PlainLines implements Display {
  #nextAt = 0;

  starting(step: string): void {
    this.say(`Starting: ${step}`);
  }

  show(progress: LiveProgress): void {
    const now = Date.now();
    if (now < this.#nextAt) return;
    this.#nextAt = now + INTERVAL_MILLISECONDS;
    const { total, succeeded, dead } = progress;
    const of = total === undefined ? "" : ` of ${count(total)}`;
    this.say(`${count(succeeded + dead)}${of} settled: ${[...progressFacts(progress).values()].join(", ")}`);
  }

  say(line: string): void {
    process.stderr.write(`${line}\n`);
  }

  end(): void {}
}
