import { setTimeout } from "node:timers/promises";
import type { Queue } from "../aws/queue.ts";
import { LARGEST_CONCURRENCY, largestMaxBacklog } from "../definition/queued-messages.ts";

/** How often a full queue is looked at. */
const LOOK_MILLISECONDS = 5_000;

/** At most so many messages are sent before the queue is looked at again: consumers and producers change its depth, too. */
const MOST_BETWEEN_LOOKS = 5_000;

export interface QueueRoomOptions {
  readonly queue: Pick<Queue, "depth">;
  /** The most messages that the queue may hold. Default: what is safe for the largest fleet, 66,667. */
  readonly mostMessages?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called when the queue is full, with the number of its messages. */
  readonly onFull?: ((messages: number) => void) | undefined;
  /** Resolves after this many milliseconds, or rejects when the signal fires. Default: a timer of Node. */
  readonly sleep?: ((milliseconds: number, signal: AbortSignal | undefined) => Promise<unknown>) | undefined;
}

const defaultSleep = (milliseconds: number, signal: AbortSignal | undefined) =>
  setTimeout(milliseconds, undefined, { signal });

/**
 * Lets messages into a queue as long as the queue stays below the number of messages that can be in flight. Each message
 * can be: when its item fails again and waits for its backoff, or when its run is paused. See `docs/internals/in-flight.md`.
 */
export class QueueRoom {
  readonly #options: QueueRoomOptions;
  readonly #mostMessages: number;
  #room = 0;

  constructor(options: QueueRoomOptions) {
    this.#options = options;
    this.#mostMessages = options.mostMessages ?? largestMaxBacklog(LARGEST_CONCURRENCY);
  }

  /**
   * Resolves when this many messages may be sent.
   *
   * @returns false if the signal fired first.
   * @throws What SQS throws.
   */
  async wait(messages: number): Promise<boolean> {
    const { queue, signal, onFull, sleep = defaultSleep } = this.#options;
    while (this.#room < messages) {
      if (signal?.aborted) return false;
      const { visible, inFlight, delayed } = await queue.depth();
      const held = visible + inFlight + delayed;
      this.#room = Math.min(MOST_BETWEEN_LOOKS, this.#mostMessages - held);
      if (this.#room >= messages) break;
      onFull?.(held);
      await sleep(LOOK_MILLISECONDS, signal).catch(() => {});
    }
    this.#room -= messages;
    return true;
  }
}
