import { isStopping } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";

/** What a run wants of its messages: to be worked on, put back, or dropped unrun. */
export type RunMode = "work" | "pause" | "drain";

/** An answer as old as this is asked for anew, while it still serves. */
const FRESH_MILLISECONDS = 1_000;

/** An answer older than this does not serve: a run that is paused or cancelled is noticed within it. */
const HOLDS_MILLISECONDS = 3_000;

/** Looks at the status of the runs whose messages a consumer has, now and then. */
export class RunWatch {
  readonly #runs: Pick<Runs, "find">;
  readonly #now: () => number;
  readonly #asking = new Map<string, Promise<RunMode>>();
  readonly #producing = new Set<string>();
  readonly #sent = new Map<string, number>();
  readonly #answers = new Map<string, { readonly at: number; readonly mode: RunMode }>();

  constructor(runs: Pick<Runs, "find">, now: () => number) {
    this.#runs = runs;
    this.#now = now;
  }

  /**
   * Takes it from a message's first delivery that its run was worked on when it was sent, a moment ago: a producer looks
   * at its run with each page. So the first tasks of a run need not wait for a look of their own. It is made meanwhile.
   */
  noteSent(run: string, at: number): void {
    if (this.#sent.has(run)) return;
    // The sender's clock may be ahead.
    this.#sent.set(run, Math.min(at, this.#now()));
    this.#producing.add(run);
  }

  /** @throws What the ledger throws: the message must come again. */
  async mode(run: string): Promise<RunMode> {
    const known = this.#answers.get(run);
    const age = known === undefined ? Number.POSITIVE_INFINITY : this.#now() - known.at;
    if (known !== undefined && age < FRESH_MILLISECONDS) return known.mode;
    const asked = this.#asking.get(run) ?? this.#renew(run);
    if (known === undefined && this.#wasJustSent(run)) {
      asked.catch(() => {});
      return "work";
    }
    if (known === undefined || age >= HOLDS_MILLISECONDS) return await asked;
    // Tasks need not wait for the new answer, as long as the old one serves. Should it fail, the next message asks again.
    asked.catch(() => {});
    return known.mode;
  }

  #wasJustSent(run: string): boolean {
    return this.#now() - (this.#sent.get(run) ?? Number.NEGATIVE_INFINITY) < FRESH_MILLISECONDS;
  }

  #renew(run: string): Promise<RunMode> {
    const at = this.#now();
    const asked = this.#ask(run)
      .then((mode) => {
        this.#answers.set(run, { at, mode });
        return mode;
      })
      .finally(() => this.#asking.delete(run));
    this.#asking.set(run, asked);
    return asked;
  }

  /** Whether the source of any of the runs was still being read when it was last looked at. */
  get producing(): boolean {
    return this.#producing.size > 0;
  }

  async #ask(id: string): Promise<RunMode> {
    const run = await this.#runs.find(id);
    if (run?.status === "running" && !run.checkpoint.ended) this.#producing.add(id);
    else this.#producing.delete(id);
    if (run === undefined) return "work";
    if (run.status === "paused") return "pause";
    return isStopping(run) ? "drain" : "work";
  }
}
