import type { Queue } from "../../aws/queue.ts";
import { MOST_RECEIVED_MESSAGES } from "../../aws/quotas.ts";
import type { ReceivedMessage } from "../../aws/received-message.ts";
import type { TaskLogger } from "../../base/task.ts";
import { BacklogWatch } from "./backlog-watch.ts";
import { isBusy, messagesToReceive, type SlotState } from "./refill-policy.ts";

/** How a consumer receives messages itself, in addition to its batch. */
export interface RefillOptions {
  /** No message is received after this time, in the clock's milliseconds: an invocation must end to be replaced. */
  readonly until: number;
  /** How long a received message may wait for a slot. */
  readonly waitingMilliseconds: number;
  /** Covers everything that may happen to a received message: its wait, its attempt, and recording its outcome. */
  readonly visibilityTimeoutSeconds: number;
}

export interface IntakeOptions {
  readonly queue: Queue;
  /** `undefined`: the consumer receives no messages itself. */
  readonly refill?: RefillOptions | undefined;
  /** The slots of the whole fleet. */
  readonly concurrency: number;
  /** The slots of this environment. */
  readonly tasksPerEnvironment: number;
  readonly logger: TaskLogger;
  readonly now: () => number;
}

/** The consumer, as the intake calls it. */
export interface Receiver {
  /** The slots and messages as they are now. */
  readonly slotState: () => SlotState;
  /**
   * Takes the messages of one request.
   *
   * @param begunAt When the request began, in the clock's milliseconds. The messages are hidden from a later time on.
   */
  readonly receive: (messages: readonly ReceivedMessage[], begunAt: number) => void;
  /** Called when there may be a reason to ask for more. */
  readonly onChange: () => void;
  /** Called when a planned request turned out not to be needed. */
  readonly onNotNeeded: () => void;
}

/** How long SQS may wait for messages. A request is never aborted, because the messages that it received would stay hidden. */
export const WAIT_SECONDS = 1;

/** A queue that holds messages usually answers within this time. */
export const ANSWER_MILLISECONDS = 10;

/**
 * If no slot becomes free for this part of a task's mean duration, the consumer fills up its prefetched messages. If tasks end
 * at different times, slots become free more often than that. Then nearly all requests are for ten messages.
 */
export const QUIET_PART = 0.5;
/** Tasks for which this time is shorter count as short tasks. */
export const SHORTEST_QUIET_MILLISECONDS = 100;

/**
 * Receives messages for the slots of one invocation.
 *
 * `plan` plans a request for the end of the current turn of the event loop, so that all slots which become free in one turn
 * are refilled together. Then as many requests are sent as `messagesToReceive` says. After `end`, none is sent.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #backlog: BacklogWatch;
  readonly #receiver: Receiver;
  /** Requests in flight, the oldest first. */
  readonly #polls = new Set<{ readonly begunAt: number; readonly max: number }>();
  #isPlanned = false;
  #quiet: NodeJS.Timeout | undefined;
  #hasEnded = false;
  #wasLastEmpty = false;
  #isQueueLow = true;
  /** Whether the batch was full, or the latest request brought messages. */
  #isSupplied = false;
  /** Whether the queue has messages that are hidden, as far as the latest answer says. */
  #hasHiddenMessages = false;

  constructor(options: IntakeOptions, receiver: Receiver) {
    this.#options = options;
    this.#backlog = new BacklogWatch(options.queue, options.now, receiver.onChange);
    this.#receiver = receiver;
  }

  /** Whether a request is in flight or planned. */
  get isActive(): boolean {
    return this.#isPlanned || this.#polls.size > 0;
  }

  /** Whether more messages can be received in this invocation, and there seem to be some. */
  get isSupplied(): boolean {
    return this.#isReceiving && this.#isSupplied;
  }

  get #isReceiving(): boolean {
    const { refill, now } = this.#options;
    return refill !== undefined && !this.#hasEnded && now() < refill.until;
  }

  /** Whether the latest request or batch brought few messages. */
  get isQueueLow(): boolean {
    return this.#isQueueLow;
  }

  /**
   * Whether messages are likely to arrive at once: the latest request or batch brought many, and another request
   * follows.
   */
  get isExpecting(): boolean {
    return this.isActive && !this.#isQueueLow && !this.#isQueueEmpty;
  }

  /** Notes the size of the invocation's batch. A small batch shows that the queue holds few messages. */
  noteBatch(messages: number): void {
    this.#isQueueLow = messages < MOST_RECEIVED_MESSAGES;
    this.#isSupplied = !this.#isQueueLow;
  }

  /** Plans a request for the messages that will be missing at the end of this turn. */
  plan(): void {
    if (this.#isPlanned || !this.#isUseful(this.#receiver.slotState())) return;
    this.#isPlanned = true;
    const send = () => {
      this.#isPlanned = false;
      const state = this.#receiver.slotState();
      if (this.#send(state) === 0) this.#receiver.onNotNeeded();
      this.#watchForQuiet(state);
    };
    // If nothing runs any more, the outcomes are recorded before the request is sent.
    setImmediate(() => (isBusy(this.#receiver.slotState()) ? send() : setImmediate(send)));
  }

  /** From now on, no message is received. */
  end(): void {
    this.#hasEnded = true;
    clearTimeout(this.#quiet);
    this.#backlog.end();
  }

  /** Fills up the prefetched messages after a while. With short tasks, slots become free all the time. */
  #watchForQuiet({ meanMilliseconds }: SlotState): void {
    clearTimeout(this.#quiet);
    const milliseconds = QUIET_PART * meanMilliseconds;
    if (this.#hasEnded || milliseconds < SHORTEST_QUIET_MILLISECONDS) return;
    this.#quiet = setTimeout(() => this.#send(this.#receiver.slotState(), true), milliseconds).unref();
  }

  /** Whether a request makes sense now. An empty queue is asked again only while the invocation must wait anyway. */
  #isUseful(state: SlotState): boolean {
    const mayReturn = state.holdsShare === true && this.#hasHiddenMessages;
    return this.#isReceiving && (isBusy(state) || this.#polls.size > 0 || !this.#wasLastEmpty || mayReturn);
  }

  /** Whether the queue seems to be empty. If it held messages, SQS would have answered the oldest request by now. */
  get #isQueueEmpty(): boolean {
    const [oldest] = this.#polls;
    return oldest !== undefined && this.#options.now() - oldest.begunAt >= ANSWER_MILLISECONDS;
  }

  /** How many messages the requests in flight ask for. */
  get #requested(): number {
    let sum = 0;
    for (const { max } of this.#polls) sum += max;
    return sum;
  }

  /** Whether messages may be received before a slot is free for them. */
  #mayPrefetch(state: SlotState): boolean {
    const { concurrency, refill } = this.#options;
    const { until = 0, waitingMilliseconds = 0 } = refill ?? {};
    // A prefetched message must still get a slot in this invocation. If the queue holds few messages, another
    // environment may have a free slot for them.
    if (this.#isQueueLow || !isBusy(state) || state.now >= until - waitingMilliseconds) return false;
    // The backlog is not asked for while many slots are free: the first messages must not wait for that request.
    if (state.slots - state.attempting - state.withoutSlot - this.#requested >= MOST_RECEIVED_MESSAGES) return false;
    return this.#backlog.fillsSlots(concurrency, state.meanMilliseconds, state.isProducing);
  }

  /** Returns how many requests it sent. */
  #send(state: SlotState, isQuiet = false): number {
    if (!this.#isUseful(state)) return 0;
    const requests = messagesToReceive({
      ...state,
      polls: this.#polls.size,
      requested: this.#requested,
      mayPrefetch: this.#mayPrefetch(state),
      isQueueLow: this.#isQueueLow,
      isQuiet,
    });
    // A request that waits while nothing runs costs billed time. Lambda's own polling costs none.
    const waitSeconds = isBusy(state) || state.isProducing || this.#hasHiddenMessages ? WAIT_SECONDS : 0;
    for (const max of requests) void this.#poll(max, waitSeconds);
    return requests.length;
  }

  async #poll(max: number, waitSeconds: number): Promise<void> {
    const { queue, refill, logger, now } = this.#options;
    const poll = { begunAt: now(), max };
    this.#polls.add(poll);
    let messages: readonly ReceivedMessage[] = [];
    try {
      messages = await queue.receive({
        max,
        waitSeconds,
        visibilityTimeoutSeconds: refill?.visibilityTimeoutSeconds ?? 0,
      });
      if (messages.length === 0 && this.#receiver.slotState().holdsShare === true) await this.#lookForHiddenMessages();
      this.#wasLastEmpty = messages.length === 0;
      this.#isSupplied = messages.length > 0;
      this.#isQueueLow = messages.length * 2 < max;
    } catch (error) {
      // Lambda continues to deliver messages. This invocation finishes the messages that it has.
      this.#hasEnded = true;
      logger.warn("could not receive more messages", { error });
    } finally {
      this.#polls.delete(poll);
    }
    this.#receiver.receive(messages, poll.begunAt);
  }

  /**
   * Environments without a share hide their messages. While there are such messages, an environment with a share waits for
   * them. The messages that this environment has are hidden, too.
   *
   * The others may have so few messages that each of them has a slot. Then this environment does not wait, so that its
   * invocation ends and the others get its share.
   */
  async #lookForHiddenMessages(): Promise<void> {
    const { queue, concurrency, tasksPerEnvironment } = this.#options;
    const { attempting, withoutSlot } = this.#receiver.slotState();
    const { visible, inFlight, delayed } = await queue.depth();
    const ofOthers = visible + inFlight + delayed - attempting - withoutSlot;
    this.#hasHiddenMessages = ofOthers > concurrency - tasksPerEnvironment;
  }
}
