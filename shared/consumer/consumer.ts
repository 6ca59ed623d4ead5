import { MalformedMessageError, toError } from "../errors.ts";
import { type Failure, isPermanent, type Reason, toFailure } from "../failure.ts";
import type { Cancellations, ItemState, Ledger, Successes } from "../ledger/ledger.ts";
import type { ReceiveMark } from "../ledger/rows.ts";
import type { Runs } from "../ledger/runs.ts";
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
import { Isolation } from "./isolation.ts";
import { type ItemMessage, ledgerItem, type ReceivedMessage } from "./message.ts";
import { Recorder } from "./recorder.ts";
import { type RunMode, RunWatch } from "./run-watch.ts";
import { ToleranceWatch } from "./tolerance-watch.ts";

/** So many receives without a recorded failure are no accident any more: the item crashes its consumer. */
const UNEXPLAINED_RECEIVES = 5;

export interface ConsumerOptions {
  readonly workflow: Workflow;
  readonly ledger: Ledger;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  readonly tasksPerEnvironment: number;
  readonly runs: Runs;
  readonly controlQueue: Queue;
  /** What an attempt runs in that may take its process along. */
  readonly isolatedModule: string;
  readonly memoryMb: number;
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
  readonly mode: RunMode;
  readonly settled: Settled;
}

/** Called once a message's outcome is recorded (it is to be deleted), or is not (it must come again). */
type Settled = (message: ReceivedMessage, deletable: boolean) => void;

const NEVER_SEEN = { tag: "owed", failures: [], final: undefined, receives: new Map() } as const satisfies ItemState;

type Owed = Extract<ItemState, { tag: "owed" }>;

/** Of the function's memory, for each suspect's process; one there is always room for. */
const MEMORY_PER_ISOLATED_MB = 256;

/** How long the messages of a paused run stay hidden, so that they are not received again and again. */
const PAUSE_MILLISECONDS = 60_000;

const TOLERANCE_UNKNOWN = "whether too many items have died could not be found out";

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
  readonly #successes: Recorder<Successes["items"][number]>;
  readonly #cancellations: Recorder<Cancellations["items"][number]>;
  readonly #runWatch: RunWatch;
  readonly #toleranceWatch: ToleranceWatch;
  readonly #isolation: Isolation;
  readonly #burial: Burial;
  readonly #intake: Intake;
  readonly #deleter: Deleter;
  readonly #waiting: Work[] = [];
  /** Attempts under way: slots that are taken. */
  #underWay = 0;
  /** Messages that are looked up, or whose outcome is being recorded. */
  #unrecorded = 0;
  /** Items that are looked up, each of which may want a slot. */
  #lookedUp = 0;
  /** Suspects' attempts under way, and whether it is one that none may be beside. */
  #isolated = 0;
  #isolatedAlone = false;
  #onIdle: () => void = () => {};

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#successes = new Recorder(async (successes) => {
      await options.ledger.recordSuccesses(successes);
      publish({ event: "succeeded", count: successes.items.length });
    });
    this.#cancellations = new Recorder((cancellations) => options.ledger.recordCancelled(cancellations));
    this.#runWatch = new RunWatch(options.runs, options.now);
    this.#toleranceWatch = new ToleranceWatch(options);
    this.#isolation = new Isolation(options);
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
    const refilling = this.#options.refill !== undefined;
    if (refilling) await this.#shortenVisibility(batch);
    await this.#admit(batch, deadline, ({ id, receiptHandle }, deletable) => {
      if (!deletable) again.push(id);
      // The mapping would delete it only at the invocation's end, when it may be visible again.
      else if (refilling) this.#deleter.delete(receiptHandle);
    });
    await idle;
    await this.#toleranceWatch.finish().catch((error) => this.#options.logger.warn(TOLERANCE_UNKNOWN, { error }));
    await this.#deleter.flush();
    return again;
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
  async #admit(messages: readonly ReceivedMessage[], deadline: number, settled: Settled): Promise<void> {
    const { items, foreign } = this.#parse(messages);
    for (const { message, error } of foreign) {
      const bury = async () => {
        await this.#burial.buryForeign(message, error);
        this.#options.metrics.count("deadLettered", 1);
        return true;
      };
      void this.#settle(message, settled, bury, deadline);
    }
    this.#unrecorded++;
    this.#lookedUp += items.length;
    try {
      const lookUps = await Promise.allSettled(await this.#lookUp(items));
      for (const [position, item] of items.entries()) {
        const lookUp = lookUps[position];
        if (lookUp?.status === "fulfilled") this.#waiting.push({ item, settled, ...lookUp.value });
        else {
          this.#options.logger.error("a message could not be looked up, it will come again", { error: lookUp?.reason });
          settled(item.message, false);
        }
      }
    } finally {
      this.#lookedUp -= items.length;
      this.#unrecorded--;
    }
    this.#advance(deadline);
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
        : this.#options.ledger.itemStates(known.map(({ envelope }) => ledgerItem(envelope)));
    return items.map(async (item) => {
      const mode = this.#runWatch.mode(item.envelope.run);
      const position = known.indexOf(item);
      const state = position < 0 ? NEVER_SEEN : (await states)[position];
      if (state === undefined) throw new Error("the ledger gave no state of an item that was asked for");
      return { state, mode: await mode };
    });
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
      this.#unclaimed() > 0 &&
      this.#unrecorded < UNRECORDED_PER_SLOT * tasksPerEnvironment &&
      this.#intake.mayPoll({ now: now(), running })
    ) {
      void this.#intake
        .poll(
          () => this.#unclaimed(),
          (messages) =>
            this.#admit(messages, deadline, ({ receiptHandle }, deletable) => {
              if (deletable) this.#deleter.delete(receiptHandle);
            }),
        )
        .then(() => this.#advance(deadline));
    }
    if (this.#underWay > 0 || this.#waiting.length > 0) return;
    if (this.#intake.polling) {
      this.#successes.flushSoon();
      this.#cancellations.flushSoon();
      return;
    }
    // Nothing else ends soon: what waits to be recorded with others need not wait any longer.
    this.#successes.flush();
    this.#cancellations.flush();
    if (this.#unrecorded === 0) this.#onIdle();
  }

  #free(): number {
    return this.#options.tasksPerEnvironment - this.#underWay;
  }

  /** Free slots that nothing at hand will take: a message received without one would lose its time waiting. */
  #unclaimed(): number {
    return this.#free() - this.#waiting.length - this.#lookedUp;
  }

  /** Runs an item's attempt in a slot, and records its outcome when the slot is free again. Never rejects. */
  async #work({ item, state, mode, settled }: Work, deadline: number): Promise<void> {
    const withoutAttempt = this.#settleWithoutAttempt(item, state, mode);
    if (withoutAttempt !== undefined) return await this.#settle(item.message, settled, withoutAttempt, deadline);
    this.#underWay++;
    this.#options.metrics.peak("inFlight", this.#underWay);
    const attempted = await this.#attempt(item, state as Owed, deadline);
    this.#underWay--;
    const recorded = this.#settle(item.message, settled, attempted, deadline);
    this.#advance(deadline);
    await recorded;
  }

  /** Runs an item's attempt, and returns how its outcome is to be recorded. Never rejects. */
  async #attempt(item: ItemMessage, state: Owed, deadline: number): Promise<() => Promise<boolean>> {
    let failures = state.failures;
    let outcome: AttemptOutcome;
    if (isSuspect(item.message, state)) {
      const isolated = await this.#runIsolated(item, state);
      if ("record" in isolated) return isolated.record;
      ({ outcome, failures } = isolated);
    } else outcome = await this.#run(item, failures.length + 1, deadline);
    this.#options.metrics.duration(outcome.endedAt - outcome.startedAt);
    return () =>
      outcome.tag === "succeeded"
        ? this.#recordSuccess(item, failures.length)
        : this.#recordFailure(item, failures, outcome);
  }

  /** Settles a message by `record`, which says whether it is to be deleted. Never rejects. */
  async #settle(
    message: ReceivedMessage,
    settled: Settled,
    record: () => Promise<boolean>,
    deadline: number,
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
  #settleWithoutAttempt(item: ItemMessage, state: ItemState, mode: RunMode): (() => Promise<boolean>) | undefined {
    const { message, envelope } = item;
    const { ledger, logger } = this.#options;
    if (state.tag === "stale") {
      return async () => {
        logger.info("dropped a message of an earlier content of its page", { ...ledgerItem(envelope) });
        return true;
      };
    }
    if (state.tag === "unknown") {
      const error = new Error(`run ${envelope.run} is not in this workflow's ledger, so its items cannot be counted`);
      return async () => {
        await this.#burial.buryForeign(message, error);
        return true;
      };
    }
    if (state.tag === "settled") {
      return async () => {
        await ledger.climbAgain(envelope.run, envelope.page);
        return true;
      };
    }
    const decided = this.#decidedDeath(item, state);
    if (decided !== undefined) return () => this.#bury(item, decided, state.failures);
    if (mode === "pause") return () => this.#putBack(item, PAUSE_MILLISECONDS);
    if (mode === "drain") return () => this.#cancel(item);
    return undefined;
  }

  /** Returns a message to the queue unrun. Its receive is accounted for: it says nothing against the item. */
  async #putBack(item: ItemMessage, milliseconds: number): Promise<boolean> {
    await this.#options.ledger.recordReceive(ledgerItem(item.envelope), item.message.receiveCount, "returned");
    await this.#delay(item.message, milliseconds);
    return false;
  }

  async #cancel({ envelope }: ItemMessage): Promise<boolean> {
    const { index, redrives, ...page } = ledgerItem(envelope);
    await this.#cancellations.record(page, { index, redrives });
    return true;
  }

  /**
   * Runs a suspect's attempt in a process of its own. If a consumer died even over such an attempt, the next one is made
   * alone, so that it is certain who was to blame. Suspects without a place go back meanwhile.
   */
  async #runIsolated(
    item: ItemMessage,
    state: Owed,
  ): Promise<{ outcome: AttemptOutcome; failures: readonly Failure[] } | { record: () => Promise<boolean> }> {
    const { ledger, workflow, random, memoryMb } = this.#options;
    const { message, envelope } = item;
    const alone = crashedReceives(message, state, "isolated", "alone").length > 0;
    const places = alone ? 1 : Math.max(1, Math.floor(memoryMb / MEMORY_PER_ISOLATED_MB));
    if (this.#isolatedAlone || this.#isolated >= places) {
      return { record: () => this.#putBack(item, 1_000 + random() * workflow.timeoutMilliseconds) };
    }
    this.#isolated++;
    this.#isolatedAlone = alone;
    try {
      const failures = await this.#recordCrashes(item, state);
      if (failures.length >= workflow.retry.attempts) return { record: () => this.#bury(item, "exhausted", failures) };
      await ledger.recordReceive(ledgerItem(envelope), message.receiveCount, alone ? "alone" : "isolated");
      const { run, page, index } = envelope;
      const outcome = await this.#isolation.run({
        item: envelope.item,
        context: {
          attempt: failures.length + 1,
          run: { id: run, workflow: workflow.name },
          id: `${run}/${page}/${index}`,
        },
        timeoutMilliseconds: workflow.timeoutMilliseconds,
      });
      return { outcome, failures };
    } catch (error) {
      return { record: () => Promise.reject(error) };
    } finally {
      this.#isolated--;
      this.#isolatedAlone = false;
    }
  }

  /** Counts the attempts that were made alone and took their consumer along, which could not count them. */
  async #recordCrashes({ message, envelope }: ItemMessage, state: Owed): Promise<readonly Failure[]> {
    const { ledger, now } = this.#options;
    let { failures } = state;
    for (const receive of crashedReceives(message, state, "alone")) {
      const crash = new Error("the attempt took its whole execution environment along");
      crash.stack = "";
      const times = { startedAt: now(), endedAt: now() };
      const failure = toFailure(crash, { ...times, attempt: failures.length + 1, kind: "crashed" });
      failures = await ledger.recordFailure(ledgerItem(envelope), receive, failure);
    }
    return failures;
  }

  /** The death of an item that needs no further attempt: its last one failed before, or it never reports. */
  #decidedDeath({ message, envelope }: ItemMessage, state: Owed): Reason | undefined {
    const { failures, final } = state;
    if (final !== undefined) return final;
    // Its letter holds the start of the item alone: there is nothing to run.
    if (envelope.dead?.truncated === true) return envelope.dead.reason;
    if (failures.length >= this.#options.workflow.retry.attempts) return "exhausted";
    return unexplained(message, state).length >= UNEXPLAINED_RECEIVES ? "unexplained" : undefined;
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
    const { index, redrives, ...page } = ledgerItem(envelope);
    await this.#successes.record(page, { index, redrives, failures });
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
      // The death stands, whether or not this works: the next one looks again.
      await this.#toleranceWatch
        .noteDeath(item.envelope.run)
        .catch((error) => this.#options.logger.warn(TOLERANCE_UNKNOWN, { error }));
    }
    return true;
  }
}

/** Receives of which nothing is known: the consumer died, or was throttled. */
function unexplained({ receiveCount }: ReceivedMessage, { receives }: Owed): readonly number[] {
  return Array.from({ length: receiveCount - 1 }, (_, index) => index + 1).filter((receive) => !receives.has(receive));
}

/** Receives under which the item's attempt began in a process of its own, and no end of it could be recorded. */
function crashedReceives(
  { receiveCount }: ReceivedMessage,
  { receives }: Owed,
  ...marks: readonly ReceiveMark[]
): readonly number[] {
  return [...receives].flatMap(([receive, mark]) =>
    mark !== "failed" && marks.includes(mark) && receive < receiveCount ? [receive] : [],
  );
}

/** Whether an item may be the one that its consumer died of. It need not be: its neighbours are suspects, too. */
const isSuspect = (message: ReceivedMessage, state: Owed): boolean =>
  unexplained(message, state).length > 0 || crashedReceives(message, state, "isolated", "alone").length > 0;

function retryDelay(thrown: unknown, { retry }: Workflow, failures: number, random: number): number {
  // By code and not by class: a workflow's bundle may hold another copy of the library.
  if (thrown instanceof Error && "code" in thrown && thrown.code === "RETRY_LATER" && "afterMilliseconds" in thrown) {
    return Number(thrown.afterMilliseconds);
  }
  return backoffMilliseconds(retry, failures, random);
}
