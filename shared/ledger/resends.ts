import type { LedgerStore } from "../aws/table.ts";
import { toStoredText } from "../base/exact-json.ts";
import { runKey } from "./keys.ts";
import type { Resend, RunRecord } from "./run-record.ts";

/**
 * Resends: the producer reads the source of a run again from the beginning, and sends the pending items again. SQS deletes
 * messages after the queue's retention, so a run that was paused for long may have lost some.
 */
export class Resends {
  readonly #store: LedgerStore;

  constructor(store: LedgerStore) {
    this.#store = store;
  }

  /** Asks for a resend of a run that has not ended. The producer starts it with its next continuation. */
  async request(id: string): Promise<void> {
    const place: Resend = { cursor: undefined, skip: 0, pages: 0, items: 0, ended: false, missing: 0 };
    await this.#store.update(runKey(id), {
      set: { resend: toStoredText(place) },
      remove: ["missing"],
      when: [{ oneOf: ["status", ["running", "paused", "failed"]] }, { absent: "completedAt" }],
    });
  }

  /**
   * Records how far the source was read again. If another producer has taken up the run in between, nothing is recorded.
   *
   * @param isFurther Whether this slice has made progress. Progress resets the number of failed slices to 0.
   */
  async record({ id, hop }: RunRecord, place: Resend, isFurther: boolean): Promise<void> {
    await this.#store.update(runKey(id), {
      set: { resend: toStoredText(place), failedSlices: isFurther ? 0 : undefined },
      when: [{ equals: ["hop", hop] }],
    });
  }

  /** Records that all pending items are on the queue again. */
  async end(id: string): Promise<void> {
    await this.#store.update(runKey(id), { remove: ["resend"] });
  }

  /** Fails a run that has pending items which are neither on the queue nor in the source. */
  async fail(id: string, failure: string): Promise<void> {
    await this.#store.update(runKey(id), {
      set: { status: "failed", failure, missing: true },
      remove: ["resend"],
      when: [{ equals: ["status", "running"] }],
    });
  }
}
