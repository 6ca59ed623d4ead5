import type { Queue } from "../aws/queue.ts";
import type { RunRecord } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";

/** The share of the time that may be spent on counting, which reads all pages of the run. */
const SHARE_OF_TIME = 0.1;
const SHORTEST_PAUSE_MILLISECONDS = 300;

/**
 * Whether redriven items of a run that has ended are still pending.
 *
 * - `at work`: some are pending, and the queue holds messages.
 * - `none`: all have settled again.
 * - `lost`: some are pending, but the queue is empty. It was purged, or its retention period is over.
 */
export type RedrivenItems = "at work" | "none" | "lost";

/** Counts from time to time which items of a run are pending again after a redrive. */
export class RedriveProgress {
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

  /** Returns `at work` without counting if the last count was a short time ago. */
  async check(run: RunRecord): Promise<RedrivenItems> {
    if (!run.redriven) return "none";
    const began = this.#now();
    if (began < this.#nextAt) return "at work";
    // The queue is read first. An item that settles after that still has its message in this count.
    const { visible, inFlight, delayed } = await this.#queue.depth();
    const { pending } = await this.#runs.counts(run);
    const ended = this.#now();
    this.#nextAt = ended + Math.max(SHORTEST_PAUSE_MILLISECONDS, (ended - began) / SHARE_OF_TIME);
    if (pending === 0) return "none";
    return visible + inFlight + delayed === 0 ? "lost" : "at work";
  }
}
