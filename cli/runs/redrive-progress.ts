import type { Queue } from "../../shared/aws/queue.ts";
import type { RunRecord } from "../../shared/ledger/run-record.ts";
import type { Runs } from "../../shared/ledger/runs.ts";

/** Counting reads a run's pages: it may take so much of the time. */
const SHARE_OF_TIME = 0.1;
const SHORTEST_PAUSE_MILLISECONDS = 300;

/**
 * Whether redriven items of a run that has ended are still at work.
 *
 * - `at work`: some are;
 * - `none`: all have settled again;
 * - `lost`: some are pending, and nothing is on the queue: somebody purged it, or they lay there for longer than it keeps
 *   messages.
 */
export type RedrivenState = "at work" | "none" | "lost";

/** Looks now and then at what a run owes again after a redrive. */
export class RedrivenWatch {
  readonly #runs: Pick<Runs, "counts">;
  readonly #queue: Pick<Queue, "depth">;
  readonly #now: () => number;
  #nextAt = 0;

  constructor(
    { runs, queue }: { readonly runs: Pick<Runs, "counts">; readonly queue: Pick<Queue, "depth"> },
    now = Date.now,
  ) {
    this.#runs = runs;
    this.#queue = queue;
    this.#now = now;
  }

  /** `at work` where it is too soon to look again. */
  async look(run: RunRecord): Promise<RedrivenState> {
    if (!run.redriven) return "none";
    const began = this.#now();
    if (began < this.#nextAt) return "at work";
    // The queue first: what settles afterwards was still on it.
    const { visible, inFlight, delayed } = await this.#queue.depth();
    const { pending } = await this.#runs.counts(run);
    const ended = this.#now();
    this.#nextAt = ended + Math.max(SHORTEST_PAUSE_MILLISECONDS, (ended - began) / SHARE_OF_TIME);
    if (pending === 0) return "none";
    return visible + inFlight + delayed === 0 ? "lost" : "at work";
  }
}
