import type { ReceivedMessage } from "../aws/received-message.ts";
import type { RunMode } from "./run-watch.ts";

/**
 * The states of a message that an invocation has. `docs/internals/consumer.md` describes them.
 *
 * - `looking up`: the consumer asks the ledger about the item and its run.
 * - `waiting`: the message waits for a slot.
 * - `attempting`: the task runs.
 * - `recording`: the outcome is written; then the message is deleted or returned to the queue.
 */
export type MessageState = "looking up" | "waiting" | "attempting" | "recording";

const NEXT_STATES: Readonly<Record<MessageState, readonly MessageState[]>> = {
  "looking up": ["waiting", "recording"],
  waiting: ["attempting", "recording"],
  attempting: ["recording"],
  recording: [],
};

/** How a message came to this invocation, how long its attempt may wait to begin, and how long it stays hidden. */
export interface Delivery {
  /** `batch`: in the invocation's event. `receive`: the consumer received it itself. */
  readonly origin: "batch" | "receive";
  /**
   * The latest time at which its attempt may begin, in the clock's milliseconds: until then, its visibility timeout and the
   * invocation's time cover the attempt. `undefined` if the consumer has not set the visibility timeout itself.
   */
  readonly beginsBy: number | undefined;
  /**
   * Until when no other consumer can receive the message, in the clock's milliseconds: the end of the visibility timeout
   * that the consumer has set. `undefined`: for longer than the invocation, because the queue's own timeout is six times
   * the function's.
   */
  readonly heldUntil: number | undefined;
}

/** One message that the invocation has. */
export class MessageInHand {
  readonly message: ReceivedMessage;
  readonly delivery: Delivery;
  /**
   * What must be done with the messages of its run, by the latest answer of the ledger. `undefined` before the first
   * answer.
   */
  mode: RunMode | undefined;
  readonly #messages: MessagesInHand;
  #state: MessageState = "looking up";

  constructor(message: ReceivedMessage, delivery: Delivery, messages: MessagesInHand) {
    this.message = message;
    this.delivery = delivery;
    this.#messages = messages;
  }

  get state(): MessageState {
    return this.#state;
  }

  /** @throws {Error} The transition is not allowed: a mistake in the consumer. */
  enter(state: MessageState): void {
    if (!NEXT_STATES[this.#state].includes(state)) {
      throw new Error(`a message that is in the state "${this.#state}" cannot enter the state "${state}"`);
    }
    this.#messages.move(this.#state, state);
    this.#state = state;
  }

  /**
   * The message is deleted or returned to the queue. It may end in any state: a message that could not be settled stays
   * hidden until its visibility timeout is over.
   */
  end(): void {
    this.#messages.remove(this);
  }
}

/** All messages that an invocation has, each in exactly one state. */
export class MessagesInHand {
  readonly #messages = new Set<MessageInHand>();
  readonly #counts: Record<MessageState, number> = { "looking up": 0, waiting: 0, attempting: 0, recording: 0 };

  /** Adds a message, in the state `looking up`. */
  add(message: ReceivedMessage, delivery: Delivery): MessageInHand {
    const added = new MessageInHand(message, delivery, this);
    this.#messages.add(added);
    this.#counts["looking up"]++;
    return added;
  }

  /** How many messages are in a state. */
  in(state: MessageState): number {
    return this.#counts[state];
  }

  get isEmpty(): boolean {
    return this.#messages.size === 0;
  }

  /** Whether an attempt runs, or a message that waits for a slot has the mode `work`. */
  get hasWork(): boolean {
    if (this.#counts.attempting > 0) return true;
    for (const { state, mode } of this.#messages) if (state === "waiting" && mode === "work") return true;
    return false;
  }

  /** For `MessageInHand`. */
  move(from: MessageState, to: MessageState): void {
    this.#counts[from]--;
    this.#counts[to]++;
  }

  /** For `MessageInHand`. */
  remove(message: MessageInHand): void {
    if (this.#messages.delete(message)) this.#counts[message.state]--;
  }
}
