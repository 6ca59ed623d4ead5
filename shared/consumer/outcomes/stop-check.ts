import { isStopping } from "../../ledger/run-record.ts";
import type { RunStates } from "../../ledger/run-states.ts";

/**
 * Asks the ledger whether a run is being stopped now. `RunWatch` may answer from its cache; this check never does: its
 * request begins after the call. At most one request per run is in flight. All calls that are made in the meantime
 * share the next request.
 */
export class StopCheck {
  readonly #runs: Pick<RunStates, "find">;
  /** By run: the latest request, which may be answered already. */
  readonly #latest = new Map<string, Promise<unknown>>();
  readonly #next = new Map<string, Promise<boolean>>();

  constructor(runs: Pick<RunStates, "find">) {
    this.#runs = runs;
  }

  /** @throws What the ledger throws. */
  isStopping(run: string): Promise<boolean> {
    let next = this.#next.get(run);
    if (next === undefined) {
      next = this.#askAfter(run, this.#latest.get(run));
      this.#next.set(run, next);
    }
    return next;
  }

  async #askAfter(run: string, before: Promise<unknown> | undefined): Promise<boolean> {
    // This `await` also lets the caller add this call to `#next` before the request begins.
    await before?.catch(() => {});
    const request = this.#runs.find(run);
    this.#latest.set(run, request);
    this.#next.delete(run);
    const found = await request;
    return found !== undefined && isStopping(found);
  }
}
