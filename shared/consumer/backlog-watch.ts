import type { Queue } from "../aws/queue.ts";

/** A depth as old as this is asked for anew. */
const FRESH_MILLISECONDS = 1_000;

/** One that was too small is, while the queue is being filled: in a run's first moments its first tasks have taken all. */
const FILLING_MILLISECONDS = 250;

/** Knows about how many messages wait in the queue, without anybody waiting for it. */
export class BacklogWatch {
  readonly #queue: Pick<Queue, "depth">;
  readonly #now: () => number;
  #known: { readonly at: number; readonly visible: number } | undefined;
  readonly #onKnown: () => void;
  #asking = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param onKnown Called when the answer to `fillsSlots` may have changed, or is to be asked for again. */
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
   * @param filling Whether more messages may be on their way into the queue.
   */
  fillsSlots(concurrency: number, meanMilliseconds: number, filling: boolean): boolean {
    const age = this.#known === undefined ? Number.POSITIVE_INFINITY : this.#now() - this.#known.at;
    const taken = (concurrency * age) / Math.max(1, meanMilliseconds);
    const fills = this.#known !== undefined && this.#known.visible >= concurrency + taken;
    const holds = fills || !filling ? FRESH_MILLISECONDS : FILLING_MILLISECONDS;
    if (age >= holds) void this.#ask();
    // All slots may be taken for long, and nothing else would ask again.
    else if (!fills && filling) this.#timer ??= setTimeout(() => this.#remind(), FILLING_MILLISECONDS).unref();
    return fills;
  }

  /** Calls nobody any more, unless it is asked again. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #remind(): void {
    this.#timer = undefined;
    this.#onKnown();
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
