import type { Queue } from "../queue.ts";
import type { TaskLogger } from "../task.ts";
import type { ReceivedMessage } from "./message.ts";

/** How a consumer receives more messages itself, while its batch runs and a slot is free. */
export interface RefillOptions {
  /** No message is received after it, in the clock's milliseconds: an invocation must end to be replaced. */
  readonly until: number;
  /** Covers all that may still happen to a received message: its attempt, and recording it. */
  readonly visibilityTimeoutSeconds: number;
}

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html */
const MOST_MESSAGES = 10;

/** A poll is never aborted, as that would hide the messages it just received: so it must be short. */
const WAIT_SECONDS = 1;

/**
 * Receives messages for free slots. Slots that become free in one turn of the event loop are filled by one request.
 */
export class Intake {
  readonly #queue: Queue;
  readonly #refill: RefillOptions | undefined;
  readonly #logger: TaskLogger;
  #polling = false;
  #ended = false;
  #lastWasEmpty = false;

  constructor(queue: Queue, refill: RefillOptions | undefined, logger: TaskLogger) {
    this.#queue = queue;
    this.#refill = refill;
    this.#logger = logger;
  }

  get polling(): boolean {
    return this.#polling;
  }

  /** Whether it makes sense to ask: an empty queue is asked again only while something runs anyway. */
  mayPoll(state: { readonly now: number; readonly running: boolean }): boolean {
    if (this.#refill === undefined || this.#polling || this.#ended) return false;
    return state.now < this.#refill.until && (state.running || !this.#lastWasEmpty);
  }

  /** Receives as many messages as `free` says at the end of this turn, and hands them over. Never rejects. */
  async poll(free: () => number, handOver: (messages: readonly ReceivedMessage[]) => Promise<void>): Promise<void> {
    if (this.#refill === undefined) return;
    this.#polling = true;
    try {
      await new Promise(setImmediate);
      if (free() <= 0) return;
      const messages = await this.#queue.receive({
        max: Math.min(MOST_MESSAGES, free()),
        waitSeconds: WAIT_SECONDS,
        visibilityTimeoutSeconds: this.#refill.visibilityTimeoutSeconds,
      });
      this.#lastWasEmpty = messages.length === 0;
      await handOver(messages);
    } catch (error) {
      // The mapping goes on to deliver: this invocation works off what it has.
      this.#ended = true;
      this.#logger.warn("could not receive more messages", { error });
    } finally {
      this.#polling = false;
    }
  }
}
