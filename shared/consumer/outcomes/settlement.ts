import type { Queue } from "../../aws/queue.ts";
import { LONGEST_DELAY_SECONDS, LONGEST_HIDING_MILLISECONDS } from "../../aws/quotas.ts";
import type { ReceivedMessage } from "../../aws/received-message.ts";
import { type AskedWait, askedWaitOf } from "../../base/asked-wait.ts";
import { publish } from "../../base/events.ts";
import { type Failure, isPermanent, lastError, type Reason, roomForMessage, toFailure } from "../../base/failure.ts";
import type { InvalidFinding } from "../../base/invalid-finding.ts";
import type { Metrics } from "../../base/metrics.ts";
import { backoffMilliseconds } from "../../base/retry.ts";
import type { TaskLogger } from "../../base/task.ts";
import { countWaits, LONG_WAIT_MILLISECONDS, waitToMake } from "../../base/waits.ts";
import { InvalidItemError } from "../../definition/item-schema.ts";
import { type QueueTopology, topology } from "../../definition/topology.ts";
import type { Workflow } from "../../definition/workflow.ts";
import type { ItemState, Ledger } from "../../ledger/ledger.ts";
import type { ItemsOfPage, Successes } from "../../ledger/outcomes.ts";
import type { Runs } from "../../ledger/runs.ts";
import type { InvalidFindings } from "../../ledger/same-failure.ts";
import { replacementBody } from "../../messages/dead-letter.ts";
import { addressOf, logFields } from "../../messages/item-address.ts";
import { type ItemMessage, receiveOf } from "../../messages/item-message.ts";
import { messageFinding } from "../../messages/message-finding.ts";
import { newerVersionDelay } from "../../messages/newer-version-delay.ts";
import type { AttemptOutcome } from "../attempts/attempt.ts";
import { isSuspect, type Pending } from "../attempts/suspect-attempts.ts";
import { FreshLook } from "../fresh-look.ts";
import type { RunMode } from "../run-watch.ts";
import { Burial, type History } from "./dead-lettering.ts";
import { Recorder, type RecordingPace } from "./recorder.ts";
import { ToleranceWatch } from "./tolerance-watch.ts";

/**
 * How long the messages of a paused run stay hidden: a quarter of the time for which it has been paused. So a run that is
 * soon resumed goes on soon, and a long pause costs few receives.
 */
const PAUSE = { share: 0.25, shortestMilliseconds: 5_000, longestMilliseconds: 600_000 } as const;

/**
 * How long a message stays hidden of which nothing can be found out, as the ledger does not answer: an outage of hours
 * must not use up the receives after which SQS itself gives a message up.
 */
const OUTAGE = { shortestMilliseconds: 2_000, longestMilliseconds: 300_000 } as const;

/**
 * How long a message stays hidden that an environment was too busy to begin. Its receives are accounted for, and it is
 * replaced before they reach the queue's limit, so the delay stays short: the item may have been received often for other
 * reasons.
 */
const BUSY = { shortestMilliseconds: 2_000, longestMilliseconds: 30_000 } as const;

/** An attempt may begin so much before the end of a wait: the clocks of two environments differ. */
const EARLY_MILLISECONDS = 1_000;

/** Of a wait's message, in bytes: four of them stand beside the failures, in one row. */
const LONGEST_WAIT_MESSAGE = 500;

const TOLERANCE_UNKNOWN = "whether too many items have died could not be found out";

type FailedOutcome = Extract<AttemptOutcome, { tag: "failed" }>;

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
  readonly #cancellations: Recorder<ItemsOfPage["items"][number]>;
  readonly #toleranceWatch: ToleranceWatch;
  readonly #burial: Burial;
  #toldNewer = false;
  readonly #invalidFindings: InvalidFindings;
  readonly #freshLook: FreshLook;
  readonly #queueTopology: QueueTopology;

  constructor(options: SettlementOptions) {
    this.#options = options;
    this.#successes = new Recorder(async (successes) => {
      await options.ledger.outcomes.recordSuccesses(successes);
      publish({ event: "succeeded", count: successes.items.length });
    });
    this.#cancellations = new Recorder((cancellations) => options.ledger.outcomes.recordCancelled(cancellations));
    this.#toleranceWatch = new ToleranceWatch(options);
    this.#invalidFindings = options.ledger.invalidFindings();
    this.#freshLook = new FreshLook(options.runs);
    this.#burial = new Burial(options.ledger, options.deadLetterQueue, options.now);
    this.#queueTopology = topology(options.workflow).queue;
  }

  /**
   * What to do about a message that needs no attempt, or `undefined` where it needs one.
   *
   * @param pausedMilliseconds For how long its run has been paused, if it is. Default: it was paused just now.
   */
  withoutAttempt(
    item: ItemMessage,
    state: ItemState,
    mode: RunMode,
    pausedMilliseconds = 0,
  ): (() => Promise<boolean>) | undefined {
    const { message, envelope } = item;
    const { ledger, logger } = this.#options;
    if (state.tag === "stale") {
      return async () => {
        logger.info("dropped a message of an earlier content of its page", { ...logFields(addressOf(envelope)) });
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
        // mutant: roll-up-again
        await ledger.outcomes.rollUpAgain(addressOf(envelope));
        return true;
      };
    }
    const decided = this.#decidedDeath(item, state);
    if (decided !== undefined) return () => this.#bury(item, decided, state);
    if (mode === "pause") return () => this.putBack(item, state, pauseDelay(pausedMilliseconds));
    if (mode === "drain") return () => this.#cancel(item);
    // A wait above SQS's 12 h is renewed on the way. So is one of which another message of the item does not know.
    const left = (state.waits?.until ?? 0) - this.#options.now();
    return left > EARLY_MILLISECONDS ? () => this.putBack(item, state, left) : undefined;
  }

  /** A message that is not ours, or whose run is not known here. */
  async foreign(message: ReceivedMessage, error: Error): Promise<boolean> {
    await this.#burial.buryForeign(message, error);
    this.#options.metrics.count("deadLettered", 1);
    return true;
  }

  /** Returns a message to the queue unrun. Its receive is accounted for: it says nothing against the item. */
  async putBack(item: ItemMessage, state: Pending, milliseconds: number): Promise<boolean> {
    if (this.#mustBeReplaced(item, milliseconds)) {
      const receive = receiveOf(item);
      await this.#options.ledger.attempts.recordReplacement(
        addressOf(item.envelope),
        receive,
        state,
        isSuspect(item, state),
      );
    } else await this.#options.ledger.attempts.recordReceive(addressOf(item.envelope), receiveOf(item), "returned");
    return await this.#comeAgain(item, milliseconds);
  }

  /**
   * Returns a message whose attempt could not begin in time: at once, as another consumer may have a slot for it. If it
   * comes too late again, slots are not what is missing, and it must not use up its receives.
   */
  async cameTooLate(item: ItemMessage, state: Pending): Promise<boolean> {
    const receive = receiveOf(item);
    return await this.putBack(item, state, receive === 1 ? 0 : longer(BUSY, receive - 1));
  }

  /** Returns a message whose isolated attempt could not be started: another environment makes it. */
  async notStarted(item: ItemMessage, state: Pending): Promise<boolean> {
    return await this.putBack(item, state, longer(BUSY, receiveOf(item)));
  }

  /**
   * Returns a message to the queue of which nothing could be found out. Its receive stays unexplained, as nothing can be
   * written either: that makes a suspect of the item, but kills none.
   */
  async putOff(item: ItemMessage): Promise<boolean> {
    return await this.#comeAgain(item, longer(OUTAGE, receiveOf(item)) * (1 - this.#options.random() / 2));
  }

  /**
   * Returns a message of a newer version to the queue, for the consumer that is being deployed. Nothing of it is written:
   * this code cannot know what its item is.
   */
  async newerVersion(message: ReceivedMessage, error: Error): Promise<boolean> {
    const { metrics, logger, now, random } = this.#options;
    metrics.count("newerVersion", 1);
    // Each message of a run may be one.
    if (!this.#toldNewer) logger.warn("put back messages that a newer version of Sluice wrote", { error });
    this.#toldNewer = true;
    await this.#delay(message, newerVersionDelay(message, this.#queueTopology, now(), random()));
    return false;
  }

  async #cancel({ envelope }: ItemMessage): Promise<boolean> {
    const { index, redriveGeneration, ...page } = addressOf(envelope);
    await this.#cancellations.record(page, { index, redriveGeneration });
    return true;
  }

  /** The death of an item that needs no further attempt: its last one failed before. */
  #decidedDeath({ envelope }: ItemMessage, state: Pending): Reason | undefined {
    const { failures, final } = state;
    if (final !== undefined) return final;
    // Its dead letter holds the start of the item alone: there is nothing to run.
    if (envelope.dead?.truncated === true) return envelope.dead.reason;
    return failures.length >= this.#options.workflow.retry.attempts ? "exhausted" : undefined;
  }

  /** An attempt that was made. `state` is that of before it. */
  async attempted(item: ItemMessage, outcome: AttemptOutcome, state: Pending): Promise<boolean> {
    this.#options.metrics.duration(outcome.endedAt - outcome.startedAt);
    if (outcome.tag === "succeeded") return await this.#recordSuccess(item, state.failures.length);
    // One that was aborted has thrown nothing that counts.
    const wait = outcome.kind === "threw" ? askedWaitOf(outcome.thrown) : undefined;
    return wait === undefined
      ? await this.#recordFailure(item, state, outcome)
      : await this.#recordWait(item, state, outcome, wait);
  }

  /** An item whose attempts are used up. */
  exhausted(item: ItemMessage, state: Pending): Promise<boolean> {
    return this.#bury(item, "exhausted", state);
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
    const { index, redriveGeneration, ...page } = addressOf(envelope);
    await this.#successes.record(page, { index, redriveGeneration, failures });
    this.#options.metrics.count("succeeded", 1);
    return true;
  }

  async #recordFailure(
    item: ItemMessage,
    { failures: before, waits }: Pending,
    outcome: FailedOutcome,
  ): Promise<boolean> {
    const { workflow, ledger, metrics } = this.#options;
    const room = roomForMessage(before, workflow.retry.attempts);
    const failure = toFailure(outcome.thrown, { ...outcome, attempt: before.length + 1, room });
    if (outcome.kind === "timed out") metrics.count("timedOut", 1);
    const final = this.#finalReason(outcome, before.length + 1);
    if (final === "invalid item")
      await this.#invalidFindings.note(item.envelope.run, findingOf(outcome.thrown, failure));
    const failures = await ledger.attempts.recordFailure(addressOf(item.envelope), receiveOf(item), failure, final);
    const history: History = { failures, ...(waits && { waits }) };
    if (final !== undefined) return await this.#bury(item, final, history);
    if (failures.length >= workflow.retry.attempts) return await this.#bury(item, "exhausted", history);
    const deletable = await this.#comeAgain(item, this.#backoff(failures.length));
    metrics.count("retried", 1);
    publish({ event: "retried" });
    return deletable;
  }

  /** An attempt that ended in a wait which its task asked for. It is no failure. */
  async #recordWait(item: ItemMessage, state: Pending, outcome: FailedOutcome, asked: AskedWait): Promise<boolean> {
    const { workflow, ledger } = this.#options;
    const milliseconds = waitToMake(asked, this.#backoff(countWaits(state.waits) + 1));
    const { name, message } = toFailure(outcome.thrown, { ...outcome, attempt: 0, room: LONGEST_WAIT_MESSAGE });
    const { startedAt, endedAt } = outcome;
    const { waits, exceeds } = await ledger.attempts.recordWait(
      addressOf(item.envelope),
      {
        kind: asked.kind,
        note: { at: new Date(endedAt).toISOString(), name, message, milliseconds },
        receive: receiveOf(item),
        startedAt,
        endedAt,
      },
      state,
      { atMostMilliseconds: workflow.retry.waitAtMostMilliseconds, isSuspect: isSuspect(item, state) },
    );
    if (exceeds) return await this.#bury(item, "waited too long", { failures: state.failures, waits });
    const left = waits.until - this.#options.now();
    // After the wait is recorded: of a run that is stopped, its producer may have looked for waiting items before.
    if (left > LONG_WAIT_MILLISECONDS && (await this.#freshLook.isStopping(item.envelope.run))) {
      return await this.#cancel(item);
    }
    return await this.#comeAgain(item, left);
  }

  #backoff(number: number): number {
    return backoffMilliseconds(this.#options.workflow.retry, number, this.#options.random());
  }

  #finalReason(outcome: FailedOutcome, attempts: number): Reason | undefined {
    if (outcome.kind === "invalid") return "invalid item";
    if (isPermanent(outcome.thrown)) return "permanent";
    return attempts >= this.#options.workflow.retry.attempts ? "exhausted" : undefined;
  }

  /**
   * Has an item's message come again after a while, or a fresh one in its place.
   *
   * @returns whether the message is to be deleted.
   */
  async #comeAgain(item: ItemMessage, milliseconds: number): Promise<boolean> {
    if (!this.#mustBeReplaced(item, milliseconds)) {
      await this.#delay(item.message, Math.max(0, Math.min(milliseconds, LONGEST_HIDING_MILLISECONDS)));
      return false;
    }
    // A consumer that dies before the deletion leaves two messages of one item, as SQS itself may deliver one twice.
    const body = replacementBody(item.envelope, receiveOf(item));
    const delaySeconds = Math.max(0, Math.min(LONGEST_DELAY_SECONDS, Math.ceil(milliseconds / 1_000)));
    await this.#options.queue.sendUntraced({ body, delaySeconds, attributes: item.message.attributes });
    return true;
  }

  /**
   * Whether a message is so near to one of the queue's limits that a fresh one must take its place: the receives after
   * which SQS moves it to the dead-letter queue, or the age at which SQS deletes it. Half of each remains for crashes.
   */
  #mustBeReplaced({ message }: ItemMessage, milliseconds: number): boolean {
    const { maxReceiveCount, retentionSeconds } = this.#queueTopology;
    if (message.receiveCount >= maxReceiveCount / 2) return true;
    const hiding = Math.min(milliseconds, LONGEST_HIDING_MILLISECONDS);
    const age = message.sentAt === undefined ? 0 : this.#options.now() + hiding - message.sentAt;
    return age >= (retentionSeconds * 1_000) / 2;
  }

  // Without it the message comes again when the queue's own visibility timeout is over: later, but not lost.
  async #delay(message: ReceivedMessage, milliseconds: number): Promise<void> {
    try {
      await this.#options.queue.changeVisibility(message.receiptHandle, milliseconds);
    } catch (error) {
      this.#options.logger.warn("a retry could not be scheduled, it follows after the visibility timeout", { error });
    }
  }

  async #bury(item: ItemMessage, reason: Reason, { failures, waits }: History): Promise<boolean> {
    // The last failure is the death's own, but of an item that never reported again, or waited too long.
    const withoutFailure = reason === "unexplained" || reason === "waited too long";
    const retries = withoutFailure ? failures.length : Math.max(0, failures.length - 1);
    if (await this.#burial.buryItem(item.envelope, reason, { failures, ...(waits && { waits }) }, retries)) {
      this.#options.metrics.count("deadLettered", 1);
      this.#options.logger.warn("dead letter", {
        ...logFields(addressOf(item.envelope)),
        reason,
        failure: lastError(reason, failures, waits).message,
      });
      // The death stands, whether or not this works: the next one looks again.
      await this.#toleranceWatch
        .noteDeath(item.envelope.run)
        .catch((error) => this.#options.logger.warn(TOLERANCE_UNKNOWN, { error }));
    }
    return true;
  }
}

function pauseDelay(pausedMilliseconds: number): number {
  const { share, shortestMilliseconds, longestMilliseconds } = PAUSE;
  return Math.min(longestMilliseconds, Math.max(shortestMilliseconds, share * pausedMilliseconds));
}

/** Twice as long with each receive. */
function longer(
  { shortestMilliseconds, longestMilliseconds }: typeof OUTAGE | typeof BUSY,
  receiveCount: number,
): number {
  return Math.min(longestMilliseconds, shortestMilliseconds * 2 ** (receiveCount - 1));
}

/** Of an item that failed in a process of its own, the message alone is known. */
const findingOf = (thrown: unknown, { message }: Failure): InvalidFinding =>
  thrown instanceof InvalidItemError ? thrown.finding : messageFinding(message);
