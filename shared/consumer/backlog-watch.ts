import type { Queue } from "../queue.ts";

/** A depth as old as this is asked for anew. */
const FRESH_MILLISECONDS = 1_000;

/** Knows about how many messages wait in the queue, without anybody waiting for it. */
export class BacklogWatch {
  readonly #queue: Pick<Queue, "depth">;
  readonly #now: () => number;
  #known: { readonly at: number; readonly visible: number } | undefined;
  readonly #onKnown: () => void;
  #asking = false;

  /** @param onKnown Called when the answer to `fillsSlots` may have changed. */
  constructor(queue: Pick<Queue, "depth">, now: () => number, onKnown: () => void) {
    this.#queue = queue;
    this.#now = now;
    this.#onKnown = onKnown;
  }

  /**
   * Whether the queue holds another message for each of the fleet's slots, though they have taken some since it was
   * looked at. Not known is no.
   *
   * @param concurrency The fleet's slots.
   * @param meanMilliseconds For how long a task takes one.
   */
  fillsSlots(concurrency: number, meanMilliseconds: number): boolean {
    const age = this.#known === undefined ? Number.POSITIVE_INFINITY : this.#now() - this.#known.at;
    if (age >= FRESH_MILLISECONDS) void this.#ask();
    if (this.#known === undefined) return false;
    const taken = (concurrency * age) / Math.max(1, meanMilliseconds);
    return this.#known.visible >= concurrency + taken;
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const at = this.#now();
    try {
      const { visible } = await this.#queue.depth();
      this.#known = { at, visible };
    } catch {
      // Nothing depends on it: without it, slots wait for a request when they become free.
      this.#known = undefined;
    } finally {
      this.#asking = false;
    }
    this.#onKnown();
  }
}
