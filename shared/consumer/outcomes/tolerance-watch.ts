import type { Queue } from "../../aws/queue.ts";
import type { RunStates } from "../../ledger/run-states.ts";
import { continueEntry } from "../../messages/control.ts";

/** If many items die, their deaths are counted together, once in this time. */
const SHORTEST_INTERVAL_MILLISECONDS = 1_000;

export interface ToleranceWatchOptions {
  readonly runs: Pick<RunStates, "stopBeyondTolerance">;
  readonly controlQueue: Pick<Queue, "sendControl">;
  readonly now: () => number;
}

/** Stops a run when more of its items have died than its workflow tolerates. */
export class ToleranceWatch {
  readonly #options: ToleranceWatchOptions;
  /** Runs whose items died: when their deaths were counted last, how many were not counted yet, and whether a check is due. */
  readonly #checks = new Map<string, { at: number; uncounted: number; due?: boolean }>();
  readonly #unlimited = new Set<string>();
  /** Runs that were stopped, and whose producer was told. */
  readonly #told = new Set<string>();

  constructor(options: ToleranceWatchOptions) {
    this.#options = options;
  }

  /**
   * Notes that an item of a run died, and checks whether the run must be stopped, unless it was checked a moment ago.
   *
   * @throws What the ledger or SQS throws. The next death, or `finish`, checks again.
   */
  async noteDeath(run: string): Promise<void> {
    if (this.#unlimited.has(run)) return;
    const check = this.#checks.get(run) ?? { at: Number.NEGATIVE_INFINITY, uncounted: 0 };
    this.#checks.set(run, check);
    check.uncounted++;
    const now = this.#options.now();
    if (now - check.at < SHORTEST_INTERVAL_MILLISECONDS) return;
    check.at = now;
    await this.#check(run, check);
  }

  /**
   * Checks the runs whose items have died since their last check.
   *
   * @throws What the ledger or SQS throws, after all runs have been checked.
   */
  async finish(): Promise<void> {
    const errors: unknown[] = [];
    for (const [run, check] of this.#checks) {
      if (check.uncounted === 0 && !check.due) continue;
      await this.#check(run, check, { soon: true }).catch((error) => errors.push(error));
    }
    if (errors.length > 0) throw errors[0];
  }

  async #check(run: string, check: { uncounted: number; due?: boolean }, options = {}): Promise<void> {
    const { runs, controlQueue } = this.#options;
    const deaths = check.uncounted;
    check.uncounted = 0;
    check.due = false;
    const verdict = await runs.stopBeyondTolerance(run, deaths, options).catch((error) => {
      // If no other item dies, no later death checks again. The deaths may be counted twice, which makes a check early.
      check.uncounted += deaths;
      throw error;
    });
    if (verdict.tag === "due") check.due = true;
    if (verdict.tag === "not limited") this.#unlimited.add(run);
    if (verdict.tag !== "stopped" || this.#told.has(run)) return;
    const { id, workflow, hop } = verdict.run;
    // The producer must close the run. It may be waiting for room in the queue, or it may have ended.
    await controlQueue.sendControl(continueEntry({ run: id, workflow, hop: hop + 1 }));
    this.#told.add(run);
  }
}
