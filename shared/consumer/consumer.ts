import type { ReceivedMessage } from "../aws/received-message.ts";
import { publish } from "../base/events.ts";
import { NewerVersionError } from "../base/newer-version.ts";
import { STARTING_SECONDS } from "../definition/topology.ts";
import { type ItemMessage, receiveOf } from "../messages/item-message.ts";
import { type AttemptOutcome, requestedWait } from "./attempts/attempt.ts";
import type { IsolatedOutcome } from "./attempts/isolated-attempts.ts";
import { ItemAttempts, type ItemAttemptsOptions } from "./attempts/item-attempts.ts";
import type { PendingState } from "./attempts/receive-history.ts";
import type { CodeWatch } from "./code-watch.ts";
import { type LookedUp, LookUp } from "./look-up.ts";
import { type Delivery, type MessageInHand, MessagesInHand } from "./messages-in-hand.ts";
import { Disposal } from "./outcomes/disposal.ts";
import { type NextStep, nextStep } from "./outcomes/next-step.ts";
import { LEAVE, type Outcome } from "./outcomes/outcome.ts";
import { Recorder, type RecorderOptions } from "./outcomes/recorder.ts";
import { longestWait, mostUnrecorded, mostWaiting } from "./outcomes/recording-limits.ts";
import { noPlaceDelay, notStartedDelay } from "./outcomes/return-delays.ts";
import { RunWatch } from "./run-watch.ts";
import { FixedSlots } from "./slots/fixed-slots.ts";
import { Intake, type RefillOptions } from "./slots/intake.ts";
import { MeanDuration } from "./slots/mean-duration.ts";
import type { SlotState } from "./slots/refill-policy.ts";
import type { SlotSupplier, SlotUse } from "./slots/slot-supplier.ts";

export interface ConsumerOptions extends RecorderOptions, ItemAttemptsOptions {
  /** The slots of the whole fleet. */
  readonly concurrency: number;
  /** The slots of this consumer. */
  readonly tasksPerEnvironment: number;
  /** Decides which message may start when. Default: `tasksPerEnvironment` slots. */
  readonly slots?: SlotSupplier;
  /** `undefined`: the consumer processes its batch only. */
  readonly refill?: RefillOptions | undefined;
  /** Keeps what is known of runs from one invocation to the next. Default: nothing is kept. */
  readonly runWatch?: RunWatch;
  /** Knows which runs began with other code. All invocations of a process share it. Default: nothing is noticed. */
  readonly codeWatch?: CodeWatch;
}

type Found = Extract<LookedUp, { tag: "found" }>;

/** How long a message may wait for a slot before the ledger is asked about its run again. */
const RUN_ANSWER_HOLDS_MILLISECONDS = 1_000;

/**
 * An attempt may begin this much after the last receive, because part of the time that is reserved for starting the
 * invocation is still left.
 */
const LATE_MILLISECONDS = 1_000;

/** How long an attempt is expected to take before one has ended. */
const EXPECTED_MILLISECONDS = 1_000;

/**
 * Processes the messages of one invocation, and returns the ids of those that must not be deleted. It never throws because of
 * a task.
 *
 * Each message goes through these states: look up → wait for a slot → attempt → record → delete or return. See
 * `docs/internals/consumer.md`. A slot that becomes free is filled at once: with a message of the batch, or with one that the
 * consumer receives itself until `refill.until`. So an environment never waits for the slowest task of a batch.
 *
 * A consumer serves one invocation. Several may share a process.
 *
 * @example
 * const consumer = new Consumer(options);
 * const failedIds = await consumer.consume(messages, deadline);
 */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #messages = new MessagesInHand();
  readonly #runWatch: RunWatch;
  readonly #lookUp: LookUp;
  readonly #slots: SlotSupplier;
  readonly #attempts: ItemAttempts;
  readonly #recorder: Recorder;
  readonly #disposal: Disposal;
  readonly #intake: Intake;
  readonly #meanDuration = new MeanDuration();
  readonly #idle = Promise.withResolvers<void>();
  /** When recording must begin, in the clock's milliseconds. */
  #deadline = 0;
  /**
   * Resolves when the visibility timeout of the batch is set. No attempt begins before: an attempt that ends the
   * process would hide the whole batch for the queue's own, longer timeout. Messages of the batch are also not returned
   * before that.
   */
  #visibilitySet: Promise<void> = Promise.resolve();
  #isRetired = false;

  constructor(options: ConsumerOptions) {
    const { runs, now, queue, logger, refill } = options;
    this.#options = options;
    this.#runWatch = options.runWatch ?? new RunWatch(runs, now);
    this.#runWatch.begin();
    this.#lookUp = new LookUp({ ...options, runWatch: this.#runWatch });
    this.#slots = options.slots ?? new FixedSlots(options.tasksPerEnvironment);
    this.#attempts = new ItemAttempts(options);
    this.#recorder = new Recorder({
      ...options,
      longestWait: () => longestWait(this.#meanDuration.milliseconds ?? 0),
      mostWaiting: () => mostWaiting(this.#slots.size),
    });
    this.#disposal = new Disposal({ queue, logger, now, deletesBatch: refill !== undefined });
    this.#intake = new Intake(options, {
      slotState: () => this.#slotState(),
      receive: (messages, begunAt) => {
        const heldUntil = this.#heldUntil(begunAt);
        void this.#take(messages, { origin: "receive", beginsBy: this.#beginsBy(), heldUntil });
      },
      onChange: () => this.#changed(),
      onNotNeeded: () => this.#checkIdle(),
    });
  }

  /**
   * Processes a batch, and the messages that the consumer receives itself. Called once.
   *
   * @param deadline When recording must begin, in the clock's milliseconds.
   * @returns The ids of the batch's messages that must be received again.
   */
  async consume(batch: readonly ReceivedMessage[], deadline: number): Promise<readonly string[]> {
    this.#deadline = deadline;
    const { refill } = this.#options;
    if (refill !== undefined) this.#visibilitySet = this.#setVisibility(batch, refill);
    this.#intake.noteBatch(batch.length);
    this.#slots.begin?.({ wanted: () => this.#wanted(), onChange: () => this.#changed() });
    const heldUntil = this.#heldUntil(this.#options.now());
    void this.#take(batch, { origin: "batch", beginsBy: this.#beginsBy(STARTING_SECONDS * 1_000), heldUntil });
    // More messages follow a full batch. Slots that the batch leaves free need not wait until the batch is looked up.
    if (!this.#intake.isQueueLow) this.#changed();
    await this.#idle.promise;
    this.#intake.end();
    await Promise.all([this.#recorder.finish(), this.#slots.end?.()]);
    // An environment that ends gives Lambda no answer, so Lambda deletes nothing.
    if (this.#isRetired) this.#disposal.deleteInPlaceOfLambda(batch);
    await this.#disposal.flush();
    return this.#disposal.keptIds;
  }

  /**
   * Whether this environment must not be used again. When `consume` has returned, all messages are deleted or returned, so the
   * environment may end without an answer to Lambda.
   */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** Looks up messages that came together, and processes each of them. Never rejects. */
  async #take(messages: readonly ReceivedMessage[], delivery: Delivery): Promise<void> {
    const items: { readonly inHand: MessageInHand; readonly item: ItemMessage }[] = [];
    for (const message of messages) {
      const inHand = this.#messages.add(message, delivery);
      const read = this.#lookUp.read(message);
      if (read.tag === "item") items.push({ inHand, item: read.item });
      else void this.#settle(inHand, this.#unread({ tag: read.tag, message, error: read.error }, inHand));
    }
    const lookedUp = await this.#lookUp.find(items.map(({ item }) => item));
    // A task may block or end this process at once, and then no request leaves it any more.
    await this.#visibilitySet;
    for (const [position, { inHand, item }] of items.entries()) {
      const found = lookedUp[position];
      if (found !== undefined) void this.#settle(inHand, this.#outcomeOf(inHand, item, found));
    }
    this.#changed();
  }

  /** Records the outcome of a message when it is known, then deletes or returns the message. Never rejects. */
  async #settle(inHand: MessageInHand, outcome: Promise<Outcome>): Promise<void> {
    let disposition = LEAVE;
    try {
      const known = await outcome;
      this.#changed();
      disposition = await this.#recorder.record(known);
    } catch (error) {
      const messageId = inHand.message.id;
      this.#options.logger.error("a message could not be settled, so it will be received again", { messageId, error });
    }
    await this.#disposal.dispose(inHand, disposition);
    inHand.end();
    this.#changed();
  }

  async #unread(outcome: Outcome, inHand: MessageInHand): Promise<Outcome> {
    inHand.enter("recording");
    await this.#visibilitySet;
    return outcome;
  }

  /** Determines the outcome of an item after its look-up. Rejects if nothing can be recorded. */
  async #outcomeOf(inHand: MessageInHand, item: ItemMessage, lookedUp: LookedUp): Promise<Outcome> {
    if (lookedUp.tag === "failed") {
      inHand.enter("recording");
      return this.#notLookedUp(item, lookedUp.error);
    }
    inHand.mode = lookedUp.mode;
    inHand.enter("waiting");
    const reservation = await this.#slots.reserve();
    if (reservation.tag === "refused") {
      inHand.enter("recording");
      return this.#withoutSlot(inHand, item, lookedUp, reservation.hideUntil);
    }
    let use: SlotUse = { tag: "unused" };
    try {
      const current = this.#isOutdated(lookedUp) ? await this.#lookUp.refresh(item, lookedUp) : lookedUp;
      if (current.tag === "failed") return this.#notLookedUp(item, current.error);
      const step = this.#nextStep(inHand, item, current);
      if (step.tag !== "attempt") return step;
      inHand.enter("attempting");
      this.#noteStart();
      const attempted = await this.#attempts.attempt(item, step.state, this.#deadline);
      if (attempted.tag === "attempted") use = this.#noteEnd(attempted.outcome);
      return this.#toOutcome(item, step.state, attempted);
    } finally {
      inHand.enter("recording");
      reservation.slot.release(use);
    }
  }

  #notLookedUp(item: ItemMessage, error: unknown): Outcome {
    if (error instanceof NewerVersionError) return { tag: "newer version", message: item.message, error };
    this.#options.logger.error("a message could not be looked up, so it will be received again", { error });
    return { tag: "not looked up", item };
  }

  #withoutSlot(inHand: MessageInHand, item: ItemMessage, found: Found, hideUntil: number): Outcome {
    const step = this.#nextStep(inHand, item, found);
    if (step.tag !== "attempt") return step;
    const afterMilliseconds = hideUntil - this.#options.now();
    return { tag: "returned", item, state: step.state, afterMilliseconds, isWithoutSlot: true };
  }

  /** Whether the run may have been paused or stopped since the message was looked up. */
  #isOutdated({ at }: Found): boolean {
    return this.#options.now() - at > RUN_ANSWER_HOLDS_MILLISECONDS;
  }

  #nextStep(inHand: MessageInHand, item: ItemMessage, { state, mode }: Found): NextStep {
    const { workflow, now } = this.#options;
    inHand.mode = mode;
    // More messages of a paused run would be received only to be returned. Lambda continues to deliver them.
    if (mode === "pause" && !this.#messages.hasWork) this.#intake.end();
    return nextStep({
      item,
      state,
      mode,
      pausedMilliseconds: this.#runWatch.pausedMilliseconds(item.envelope.run),
      now: now(),
      attempts: workflow.retry.attempts,
      beginsBy: inHand.delivery.beginsBy,
      isRetired: this.#isRetired,
    });
  }

  #noteStart(): void {
    this.#options.metrics.peak("inFlight", this.#messages.in("attempting"));
  }

  #noteEnd(outcome: AttemptOutcome): SlotUse {
    const durationMilliseconds = outcome.endedAt - outcome.startedAt;
    this.#meanDuration.add(durationMilliseconds);
    const { advertisedPerSecond } = outcome;
    if (outcome.tag === "succeeded") return { tag: "succeeded", durationMilliseconds, advertisedPerSecond };
    const wait = requestedWait(outcome);
    if (wait?.kind !== "throttled") return { tag: "failed", durationMilliseconds, advertisedPerSecond };
    this.#options.metrics.count("throttled", 1);
    publish({ event: "throttled" });
    const retryAfterMilliseconds = wait.afterMilliseconds;
    return { tag: "throttled", durationMilliseconds, retryAfterMilliseconds, advertisedPerSecond };
  }

  #toOutcome(item: ItemMessage, state: PendingState, attempted: IsolatedOutcome): Outcome {
    const { workflow, random, now } = this.#options;
    const returned = (afterMilliseconds: number): Outcome => ({ tag: "returned", item, state, afterMilliseconds });
    switch (attempted.tag) {
      case "attempted": {
        const { outcome, failures } = attempted;
        // Crashes that were counted just now are among the failures.
        return { tag: "attempted", item, state: { ...state, failures }, attempt: outcome };
      }
      case "exhausted":
        return { tag: "dead", item, reason: "exhausted", history: { ...state, failures: attempted.failures } };
      case "maybe running":
        return returned(attempted.until - now());
      case "no place":
        return returned(noPlaceDelay(workflow.timeoutMilliseconds, random()));
      case "not started":
        this.#retire(attempted.error);
        return returned(notStartedDelay(receiveOf(item)));
    }
  }

  /**
   * Begins no more attempts. This environment cannot start processes, so it lacks file descriptors or memory: tasks that
   * succeed elsewhere would fail here.
   */
  #retire(error: Error): void {
    this.#intake.end();
    if (this.#isRetired) return;
    this.#isRetired = true;
    this.#options.metrics.count("environmentsRetired", 1);
    this.#options.logger.error(
      "an isolated attempt could not be started, so this environment takes no more messages and is replaced. If it " +
        "happens often, the tasks leave files or sockets open, or the function needs more memory",
      { error },
    );
  }

  /**
   * Called when messages have changed their state: receives more messages if slots are free, and ends the invocation if
   * nothing is left to do.
   */
  #changed(): void {
    this.#intake.plan();
    this.#checkIdle();
  }

  /** Sets how long outcomes may wait to be recorded, and ends the invocation if nothing is left to do. */
  #checkIdle(): void {
    this.#setPace();
    if (this.#messages.isEmpty && !this.#intake.isActive) this.#idle.resolve();
  }

  #setPace(): void {
    if (this.#messages.in("attempting") > 0 || this.#messages.in("waiting") > 0) this.#recorder.setPace("together");
    // Nothing runs. An outcome waits for others only if messages are about to arrive.
    else this.#recorder.setPace(this.#intake.isExpecting ? "soon" : "now");
  }

  /** How many slots may have a message, so that the outcomes of all of them would not be too many unrecorded ones. */
  get #usableSlots(): number {
    const { size } = this.#slots;
    return Math.max(0, Math.min(size, mostUnrecorded(size) - this.#messages.in("recording")));
  }

  #slotState(): SlotState {
    const { stock, holdsShare } = this.#slots;
    return {
      holdsShare,
      now: this.#options.now(),
      slots: this.#usableSlots,
      stock: stock === undefined ? undefined : Math.min(stock, 2 * this.#usableSlots),
      attempting: this.#messages.in("attempting"),
      withoutSlot: this.#messages.in("looking up") + this.#messages.in("waiting"),
      isProducing: this.#runWatch.isProducing,
      meanMilliseconds: this.#meanDuration.milliseconds ?? this.#expectedMilliseconds(),
    };
  }

  /** How many slots this invocation can use now: all of them while it receives messages, and otherwise those of its messages. */
  #wanted(): number {
    if (this.#intake.isSupplied) return this.#options.tasksPerEnvironment;
    return this.#messages.in("looking up") + this.#messages.in("waiting") + this.#messages.in("attempting");
  }

  /**
   * How long an attempt is expected to take before one has ended: short if the timeout is no longer than a prefetched
   * message may wait for its slot, and otherwise the timeout.
   */
  #expectedMilliseconds(): number {
    const { workflow, refill } = this.#options;
    const { timeoutMilliseconds } = workflow;
    return timeoutMilliseconds <= (refill?.waitingMilliseconds ?? 0)
      ? Math.min(EXPECTED_MILLISECONDS, timeoutMilliseconds)
      : timeoutMilliseconds;
  }

  /**
   * The latest time at which the attempt of a message that is received now may begin: until then, its visibility timeout and
   * this invocation cover the attempt.
   *
   * @param lookUpMilliseconds The time for looking the message up that its visibility timeout includes.
   */
  #beginsBy(lookUpMilliseconds = 0): number | undefined {
    const { refill, now } = this.#options;
    if (refill === undefined) return undefined;
    return Math.min(
      now() + lookUpMilliseconds + refill.waitingMilliseconds,
      refill.until + Math.max(lookUpMilliseconds, LATE_MILLISECONDS),
    );
  }

  /** Until when messages are hidden whose visibility timeout this consumer sets at a time. */
  #heldUntil(setAt: number): number | undefined {
    const { refill } = this.#options;
    return refill === undefined ? undefined : setAt + refill.visibilityTimeoutSeconds * 1_000;
  }

  /**
   * Sets the visibility timeout of the batch. The queue's own timeout is six times that of an invocation, and an invocation that
   * refills its slots is long. With a shorter timeout, messages soon become visible again if this process ends. Never rejects.
   */
  async #setVisibility(batch: readonly ReceivedMessage[], { visibilityTimeoutSeconds }: RefillOptions): Promise<void> {
    const { queue, logger } = this.#options;
    const milliseconds = visibilityTimeoutSeconds * 1_000;
    try {
      await queue.changeVisibilities(batch.map(({ receiptHandle }) => ({ receiptHandle, milliseconds })));
    } catch (error) {
      logger.warn("the batch keeps the queue's visibility timeout", { error });
    }
  }
}
