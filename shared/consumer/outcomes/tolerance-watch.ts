import type { Queue } from "../../aws/queue.ts";
import type { Runs } from "../../ledger/runs.ts";
import { continueEntry } from "../../messages/control.ts";

/** A check reads exact counts, which takes several requests. If many items die, one check in this time is enough. */
const SHORTEST_INTERVAL_MILLISECONDS = 1_000;

export interface ToleranceWatchOptions {
  readonly runs: Pick<Runs, "stopBeyondTolerance">;
  readonly controlQueue: Pick<Queue, "sendControl">;
  readonly now: () => number;
}

/** Stops a run when more of its items have died than its workflow tolerates. */
export class ToleranceWatch {
  readonly #options: ToleranceWatchOptions;
  /** Runs whose items died: when each was checked last, and whether items have died since. */
  readonly #checks = new Map<string, { at: number; due: boolean }>();

  constructor(options: ToleranceWatchOptions) {
    this.#options = options;
  }

  /**
   * Notes that an item of a run died, and checks whether the run must be stopped, unless it was checked a moment ago.
   *
   * @throws What the ledger or SQS throws. The next death, or `finish`, checks again.
   */
  async noteDeath(run: string): Promise<void> {
    const check = this.#checks.get(run);
    const now = this.#options.now();
    if (check !== undefined && now - check.at < SHORTEST_INTERVAL_MILLISECONDS) check.due = true;
    else await this.#check(run, now);
  }

  /** Checks the runs whose items have died since their last check. */
  async finish(): Promise<void> {
    for (const [run, { due }] of this.#checks) if (due) await this.#check(run, this.#options.now());
  }

  async #check(run: string, at: number): Promise<void> {
    const check = { at, due: false };
    this.#checks.set(run, check);
    const { runs, controlQueue } = this.#options;
    const stopped = await runs.stopBeyondTolerance(run).catch((error) => {
      // If no other item dies, no later death checks again.
      check.due = true;
      throw error;
    });
    if (stopped === undefined) return;
    // The producer must close the run. It may be waiting for room in the queue, or it may have ended.
    await controlQueue.sendControl(continueEntry({ run, workflow: stopped.workflow, hop: stopped.hop + 1 }));
  }
}
