import type { Queue } from "../../aws/queue.ts";
import type { Runs } from "../../ledger/runs.ts";
import { continueEntry } from "../../messages/control.ts";

/** The counts are exact, so they cost a few reads: when many items die at once, one look a while is enough. */
const SHORTEST_PAUSE_MILLISECONDS = 1_000;

export interface ToleranceWatchOptions {
  readonly runs: Pick<Runs, "stopBeyondTolerance">;
  readonly controlQueue: Pick<Queue, "sendControl">;
  readonly now: () => number;
}

/** Stops a run of which more items die than are tolerated. */
export class ToleranceWatch {
  readonly #options: ToleranceWatchOptions;
  /** Runs of which items died, and when they were looked at last. */
  readonly #looks = new Map<string, { at: number; due: boolean }>();

  constructor(options: ToleranceWatchOptions) {
    this.#options = options;
  }

  /** Notes that an item of a run died, and looks whether it must be stopped, if it has not just done so. */
  async noteDeath(run: string): Promise<void> {
    const look = this.#looks.get(run);
    const now = this.#options.now();
    if (look !== undefined && now - look.at < SHORTEST_PAUSE_MILLISECONDS) look.due = true;
    else await this.#look(run, now);
  }

  /** Looks at the runs whose latest deaths were not looked at. */
  async finish(): Promise<void> {
    for (const [run, { due }] of this.#looks) if (due) await this.#look(run, this.#options.now());
  }

  async #look(run: string, at: number): Promise<void> {
    const look = { at, due: false };
    this.#looks.set(run, look);
    const { runs, controlQueue } = this.#options;
    const stopped = await runs.stopBeyondTolerance(run).catch((error) => {
      // There may be no later death to look again.
      look.due = true;
      throw error;
    });
    if (stopped === undefined) return;
    // The producer may be waiting for room in the queue, or have ended: it is to close the run.
    await controlQueue.sendControl(continueEntry({ run, workflow: stopped.workflow, hop: stopped.hop + 1 }));
  }
}
