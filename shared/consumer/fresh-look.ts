import { isStopping } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";

/**
 * Looks whether a run is being stopped, as of now: an answer from before does not serve, unlike those of `RunWatch`. At most
 * one request per run is under way; all who ask meanwhile share the one that follows it.
 */
export class FreshLook {
  readonly #runs: Pick<Runs, "find">;
  readonly #underWay = new Map<string, Promise<unknown>>();
  readonly #next = new Map<string, Promise<boolean>>();

  constructor(runs: Pick<Runs, "find">) {
    this.#runs = runs;
  }

  /** @throws What the ledger throws. */
  isStopping(run: string): Promise<boolean> {
    let next = this.#next.get(run);
    if (next === undefined) {
      next = this.#lookAfter(run, this.#underWay.get(run));
      this.#next.set(run, next);
    }
    return next;
  }

  async #lookAfter(run: string, before: Promise<unknown> | undefined): Promise<boolean> {
    // Begins later than its caller's own step, so that it is known as the next one until then.
    await before?.catch(() => {});
    const look = this.#runs.find(run);
    this.#underWay.set(run, look);
    this.#next.delete(run);
    try {
      const found = await look;
      return found !== undefined && isStopping(found);
    } finally {
      if (this.#underWay.get(run) === look) this.#underWay.delete(run);
    }
  }
}
