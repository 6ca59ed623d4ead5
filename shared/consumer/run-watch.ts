import { isStopping } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";

/** What a run wants of its messages: to be worked on, put back, or dropped unrun. */
export type RunMode = "work" | "pause" | "drain";

/** An answer as old as this is asked for anew, while it still serves. */
const FRESH_MILLISECONDS = 1_000;

/** An answer older than this does not serve: a run that is paused or cancelled is noticed within it. */
const HOLDS_MILLISECONDS = 3_000;

/** Tasks of a run's first messages begin before their run is looked at: requests at once would hold them up. */
const LOOK_AFTER_MILLISECONDS = 50;

/** A process that has seen so many runs forgets what it knows, and looks at those that are left. */
const MOST_RUNS = 100;

/**
 * Looks at the status of the runs whose messages a consumer has, now and then. One for a process: what an invocation has
 * found out serves the next.
 */
export class RunWatch {
  readonly #runs: Pick<Runs, "find">;
  readonly #now: () => number;
  readonly #asking = new Map<string, Promise<RunMode>>();
  readonly #toLookAt = new Set<string>();
  /** When runs were last known to be produced, and when the latest message of each was sent. */
  readonly #producing = new Map<string, number>();
  readonly #sent = new Map<string, number>();
  readonly #answers = new Map<string, { readonly at: number; readonly mode: RunMode }>();

  constructor(runs: Pick<Runs, "find">, now: () => number) {
    this.#runs = runs;
    this.#now = now;
  }

  /** Begins an invocation: an answer that is not fresh serves none of its messages. Meanwhile the run may have been stopped. */
  begin(): void {
    for (const [run, { at }] of this.#answers) if (this.#age(at) >= FRESH_MILLISECONDS) this.#answers.delete(run);
  }

  /**
   * Takes it from a message's first delivery that its run was worked on when it was sent, a moment ago: a producer looks
   * at its run with each page. So the first tasks of a run need not wait for a look of their own. It is made meanwhile.
   */
  noteSent(run: string, at: number): void {
    const now = this.#now();
    // The sender's clock may be ahead.
    this.#sent.set(run, Math.max(Math.min(at, now), this.#sent.get(run) ?? 0));
    if (!this.#answers.has(run)) this.#producing.set(run, now);
  }

  /** @throws What the ledger throws: the message must come again. */
  async mode(run: string): Promise<RunMode> {
    const known = this.#answers.get(run);
    const age = this.#age(known?.at);
    if (known !== undefined && age < FRESH_MILLISECONDS) return known.mode;
    if (known !== undefined && age < HOLDS_MILLISECONDS) {
      // Tasks need not wait for the new answer, as long as the old one serves.
      this.#look(run);
      return known.mode;
    }
    if (!this.#wasJustSent(run)) return await this.#answer(run);
    this.#lookSoon(run);
    return "work";
  }

  #answer(run: string): Promise<RunMode> {
    return this.#asking.get(run) ?? this.#renew(run);
  }

  /** Should it fail, the next message asks again. */
  #look(run: string): void {
    this.#answer(run).catch(() => {});
  }

  #lookSoon(run: string): void {
    if (this.#toLookAt.has(run)) return;
    this.#toLookAt.add(run);
    const look = () => {
      this.#toLookAt.delete(run);
      this.#look(run);
    };
    setTimeout(look, LOOK_AFTER_MILLISECONDS).unref();
  }

  #wasJustSent(run: string): boolean {
    return this.#age(this.#sent.get(run)) < FRESH_MILLISECONDS;
  }

  // Of a time that lies ahead nothing is known: the clock was set back.
  #age(at: number | undefined): number {
    const age = at === undefined ? -1 : this.#now() - at;
    return age < 0 ? Number.POSITIVE_INFINITY : age;
  }

  #renew(run: string): Promise<RunMode> {
    const at = this.#now();
    const asked = this.#ask(run)
      .then((mode) => {
        if (this.#answers.size >= MOST_RUNS) for (const known of [this.#answers, this.#sent]) known.clear();
        this.#answers.set(run, { at, mode });
        return mode;
      })
      .finally(() => this.#asking.delete(run));
    this.#asking.set(run, asked);
    return asked;
  }

  /** Whether the source of any of the runs was still being read when it was last looked at, a moment ago. */
  get producing(): boolean {
    for (const [run, at] of this.#producing) {
      if (this.#age(at) < HOLDS_MILLISECONDS) return true;
      this.#producing.delete(run);
    }
    return false;
  }

  async #ask(id: string): Promise<RunMode> {
    const run = await this.#runs.find(id);
    if (run?.status === "running" && !run.checkpoint.ended) this.#producing.set(id, this.#now());
    else this.#producing.delete(id);
    if (run === undefined) return "work";
    if (run.status === "paused") return "pause";
    return isStopping(run) ? "drain" : "work";
  }
}
