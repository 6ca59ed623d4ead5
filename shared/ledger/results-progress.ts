import type { LedgerStore } from "../aws/table.ts";
import type { Json } from "../base/json.ts";
import type { ResultsSettings } from "../definition/results-options.ts";
import { runKey } from "./keys.ts";
import type { Announce } from "./roll-up.ts";
import { RESULTS_VERSION, type RunRecord } from "./run-record.ts";

/** The attributes of the row of a new run with results. */
export const resultAttributes = ({ format, include }: ResultsSettings): Readonly<Record<string, Json>> => ({
  results: { version: RESULTS_VERSION, format, include },
  manifest: 0,
  compactionsAsked: 0,
  compactionsDone: 0,
  compactedBlocks: 0,
});

/** How far the compaction of a run's results has come. See `docs/internals/results.md`. */
export class RunResultsProgress {
  readonly #store: LedgerStore;
  readonly #announce: Announce | undefined;

  constructor(store: LedgerStore, announce: Announce | undefined) {
    this.#store = store;
    this.#announce = announce;
  }

  /**
   * Asks for a compaction of a run's results, unless one is under way. The message is sent before the run's row is updated.
   * If the caller ends in between, the next caller sends the same message, and the queue drops it.
   */
  async ask({ id, workflow, results }: RunRecord): Promise<void> {
    if (this.#announce === undefined || results === undefined) return;
    if (results.compactionsAsked > results.compactionsDone) return;
    const round = results.compactionsDone + 1;
    await this.#announce({ run: id, workflow, compaction: round });
    await this.#store.update(runKey(id), {
      set: { compactionsAsked: round },
      when: [{ atMost: ["compactionsAsked", round - 1] }],
    });
  }

  /** Notes that a compaction is done. */
  async done(run: string, round: number, compactedBlocks: number): Promise<void> {
    await this.#store.update(runKey(run), {
      set: { compactionsDone: round, compactedBlocks },
      when: [{ atMost: ["compactionsDone", round] }],
    });
  }

  /** Notes that a manifest was written. */
  async setManifest(run: string, version: number): Promise<void> {
    await this.#store.update(runKey(run), { set: { manifest: version }, when: [{ atMost: ["manifest", version] }] });
  }
}
