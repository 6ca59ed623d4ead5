import type { Queue } from "../../aws/queue.ts";
import { MOST_RECEIVED_MESSAGES } from "../../aws/quotas.ts";
import type { ReceivedMessage } from "../../aws/received-message.ts";
import type { TaskLogger } from "../../base/task.ts";
import { BacklogWatch } from "../backlog-watch.ts";
import { messagesToAskFor, type SlotState } from "./refill-policy.ts";

/** How a consumer receives more messages itself, while its batch runs. */
export interface RefillOptions {
  /** No message is received after it, in the clock's milliseconds: an invocation must end to be replaced. */
  readonly until: number;
  /** How long a received message may wait in hand for a slot. */
  readonly waitingMilliseconds: number;
  /** Covers all that may still happen to a received message: its wait, its attempt, and recording it. */
  readonly visibilityTimeoutSeconds: number;
}

export interface IntakeOptions {
  readonly queue: Queue;
  readonly refill?: RefillOptions | undefined;
  /** Slots of the whole fleet. */
  readonly concurrency: number;
  readonly logger: TaskLogger;
  readonly now: () => number;
}

/** A poll is never aborted, as that would hide the messages it just received: so it must be short. */
const WAIT_SECONDS = 1;

/** A queue that holds messages mostly answers sooner. */
const ANSWER_MILLISECONDS = 10;

/** Who works on what is received. */
export interface Receiver {
  /** Takes what one poll brought. Never rejects. */
  readonly receive: (messages: readonly ReceivedMessage[]) => Promise<void>;
  /** Called when there may be reason to ask for more. */
  readonly advance: () => void;
}

/**
 * Receives messages for the slots. What becomes free in one turn of the event loop is asked for together.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #backlog: BacklogWatch;
  readonly #receiver: Receiver;
  /** Polls under way, the oldest first, and how many messages they ask for. */
  readonly #polls = new Set<{ readonly begunAt: number }>();
  #asked = 0;
  #looking = false;
  #ended = false;
  #lastWasEmpty = false;
  /** The queue gave little when it was last asked. */
  #dry = true;

  constructor(options: IntakeOptions, receiver: Receiver) {
    this.#options = options;
    this.#backlog = new BacklogWatch(options.queue, options.now, receiver.advance);
    this.#receiver = receiver;
  }

  /** Whether messages may be on their way. */
  get polling(): boolean {
    return this.#looking || this.#polls.size > 0;
  }

  /** Whether the queue gave little when it was last asked. */
  get dry(): boolean {
    return this.#dry;
  }

  /**
   * Whether messages are likely to come at once: the queue gave much when it was last asked, and is being asked again.
   */
  get expecting(): boolean {
    return !this.#dry && !this.#isEmpty && (this.#looking || this.#polls.size > 0);
  }

  /** Tells how many messages the mapping's batch had: a small one says that the queue gives little. */
  noteBatch(messages: number): void {
    this.#dry = messages < MOST_RECEIVED_MESSAGES;
  }

  /** Asks, at the end of this turn, for as many messages as are wanted then. */
  ask(state: () => SlotState, onNone: () => void): void {
    const { now, running } = state();
    if (this.#options.refill === undefined || this.#looking || !this.#makesSense(now, running)) return;
    this.#looking = true;
    const look = () => {
      this.#looking = false;
      const asked = this.#send(state());
      if (asked === 0) onNone();
    };
    // Where nothing runs any more, what has ended is recorded first.
    setImmediate(() => (state().running ? look() : setImmediate(look)));
  }

  // An empty queue is asked again only while something runs anyway.
  #makesSense(now: number, running: boolean): boolean {
    const until = this.#options.refill?.until ?? 0;
    return !this.#ended && now < until && (running || this.#polls.size > 0 || !this.#lastWasEmpty);
  }

  /** Whether a poll waits: one that found any messages would not. */
  get #isEmpty(): boolean {
    const [oldest] = this.#polls;
    return oldest !== undefined && this.#options.now() - oldest.begunAt >= ANSWER_MILLISECONDS;
  }

  /** Nothing is received after it. */
  end(): void {
    this.#ended = true;
    this.#backlog.end();
  }

  /** Whether messages may be received that no slot is free for yet. */
  #mayStock({ slots, underWay, running, inHand, now, meanMilliseconds, producing }: SlotState): boolean {
    const { concurrency, refill } = this.#options;
    const { until = 0, waitingMilliseconds = 0 } = refill ?? {};
    // What waits for a slot then must still find one in this invocation, and be missed by no other environment.
    if (this.#dry || !running || now >= until - waitingMilliseconds) return false;
    // To find it out takes a request, and the first slots are not to wait for that.
    if (slots - underWay - inHand - this.#asked >= MOST_RECEIVED_MESSAGES) return false;
    return this.#backlog.fillsSlots(concurrency, meanMilliseconds, producing);
  }

  #send(state: SlotState): number {
    if (!this.#makesSense(state.now, state.running)) return 0;
    const wanted = messagesToAskFor({
      ...state,
      polls: this.#polls.size,
      asked: this.#asked,
      mayStock: this.#mayStock(state),
      dry: this.#dry,
    });
    for (const max of wanted) void this.#poll(max, state);
    return wanted.length;
  }

  async #poll(max: number, { running, producing }: SlotState): Promise<void> {
    const poll = { begunAt: this.#options.now() };
    this.#polls.add(poll);
    this.#asked += max;
    let messages: readonly ReceivedMessage[] = [];
    try {
      messages = await this.#options.queue.receive({
        max,
        // A second of waiting with nothing under way is paid for: the mapping waits for nothing.
        waitSeconds: running || producing ? WAIT_SECONDS : 0,
        visibilityTimeoutSeconds: this.#options.refill?.visibilityTimeoutSeconds ?? 0,
      });
      this.#lastWasEmpty = messages.length === 0;
      this.#dry = messages.length * 2 < max || messages.length === 0;
    } catch (error) {
      // The mapping goes on to deliver: this invocation works off what it has.
      this.#ended = true;
      this.#options.logger.warn("could not receive more messages", { error });
    } finally {
      this.#asked -= max;
      this.#polls.delete(poll);
    }
    await this.#receiver.receive(messages);
  }
}
