import { askedWaitOf } from "../base/asked-wait.ts";
import { type Failure, isPermanent, type Reason, roomForMessage, toFailure } from "../failure.ts";
import type { Cancellations, ItemState, Ledger, Successes } from "../ledger/ledger.ts";
import type { Runs } from "../ledger/runs.ts";
import type { Metrics } from "../metrics.ts";
import { publish } from "../observation.ts";
import type { Queue } from "../queue.ts";
import { backoffMilliseconds } from "../retry.ts";
import type { TaskLogger } from "../task.ts";
import type { Workflow } from "../workflow.ts";
import type { AttemptOutcome } from "./attempt.ts";
import { Burial } from "./burial.ts";
import { type ItemMessage, ledgerItem, type ReceivedMessage } from "./message.ts";
import { Recorder, type RecordingPace } from "./recorder.ts";
import type { RunMode } from "./run-watch.ts";
import type { Owed } from "./suspects.ts";
import { ToleranceWatch } from "./tolerance-watch.ts";

/**
 * How long the messages of a paused run stay hidden: a run that is soon resumed goes on soon, and a pause of half a day
 * must not use up the receives after which SQS itself gives a message up.
 */
const PAUSE = { shortestMilliseconds: 5_000, longestMilliseconds: 300_000 } as const;

/**
 * How long a message stays hidden of which nothing can be found out, as the ledger does not answer: an outage of hours
 * must not use up the receives after which SQS itself gives a message up.
 */
const OUTAGE = { shortestMilliseconds: 2_000, longestMilliseconds: 300_000 } as const;

const TOLERANCE_UNKNOWN = "whether too many items have died could not be found out";

export interface SettlementOptions {
  readonly workflow: Workflow;
  readonly ledger: Ledger;
  readonly runs: Runs;
  readonly queue: Queue;
  readonly controlQueue: Queue;
  readonly deadLetterQueue: Queue;
  readonly logger: TaskLogger;
  readonly metrics: Metrics;
  readonly now: () => number;
  readonly random: () => number;
}

/**
 * What becomes of messages: each way is recorded first, and then says whether the message is to be deleted (`true`) or
 * comes again. What it throws says that nothing is recorded: the message must come again.
 */
export class Settlement {
  readonly #options: SettlementOptions;
  readonly #successes: Recorder<Successes["items"][number]>;
  readonly #cancellations: Recorder<Cancellations["items"][number]>;
  readonly #toleranceWatch: ToleranceWatch;
  readonly #burial: Burial;

  constructor(options: SettlementOptions) {
    this.#options = options;
    this.#successes = new Recorder(async (successes) => {
      await options.ledger.recordSuccesses(successes);
      publish({ event: "succeeded", count: successes.items.length });
    });
    this.#cancellations = new Recorder((cancellations) => options.ledger.recordCancelled(cancellations));
    this.#toleranceWatch = new ToleranceWatch(options);
    this.#burial = new Burial(options.ledger, options.deadLetterQueue, options.now);
  }

  /** What to do about a message that needs no attempt, or `undefined` where it needs one. */
  withoutAttempt(item: ItemMessage, state: ItemState, mode: RunMode): (() => Promise<boolean>) | undefined {
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
        return await this.foreign(message, error);
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
    if (mode === "pause") return () => this.putBack(item, longer(PAUSE, message.receiveCount));
    if (mode === "drain") return () => this.#cancel(item);
    return undefined;
  }

  /** A message that is not ours, or whose run is not known here. */
  async foreign(message: ReceivedMessage, error: Error): Promise<boolean> {
    await this.#burial.buryForeign(message, error);
    this.#options.metrics.count("deadLettered", 1);
    return true;
  }

  /** Returns a message to the queue unrun. Its receive is accounted for: it says nothing against the item. */
  async putBack(item: ItemMessage, milliseconds: number): Promise<boolean> {
    await this.#options.ledger.recordReceive(ledgerItem(item.envelope), item.message.receiveCount, "returned");
    await this.#delay(item.message, milliseconds);
    return false;
  }

  /**
   * Returns a message whose attempt could not begin in time: at once, as another consumer may have a slot for it. If it
   * comes too late again, slots are not what is missing, and it must not use up its receives.
   */
  async cameTooLate(item: ItemMessage): Promise<boolean> {
    const { receiveCount } = item.message;
    return await this.putBack(item, receiveCount === 1 ? 0 : longer(OUTAGE, receiveCount - 1));
  }

  /**
   * Returns a message to the queue of which nothing could be found out. Its receive stays unexplained, as nothing can be
   * written either: that makes a suspect of the item, but kills none.
   */
  async putOff(message: ReceivedMessage): Promise<boolean> {
    await this.#delay(message, longer(OUTAGE, message.receiveCount) * (1 - this.#options.random() / 2));
    return false;
  }

  async #cancel({ envelope }: ItemMessage): Promise<boolean> {
    const { index, redrives, ...page } = ledgerItem(envelope);
    await this.#cancellations.record(page, { index, redrives });
    return true;
  }

  /** The death of an item that needs no further attempt: its last one failed before. */
  #decidedDeath({ envelope }: ItemMessage, state: Owed): Reason | undefined {
    const { failures, final } = state;
    if (final !== undefined) return final;
    // Its letter holds the start of the item alone: there is nothing to run.
    if (envelope.dead?.truncated === true) return envelope.dead.reason;
    return failures.length >= this.#options.workflow.retry.attempts ? "exhausted" : undefined;
  }

  /** An attempt that was made, after `failures` before it. */
  async attempted(item: ItemMessage, outcome: AttemptOutcome, failures: readonly Failure[]): Promise<boolean> {
    this.#options.metrics.duration(outcome.endedAt - outcome.startedAt);
    return outcome.tag === "succeeded"
      ? await this.#recordSuccess(item, failures.length)
      : await this.#recordFailure(item, failures, outcome);
  }

  /** An item whose attempts are used up. */
  exhausted(item: ItemMessage, failures: readonly Failure[]): Promise<boolean> {
    return this.#bury(item, "exhausted", failures);
  }

  /** How long outcomes may wait to be recorded with others. */
  setPace(pace: RecordingPace): void {
    this.#successes.setPace(pace);
    this.#cancellations.setPace(pace);
  }

  /** Called when all is settled. */
  async finish(): Promise<void> {
    await this.#toleranceWatch.finish().catch((error) => this.#options.logger.warn(TOLERANCE_UNKNOWN, { error }));
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
    const room = roomForMessage(before, workflow.retry.attempts);
    const failure = toFailure(outcome.thrown, { ...outcome, attempt: before.length + 1, room });
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
    // The last failure is the death's own, but of an item that never reported again.
    const retries = reason === "unexplained" ? failures.length : Math.max(0, failures.length - 1);
    if (await this.#burial.buryItem(item.envelope, reason, failures, retries)) {
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

/** Twice as long with each receive. */
function longer(
  { shortestMilliseconds, longestMilliseconds }: typeof PAUSE | typeof OUTAGE,
  receiveCount: number,
): number {
  return Math.min(longestMilliseconds, shortestMilliseconds * 2 ** (receiveCount - 1));
}

function retryDelay(thrown: unknown, { retry }: Workflow, failures: number, random: number): number {
  const wait = askedWaitOf(thrown);
  if (wait?.afterMilliseconds !== undefined) return wait.afterMilliseconds;
  return backoffMilliseconds(retry, failures, random);
}
