import type { ReceivedMessage } from "../aws/received-message.ts";
import { MalformedMessageError, toError } from "../base/errors.ts";
import { NewerVersionError } from "../base/newer-version.ts";
import type { TaskLogger } from "../base/task.ts";
import { countWaits } from "../base/waits.ts";
import { STARTING_SECONDS } from "../definition/topology.ts";
import type { ItemState } from "../ledger/ledger.ts";
import { parseEnvelope } from "../messages/envelope.ts";
import { addressOf, identityOf } from "../messages/item-address.ts";
import type { ItemMessage } from "../messages/item-message.ts";
import { type AttemptOutcome, runAttempt } from "./attempts/attempt.ts";
import { isSuspect, type Pending, Suspects, type SuspectsOptions } from "./attempts/suspect-attempts.ts";
import { Deleter } from "./outcomes/deleter.ts";
import { Settlement, type SettlementOptions } from "./outcomes/settlement.ts";
import { type RunMode, RunWatch } from "./run-watch.ts";
import { Intake, type RefillOptions } from "./slots/intake.ts";
import type { SlotState } from "./slots/refill-policy.ts";

export interface ConsumerOptions extends SettlementOptions, SuspectsOptions {
  /** Slots of the whole fleet, and of this consumer. */
  readonly concurrency: number;
  readonly tasksPerEnvironment: number;
  /** Absent: the consumer works on its batch alone. */
  readonly refill?: RefillOptions | undefined;
  /** What the process knows of the runs, from one invocation to the next. Default: nothing. */
  readonly runWatch?: RunWatch;
  /** The task's logger, with what it runs on in each line. */
  readonly taskLogger: (fields: Readonly<Record<string, string | number>>) => TaskLogger;
}

/** A message with all that is known of it, waiting for a slot. */
interface Work {
  readonly item: ItemMessage;
  readonly state: ItemState;
  readonly mode: RunMode;
  readonly settled: Settled;
  /** Until when its attempt may begin, where the consumer has set its visibility itself: of all, if it refills its slots. */
  readonly beginsBy: number | undefined;
  /** When its run was last looked at. */
  readonly lookedAt: number;
}

/** Where messages came from, and what is to be done with them once they are settled. */
interface Delivery {
  readonly settled: Settled;
  readonly beginsBy?: number | undefined;
}

/** Called once a message's outcome is recorded (it is to be deleted), or is not (it must come again). */
type Settled = (message: ReceivedMessage, deletable: boolean) => void;

const NEVER_SEEN = { tag: "pending", failures: [], final: undefined, receives: new Map() } as const satisfies ItemState;

/** Outcomes that may wait to be recorded, for each slot, before no more messages are received. */
const UNRECORDED_PER_SLOT = 10;

/** How long a message may wait for a slot on what its run wanted when it came. */
const LOOK_HOLDS_MILLISECONDS = 1_000;

/** An attempt may begin so long after the last receive: the time that an invocation has to start is not used up. */
const LATE_MILLISECONDS = 1_000;

/** Of an attempt, before one has ended. */
const ASSUMED_MILLISECONDS = 1_000;

/** Of the latest attempt's duration, in their mean. */
const LATEST_WEIGHT = 0.1;

/**
 * Works through the messages of one invocation, and says which of them are not to be deleted. It never throws for a
 * task's sake: a message whose outcome could not be recorded is reported, and comes again.
 *
 * A slot that is free is filled: with the batch's messages, and then with those that the consumer receives itself,
 * until `refill.until`. So an environment never waits for the slowest task of a batch. A few messages are received before
 * a slot is free for them, so that it need not wait for the request either.
 *
 * Made anew for each invocation: several may share a process.
 */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #settlement: Settlement;
  readonly #runWatch: RunWatch;
  readonly #suspects: Suspects;
  readonly #intake: Intake;
  readonly #deleter: Deleter;
  readonly #waiting: Work[] = [];
  /** Attempts under way: slots that are taken. */
  #underWay = 0;
  /** Messages that are looked up, or whose outcome is being recorded. */
  #unrecorded = 0;
  /** Items that are looked up, each of which may want a slot. */
  #lookedUp = 0;
  /** How long an attempt took lately: the latest weigh most. */
  #meanMilliseconds: number | undefined;
  /** When recording must begin, in the clock's milliseconds. */
  #deadline = 0;
  /**
   * Resolves when the batch's visibility is what it should be. No attempt begins before: one that takes the process
   * along would hide its whole batch. Nor is a message of it delayed before.
   */
  #shortened: Promise<void> = Promise.resolve();
  #onIdle: () => void = () => {};
  #isRetired = false;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#settlement = new Settlement(options);
    this.#runWatch = options.runWatch ?? new RunWatch(options.runs, options.now);
    this.#runWatch.begin();
    this.#suspects = new Suspects(options);
    this.#deleter = new Deleter(options.queue, options.logger);
    const settled: Settled = ({ receiptHandle }, deletable) => {
      if (deletable) this.#deleter.delete(receiptHandle);
    };
    this.#intake = new Intake(options, {
      receive: (messages) => this.#admit(messages, { settled, beginsBy: this.#beginsBy() }),
      advance: () => this.#advance(),
    });
  }

  /**
   * @param deadline When recording must begin, in the clock's milliseconds.
   * @returns the ids of the batch's messages that must come again.
   */
  async consume(batch: readonly ReceivedMessage[], deadline: number): Promise<readonly string[]> {
    this.#deadline = deadline;
    const again: string[] = [];
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    const refilling = this.#options.refill !== undefined;
    if (refilling) this.#shortened = this.#shortenVisibility(batch);
    this.#intake.noteBatch(batch.length);
    const settled: Settled = ({ id, receiptHandle }, deletable) => {
      if (!deletable) again.push(id);
      // The mapping would delete it only at the invocation's end, when it may be visible again.
      else if (refilling) this.#deleter.delete(receiptHandle);
    };
    const admitted = this.#admit(batch, { settled, beginsBy: this.#beginsBy(STARTING_SECONDS * 1_000) });
    // Behind a full batch there is more: slots that it leaves free need not wait until it is looked up.
    if (!this.#intake.dry) this.#advance();
    await admitted;
    await idle;
    this.#intake.end();
    await this.#settlement.finish();
    // Nobody answers for a batch whose environment ends: what the mapping would delete is deleted here.
    if (this.#isRetired && !refilling) {
      const done = batch.filter(({ id }) => !again.includes(id));
      for (const { receiptHandle } of done) this.#deleter.delete(receiptHandle);
    }
    await this.#deleter.flush();
    return again;
  }

  /**
   * Whether this environment must not be used again. All messages are deleted or put back by then, so it may end without
   * an answer.
   */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  // The mapping's visibility timeout is that of a whole invocation, six times over. One that refills its slots is long,
  // a message's own work is short: should this process die, its messages are soon received again.
  async #shortenVisibility(batch: readonly ReceivedMessage[]): Promise<void> {
    const { queue, refill, logger } = this.#options;
    const milliseconds = (refill?.visibilityTimeoutSeconds ?? 0) * 1_000;
    try {
      await queue.changeVisibilities(batch.map(({ receiptHandle }) => ({ receiptHandle, milliseconds })));
    } catch (error) {
      logger.warn("the batch keeps the queue's visibility timeout", { error });
    }
  }

  /** Takes messages in: looks up what must be, and gives them to the slots. Never rejects. */
  async #admit(messages: readonly ReceivedMessage[], { settled, beginsBy }: Delivery): Promise<void> {
    const { items, foreign } = this.#parse(messages);
    for (const { message, error } of foreign) {
      const settle = error instanceof NewerVersionError ? "newerVersion" : "foreign";
      void this.#settle(message, settled, () => this.#settlement[settle](message, error));
    }
    this.#unrecorded++;
    this.#lookedUp += items.length;
    try {
      const lookedAt = this.#options.now();
      const lookUps = await Promise.allSettled(await this.#lookUp(items));
      // A task may block or end this process at once, and no request leaves it then.
      await this.#shortened;
      for (const [position, item] of items.entries()) {
        const lookUp = lookUps[position];
        if (lookUp?.status === "fulfilled") {
          this.#waiting.push({ item, settled, beginsBy, lookedAt, ...lookUp.value });
        } else this.#leave(item, settled, lookUp?.reason);
      }
    } finally {
      this.#lookedUp -= items.length;
      this.#unrecorded--;
    }
    this.#advance();
  }

  #leave(item: ItemMessage, settled: Settled, error: unknown): void {
    if (error instanceof NewerVersionError) {
      return void this.#settle(item.message, settled, () => this.#settlement.newerVersion(item.message, error));
    }
    this.#options.logger.error("a message could not be looked up, it will come again", { error });
    void this.#settle(item.message, settled, () => this.#settlement.putOff(item));
  }

  /** What is known of each item, and what its run wants. */
  async #lookUp(items: readonly ItemMessage[]): Promise<readonly Promise<Pick<Work, "state" | "mode">>[]> {
    // Only what may have been here before is read: the first delivery of a message costs no read of its own.
    const known = items.filter(
      ({ message, envelope }) => message.receiveCount > 1 || envelope.resent === true || envelope.dead !== undefined,
    );
    const states =
      known.length === 0
        ? Promise.resolve([])
        : this.#options.ledger.itemStates(known.map(({ envelope }) => addressOf(envelope)));
    for (const { message, envelope } of items) {
      const isFirst = message.receiveCount === 1 && envelope.resent !== true && envelope.dead === undefined;
      if (isFirst && message.sentAt !== undefined) this.#runWatch.noteSent(envelope.run, message.sentAt);
    }
    return items.map(async (item) => {
      const position = known.indexOf(item);
      const [mode, state] = await Promise.all([
        this.#runWatch.mode(item.envelope.run),
        position < 0 ? NEVER_SEEN : states.then((found) => found[position]),
      ]);
      if (state === undefined) throw new Error("the ledger gave no state of an item that was asked for");
      return { state, mode };
    });
  }

  /** Fills the free slots, asks for more messages where they are wanted, and notices the end. */
  #advance(): void {
    while (this.#underWay < this.#options.tasksPerEnvironment) {
      const work = this.#waiting.shift();
      if (work === undefined) break;
      if (this.#options.now() - work.lookedAt > LOOK_HOLDS_MILLISECONDS) void this.#lookAgain(work);
      else void this.#work(work);
    }
    // What is to be recorded at once leaves before the requests for more.
    this.#setPace();
    if (this.#unrecorded < UNRECORDED_PER_SLOT * this.#options.tasksPerEnvironment) {
      this.#intake.ask(
        () => this.#slotState(),
        () => this.#rest(),
      );
    }
    this.#rest();
  }

  #slotState(): SlotState {
    return {
      now: this.#options.now(),
      slots: this.#options.tasksPerEnvironment,
      underWay: this.#underWay,
      running: this.#underWay > 0 || this.#lookedUp > 0,
      producing: this.#runWatch.producing,
      inHand: this.#waiting.length + this.#lookedUp,
      meanMilliseconds: this.#meanMilliseconds ?? this.#assumedMilliseconds(),
    };
  }

  /** How long an attempt takes, before any has ended: short if each ends while a message may wait for its slot. */
  #assumedMilliseconds(): number {
    const { workflow, refill } = this.#options;
    const { timeoutMilliseconds } = workflow;
    return timeoutMilliseconds <= (refill?.waitingMilliseconds ?? 0)
      ? Math.min(ASSUMED_MILLISECONDS, timeoutMilliseconds)
      : timeoutMilliseconds;
  }

  /** Says how long outcomes may wait to be recorded, and whether there is nothing left to do. */
  #rest(): void {
    this.#setPace();
    const atWork = this.#underWay + this.#waiting.length + this.#unrecorded > 0;
    if (!atWork && !this.#intake.polling) this.#onIdle();
  }

  #setPace(): void {
    if (this.#underWay > 0 || this.#waiting.length > 0) this.#settlement.setPace("together");
    // What waits to be recorded with others need not wait if nothing else ends soon.
    else this.#settlement.setPace(this.#intake.expecting ? "soon" : "now");
  }

  /** What waited for a slot may be of a run that was paused or cancelled meanwhile. Never rejects. */
  async #lookAgain(work: Work): Promise<void> {
    const { item, settled } = work;
    this.#lookedUp++;
    this.#unrecorded++;
    try {
      const mode = await this.#runWatch.mode(item.envelope.run);
      // The answer holds from now on, however long it took: else a slow ledger would have it looked at for ever.
      this.#waiting.unshift({ ...work, mode, lookedAt: this.#options.now() });
    } catch (error) {
      this.#leave(item, settled, error);
    } finally {
      this.#lookedUp--;
      this.#unrecorded--;
    }
    this.#advance();
  }

  /** Runs an item's attempt in a slot, and records its outcome when the slot is free again. Never rejects. */
  async #work(work: Work): Promise<void> {
    const { item, state, mode, settled } = work;
    // More of a paused run would be received only to be put back: that is left to the mapping, unless another run works.
    if (mode === "pause" && !this.#worksOnOthers()) this.#intake.end();
    const withoutAttempt =
      this.#settlement.withoutAttempt(item, state, mode, this.#runWatch.pausedMilliseconds(item.envelope.run)) ??
      (this.#isRetired ? () => this.#settlement.putBack(item, state as Pending, 0) : undefined) ??
      (this.#cameTooLate(work) ? () => this.#settlement.cameTooLate(item, state as Pending) : undefined);
    if (withoutAttempt !== undefined) return await this.#settle(item.message, settled, withoutAttempt);
    this.#underWay++;
    this.#settlement.setPace("together");
    this.#options.metrics.peak("inFlight", this.#underWay);
    const startedAt = this.#options.now();
    const attempted = await this.#attempt(item, state as Pending);
    this.#noteDuration(this.#options.now() - startedAt);
    this.#underWay--;
    const recorded = this.#settle(item.message, settled, attempted);
    this.#advance();
    await recorded;
  }

  /** Whether tasks are under way, or messages at hand are of a run that works. */
  #worksOnOthers(): boolean {
    return this.#underWay > 0 || this.#waiting.some(({ mode }) => mode === "work");
  }

  /**
   * Until when a message that is received now may begin: its visibility, and this invocation, cover an attempt until then.
   *
   * @param lookUpMilliseconds What its visibility leaves for looking it up, beside its wait for a slot.
   */
  #beginsBy(lookUpMilliseconds = 0): number | undefined {
    const { refill, now } = this.#options;
    if (refill === undefined) return undefined;
    return Math.min(
      now() + lookUpMilliseconds + refill.waitingMilliseconds,
      refill.until + Math.max(lookUpMilliseconds, LATE_MILLISECONDS),
    );
  }

  /** Tasks took longer than they had before, or the ledger did: it is for another to work on. */
  #cameTooLate({ beginsBy = Number.POSITIVE_INFINITY }: Work): boolean {
    return this.#options.now() > beginsBy;
  }

  #noteDuration(milliseconds: number): void {
    const mean = this.#meanMilliseconds ?? milliseconds;
    this.#meanMilliseconds = mean + LATEST_WEIGHT * (milliseconds - mean);
  }

  /** Makes an item's attempt, and returns how its outcome is to be recorded. Never rejects. */
  async #attempt(item: ItemMessage, state: Pending): Promise<() => Promise<boolean>> {
    const { workflow, random } = this.#options;
    if (!isSuspect(item, state)) {
      const outcome = await this.#run(item, state);
      return () => this.#settlement.attempted(item, outcome, state);
    }
    try {
      const suspect = await this.#suspects.attempt(item, state);
      switch (suspect.tag) {
        case "attempted":
          return () => this.#settlement.attempted(item, suspect.outcome, { ...state, failures: suspect.failures });
        case "exhausted":
          return () => this.#settlement.exhausted(item, { ...state, failures: suspect.failures });
        case "not started":
          this.#retire(suspect.error);
          return () => this.#settlement.notStarted(item, state);
        case "no place":
          return () => this.#settlement.putBack(item, state, 1_000 + random() * workflow.timeoutMilliseconds);
      }
    } catch (error) {
      return () => Promise.reject(error);
    }
  }

  /**
   * Lets what is under way end, and takes nothing more: this environment cannot start processes, so it lacks file
   * descriptors or memory, and tasks would fail in it that succeed elsewhere.
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

  /** Settles a message by `record`, which says whether it is to be deleted. Never rejects. */
  async #settle(message: ReceivedMessage, settled: Settled, record: () => Promise<boolean>): Promise<void> {
    this.#unrecorded++;
    try {
      await this.#shortened;
      settled(message, await record());
    } catch (error) {
      this.#options.logger.error("a message could not be settled, it will come again", {
        messageId: message.id,
        error,
      });
      settled(message, false);
    } finally {
      this.#unrecorded--;
      this.#advance();
    }
  }

  async #run({ envelope }: ItemMessage, { failures, waits }: Pending): Promise<AttemptOutcome> {
    const { workflow, taskLogger, now } = this.#options;
    const { run, page, index } = envelope;
    const attempt = failures.length + 1;
    return await runAttempt({
      task: workflow.task,
      schema: workflow.item,
      item: envelope.item,
      fieldsFrom: workflow.source.fieldsFrom,
      context: {
        attempt,
        waits: countWaits(waits),
        run: { id: run, workflow: workflow.name },
        ...identityOf(envelope),
        logger: taskLogger({ run, page, index, attempt }),
      },
      timeoutMilliseconds: workflow.timeoutMilliseconds,
      deadline: this.#deadline,
      now,
    });
  }

  #parse(messages: readonly ReceivedMessage[]) {
    const items: ItemMessage[] = [];
    const foreign: { message: ReceivedMessage; error: Error }[] = [];
    for (const message of messages) {
      try {
        const envelope = parseEnvelope(message.body);
        if (envelope.workflow !== this.#options.workflow.name) {
          throw new MalformedMessageError(
            `the message is of workflow "${envelope.workflow}", this is the queue of "${this.#options.workflow.name}"`,
          );
        }
        items.push({ message, envelope });
      } catch (error) {
        foreign.push({ message, error: toError(error) });
      }
    }
    return { items, foreign };
  }
}
