import { MalformedMessageError, toError } from "../errors.ts";
import { type Failure, isPermanent, type Reason, toFailure } from "../failure.ts";
import type { ItemState, Ledger } from "../ledger/ledger.ts";
import { parseEnvelope } from "../messages/envelope.ts";
import type { Metrics } from "../metrics.ts";
import { publish } from "../observation.ts";
import type { Queue } from "../queue.ts";
import { backoffMilliseconds } from "../retry.ts";
import type { TaskLogger } from "../task.ts";
import type { Workflow } from "../workflow.ts";
import { type AttemptOutcome, runAttempt } from "./attempt.ts";
import { Burial } from "./burial.ts";
import { Deleter } from "./deleter.ts";
import { Intake, type RefillOptions } from "./intake.ts";
import { type ItemMessage, ledgerItem, type ReceivedMessage } from "./message.ts";
import { Recorder } from "./recorder.ts";

/** So many receives without a recorded failure are no accident any more: the item crashes its consumer. */
const UNEXPLAINED_RECEIVES = 5;

export interface ConsumerOptions {
  readonly workflow: Workflow;
  readonly ledger: Ledger;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  readonly tasksPerEnvironment: number;
  /** Absent: the consumer works on its batch alone. */
  readonly refill?: RefillOptions | undefined;
  readonly logger: TaskLogger;
  readonly metrics: Metrics;
  /** The task's logger, with what it runs on in each line. */
  readonly taskLogger: (fields: Readonly<Record<string, string | number>>) => TaskLogger;
  readonly now: () => number;
  readonly random: () => number;
}

/** A message with all that is known of it, waiting for a slot. */
interface Work {
  readonly item: ItemMessage;
  readonly state: ItemState;
  readonly settled: Settled;
}

/** Called once a message's outcome is recorded (it is to be deleted), or is not (it must come again). */
type Settled = (message: ReceivedMessage, deletable: boolean) => void;

const NEVER_SEEN: ItemState = { tag: "owed", failures: [], final: undefined };

/** Outcomes that may wait to be recorded, for each slot, before no more messages are received. */
const UNRECORDED_PER_SLOT = 10;

/**
 * Works through the messages of one invocation, and says which of them are not to be deleted. It never throws for a
 * task's sake: a message whose outcome could not be recorded is reported, and comes again.
 *
 * A slot that is free is filled: with the batch's messages, and then with those that the consumer receives itself,
 * until `refill.until`. So an environment never waits for the slowest task of a batch.
 *
 * Made anew for each invocation: several may share a process.
 */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #recorder: Recorder;
  readonly #burial: Burial;
  readonly #intake: Intake;
  readonly #deleter: Deleter;
  readonly #waiting: Work[] = [];
  /** Attempts under way: slots that are taken. */
  #underWay = 0;
  /** Messages that are looked up, or whose outcome is being recorded. */
  #unrecorded = 0;
  #onIdle: () => void = () => {};

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#recorder = new Recorder(options.ledger);
    this.#burial = new Burial(options.ledger, options.deadLetterQueue, options.now);
    this.#intake = new Intake(options.queue, options.refill, options.logger);
    this.#deleter = new Deleter(options.queue, options.logger);
  }

  /**
   * @param deadline When recording must begin, in the clock's milliseconds.
   * @returns the ids of the batch's messages that must come again.
   */
  async consume(batch: readonly ReceivedMessage[], deadline: number): Promise<readonly string[]> {
    const again: string[] = [];
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    await this.#admit(batch, deadline, ({ id }, deletable) => {
      if (!deletable) again.push(id);
    });
    await idle;
    await this.#deleter.flush();
    return again;
  }

  /** Takes messages in: looks up what must be, and gives them to the slots. Never rejects. */
  async #admit(messages: readonly ReceivedMessage[], deadline: number, settled: Settled): Promise<void> {
    const { items, foreign } = this.#parse(messages);
    for (const { message, error } of foreign) {
      void this.#settle(message, settled, async () => {
        await this.#burial.buryForeign(message, error);
        this.#options.metrics.count("deadLettered", 1);
        return true;
      });
    }
    // Only what may have been here before is looked up: the first delivery of a message costs no read, nor waits for one.
    const known = items.filter(
      ({ message, envelope }) => message.receiveCount > 1 || envelope.resent === true || envelope.dead !== undefined,
    );
    for (const item of items) if (!known.includes(item)) this.#waiting.push({ item, state: NEVER_SEEN, settled });
    if (known.length > 0) {
      this.#unrecorded++;
      this.#advance(deadline);
      try {
        const states = await this.#options.ledger.itemStates(known.map(({ envelope }) => ledgerItem(envelope)));
        for (const [position, item] of known.entries()) {
          this.#waiting.push({ item, state: states[position] ?? NEVER_SEEN, settled });
        }
      } catch (error) {
        this.#options.logger.error("messages could not be looked up, they will come again", { error });
        for (const { message } of known) settled(message, false);
      } finally {
        this.#unrecorded--;
      }
    }
    this.#advance(deadline);
  }

  /** Fills the free slots, asks for more messages where some stay free, and notices the end. */
  #advance(deadline: number): void {
    while (this.#free() > 0) {
      const work = this.#waiting.shift();
      if (work === undefined) break;
      void this.#work(work, deadline);
    }
    const { now, tasksPerEnvironment } = this.#options;
    const running = this.#underWay > 0;
    if (
      this.#free() > 0 &&
      this.#unrecorded < UNRECORDED_PER_SLOT * tasksPerEnvironment &&
      this.#intake.mayPoll({ now: now(), running })
    ) {
      void this.#intake
        .poll(
          () => this.#free(),
          (messages) =>
            this.#admit(messages, deadline, ({ receiptHandle }, deletable) => {
              if (deletable) this.#deleter.delete(receiptHandle);
            }),
        )
        .then(() => this.#advance(deadline));
    }
    if (this.#underWay > 0 || this.#waiting.length > 0) return;
    if (this.#intake.polling) return this.#recorder.flushSoon();
    // Nothing else ends soon: what waits to be recorded with others need not wait any longer.
    this.#recorder.flush();
    if (this.#unrecorded === 0) this.#onIdle();
  }

  #free(): number {
    return this.#options.tasksPerEnvironment - this.#underWay;
  }

  /** Runs an item's attempt in a slot, and records its outcome when the slot is free again. Never rejects. */
  async #work({ item, state, settled }: Work, deadline: number): Promise<void> {
    const known = this.#settleWithoutAttempt(item, state);
    if (known !== undefined) return await this.#settle(item.message, settled, known, deadline);
    const failures = state.tag === "owed" ? state.failures : [];
    this.#underWay++;
    this.#options.metrics.peak("inFlight", this.#underWay);
    const outcome = await this.#run(item, failures.length + 1, deadline);
    this.#underWay--;
    this.#options.metrics.duration(outcome.endedAt - outcome.startedAt);
    const recorded = this.#settle(
      item.message,
      settled,
      () =>
        outcome.tag === "succeeded"
          ? this.#recordSuccess(item, failures.length)
          : this.#recordFailure(item, failures, outcome),
      deadline,
    );
    this.#advance(deadline);
    await recorded;
  }

  /** Settles a message by `record`, which says whether it is to be deleted. Never rejects. */
  async #settle(
    message: ReceivedMessage,
    settled: Settled,
    record: () => Promise<boolean>,
    deadline = 0,
  ): Promise<void> {
    this.#unrecorded++;
    try {
      settled(message, await record());
    } catch (error) {
      this.#options.logger.error("a message could not be settled, it will come again", {
        messageId: message.id,
        error,
      });
      settled(message, false);
    } finally {
      this.#unrecorded--;
      this.#advance(deadline);
    }
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

  /** What to do about a message that needs no attempt, or `undefined` where it needs one. */
  #settleWithoutAttempt(item: ItemMessage, state: ItemState): (() => Promise<boolean>) | undefined {
    const { message, envelope } = item;
    const { ledger, logger } = this.#options;
    if (state.tag === "stale") {
      return async () => {
        logger.info("dropped a message of an earlier content of its page", { ...ledgerItem(envelope) });
        return true;
      };
    }
    if (state.tag === "settled") {
      return async () => {
        await ledger.climbAgain(envelope.run, envelope.page);
        return true;
      };
    }
    const decided = this.#decidedDeath(message, state);
    return decided === undefined ? undefined : () => this.#bury(item, decided, state.failures);
  }

  /** The death of an item that needs no further attempt: its last one failed before, or it never reports. */
  #decidedDeath(
    message: ReceivedMessage,
    { failures, final }: Extract<ItemState, { tag: "owed" }>,
  ): Reason | undefined {
    if (final !== undefined) return final;
    if (failures.length >= this.#options.workflow.retry.attempts) return "exhausted";
    if (message.receiveCount - 1 - failures.length >= UNEXPLAINED_RECEIVES) return "unexplained";
    return undefined;
  }

  async #run({ envelope }: ItemMessage, attempt: number, deadline: number): Promise<AttemptOutcome> {
    const { workflow, taskLogger, now } = this.#options;
    const { run, page, index } = envelope;
    return await runAttempt({
      task: workflow.task,
      schema: workflow.item,
      item: envelope.item,
      context: {
        attempt,
        run: { id: run, workflow: workflow.name },
        id: `${run}/${page}/${index}`,
        logger: taskLogger({ run, page, index, attempt }),
      },
      timeoutMilliseconds: workflow.timeoutMilliseconds,
      deadline,
      now,
    });
  }

  async #recordSuccess({ envelope }: ItemMessage, failures: number): Promise<boolean> {
    await this.#recorder.record({ ...ledgerItem(envelope), failures });
    this.#options.metrics.count("succeeded", 1);
    return true;
  }

  async #recordFailure(
    item: ItemMessage,
    before: readonly Failure[],
    outcome: Extract<AttemptOutcome, { tag: "failed" }>,
  ): Promise<boolean> {
    const { workflow, ledger, metrics } = this.#options;
    const failure = toFailure(outcome.thrown, { ...outcome, attempt: before.length + 1 });
    if (outcome.kind === "timed out") metrics.count("timedOut", 1);
    const final = this.#finalReason(outcome, before.length + 1);
    const failures = await ledger.recordFailure(ledgerItem(item.envelope), item.message.receiveCount, failure, final);
    if (final !== undefined) return await this.#bury(item, final, failures);
    if (failures.length >= workflow.retry.attempts) return await this.#bury(item, "exhausted", failures);
    await this.#delay(item.message, retryDelay(outcome.thrown, workflow, failures.length, this.#options.random()));
    metrics.count("retried", 1);
    publish({ event: "retried" });
    return false;
  }

  #finalReason(outcome: Extract<AttemptOutcome, { tag: "failed" }>, attempts: number): Reason | undefined {
    if (outcome.kind === "invalid") return "invalid item";
    if (isPermanent(outcome.thrown)) return "permanent";
    return attempts >= this.#options.workflow.retry.attempts ? "exhausted" : undefined;
  }

  // Without it the message comes again when the queue's own visibility timeout is over: later, but not lost.
  async #delay(message: ReceivedMessage, milliseconds: number): Promise<void> {
    try {
      await this.#options.queue.changeVisibility(message.receiptHandle, milliseconds);
    } catch (error) {
      this.#options.logger.warn("a retry could not be scheduled, it follows after the visibility timeout", { error });
    }
  }

  async #bury(item: ItemMessage, reason: Reason, failures: readonly Failure[]): Promise<boolean> {
    if (await this.#burial.buryItem(item.envelope, reason, failures, failures.length)) {
      this.#options.metrics.count("deadLettered", 1);
      this.#options.logger.warn("dead letter", {
        ...ledgerItem(item.envelope),
        reason,
        failure: failures.at(-1)?.message,
      });
    }
    return true;
  }
}

function retryDelay(thrown: unknown, { retry }: Workflow, failures: number, random: number): number {
  // By code and not by class: a workflow's bundle may hold another copy of the library.
  if (thrown instanceof Error && "code" in thrown && thrown.code === "RETRY_LATER" && "afterMilliseconds" in thrown) {
    return Number(thrown.afterMilliseconds);
  }
  return backoffMilliseconds(retry, failures, random);
}
