import { isStopping } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";

/** What a run wants of its messages: to be worked on, put back, or dropped unrun. */
export type RunMode = "work" | "pause" | "drain";

/** How long an answer holds: a run that is paused or cancelled is noticed within it. */
const HOLDS_MILLISECONDS = 2_000;

/** Looks at the status of the runs whose messages a consumer has, now and then. */
export class RunWatch {
  readonly #runs: Pick<Runs, "find">;
  readonly #now: () => number;
  readonly #answers = new Map<string, { readonly at: number; readonly mode: Promise<RunMode> }>();

  constructor(runs: Pick<Runs, "find">, now: () => number) {
    this.#runs = runs;
    this.#now = now;
  }

  /** @throws What the ledger throws: the message must come again. */
  mode(run: string): Promise<RunMode> {
    const known = this.#answers.get(run);
    if (known !== undefined && this.#now() - known.at < HOLDS_MILLISECONDS) return known.mode;
    const mode = this.#ask(run);
    this.#answers.set(run, { at: this.#now(), mode });
    // Not kept: the next message asks again.
    mode.catch(() => this.#answers.delete(run));
    return mode;
  }

  async #ask(id: string): Promise<RunMode> {
    const run = await this.#runs.find(id);
    if (run === undefined) return "work";
    if (run.status === "paused") return "pause";
    return isStopping(run) ? "drain" : "work";
  }
}
