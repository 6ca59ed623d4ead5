import type { QueueCounts } from "./queue-store.ts";

/** Counts of queues that may be old, as those of SQS are. */
export class LaggingCounts {
  readonly #lagMilliseconds: number;
  readonly #clock: () => number;
  readonly #latest = new Map<string, { readonly at: number; readonly counts: QueueCounts }>();

  /**
   * @param lagMilliseconds How old a count may be.
   * @param clock Returns milliseconds since 1970.
   */
  constructor(lagMilliseconds: number, clock: () => number) {
    this.#lagMilliseconds = lagMilliseconds;
    this.#clock = clock;
  }

  /** The counts of a queue: those of an earlier call, or those that `count` returns if the earlier ones are too old. */
  of(queue: string, count: () => QueueCounts): QueueCounts {
    const now = this.#clock();
    const latest = this.#latest.get(queue);
    if (latest !== undefined && now - latest.at < this.#lagMilliseconds) return latest.counts;
    const counts = count();
    this.#latest.set(queue, { at: now, counts });
    return counts;
  }
}
