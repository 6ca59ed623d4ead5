import type { Queue } from "../../aws/queue.ts";

/** The watch asks for the queue's depth again when the last answer is this old. */
export const FRESH_MILLISECONDS = 1_000;

/**
 * The same, while the queue is being filled and the last answer was too small. In the first moments of a run, the first
 * tasks have taken all messages.
 */
export const FILLING_MILLISECONDS = 250;

/**
 * The queue fills the slots if it holds this part of a message for each of them. The count is approximate, and what the slots have
 * taken since it was asked is estimated. With 1, the estimate is too high by a message or two when exactly one message is left for
 * each slot. Then the last message of each slot would be received only when the slot is free, which takes 10 to 20 ms.
 */
export const FILLED_PART = 0.9;

/** Knows approximately how many messages wait in the queue. Callers never wait for a request. */
export class BacklogWatch {
  readonly #queue: Pick<Queue, "depth">;
  readonly #now: () => number;
  #known: { readonly at: number; readonly visible: number } | undefined;
  readonly #onChange: () => void;
  #isAsking = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param onChange Called when the answer of `fillsSlots` may have changed, or when the caller must ask again. */
  constructor(queue: Pick<Queue, "depth">, now: () => number, onChange: () => void) {
    this.#queue = queue;
    this.#now = now;
    this.#onChange = onChange;
  }

  /**
   * Whether the queue holds about one message for each slot of the fleet, after subtracting the messages that the slots
   * have taken since the last answer. `false` if it is not known.
   *
   * @param concurrency The fleet's slots.
   * @param meanMilliseconds How long a task takes a slot.
   * @param isFilling Whether more messages may be sent to the queue.
   */
  fillsSlots(concurrency: number, meanMilliseconds: number, isFilling: boolean): boolean {
    const age = this.#known === undefined ? Number.POSITIVE_INFINITY : this.#now() - this.#known.at;
    const taken = (concurrency * age) / Math.max(1, meanMilliseconds);
    const fills = this.#known !== undefined && this.#known.visible >= FILLED_PART * concurrency + taken;
    const fresh = fills || !isFilling ? FRESH_MILLISECONDS : FILLING_MILLISECONDS;
    if (age >= fresh) void this.#ask();
    // All slots may be taken for a long time, and then nothing else calls this method again.
    else if (!fills && isFilling) this.#timer ??= setTimeout(() => this.#remind(), FILLING_MILLISECONDS).unref();
    return fills;
  }

  /** Ends the reminders. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #remind(): void {
    this.#timer = undefined;
    this.#onChange();
  }

  async #ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const at = this.#now();
    try {
      const { visible } = await this.#queue.depth();
      this.#known = { at, visible };
    } catch {
      // Without an answer nothing is prefetched, and a slot that becomes free waits for a request.
      this.#known = undefined;
    } finally {
      this.#isAsking = false;
    }
    this.#onChange();
  }
}
