import type { LiveProgress } from "../../shared/observe/live-progress.ts";
import type { Display } from "./display.ts";
import { writeJson } from "./write-json.ts";

const INTERVAL_MILLISECONDS = 1_000;

/** Prints the progress for machines: at most one JSON object per second. */
export class JsonLines implements Display {
  #nextAt = 0;

  // The first line of the output must say that the run has started.
  starting(): void {}

  show(progress: LiveProgress): void {
    const now = Date.now();
    if (now < this.#nextAt) return;
    this.#nextAt = now + INTERVAL_MILLISECONDS;
    const { total, secondsLeft, ...rest } = progress;
    writeJson({ type: "progress", ...rest, total: total ?? null, secondsLeft: secondsLeft ?? null });
  }

  say(line: string): void {
    writeJson({ type: "message", message: line });
  }

  end(): void {}
}
