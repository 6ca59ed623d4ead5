import { randomBytes } from "node:crypto";
import type { ObjectStore } from "../../aws/object-store.ts";
import { publish } from "../../base/events.ts";
import { toExactText } from "../../base/exact-json.ts";
import { NewerVersionError } from "../../base/newer-version.ts";
import { type QueueTopology, topology } from "../../definition/topology.ts";
import type { ItemsOfPage, Successes } from "../../ledger/outcomes.ts";
import type { RunStates } from "../../ledger/run-states.ts";
import { addressOf, logFields } from "../../messages/item-address.ts";
import { type ItemMessage, receiveOf } from "../../messages/item-message.ts";
import { newerVersionDelay } from "../../messages/newer-version-delay.ts";
import {
  MOST_UNSTORED_BYTES,
  type PendingResult,
  ResultsNotStoredError,
  ResultWriter,
} from "../../results/result-writer.ts";
import { type AttemptOutcome, requestedWait } from "../attempts/attempt.ts";
import type { PendingState } from "../attempts/receive-history.ts";
import { type AfterFailure, FailedAttempts, type FailedAttemptsOptions } from "./failed-attempts.ts";
import { ItemDeaths, type ItemDeathsOptions } from "./item-deaths.ts";
import { ItemReturns, type ItemReturnsOptions } from "./item-returns.ts";
import { DELETE, type Disposition, type Outcome } from "./outcome.ts";
import { type PageGroup, PageGroups, type PageGroupsOptions, type RecordingPace } from "./page-groups.ts";
import { outageDelay } from "./return-delays.ts";

export interface RecorderOptions
  extends ItemDeathsOptions,
    ItemReturnsOptions,
    FailedAttemptsOptions,
    Pick<PageGroupsOptions<never>, "longestWait" | "mostWaiting"> {
  readonly runs: RunStates;
  /** Where results are stored. Absent: the workflow keeps none. */
  readonly resultStore?: Pick<ObjectStore, "put"> | undefined;
  /** Returns the unique part of the key of an object with results. Default: the time and a random number. */
  readonly newResultId?: (() => string) | undefined;
}

type Success = Successes["items"][number] & { readonly result?: PendingResult | undefined };
type Succeeded = Extract<AttemptOutcome, { tag: "succeeded" }>;
type Cancellation = ItemsOfPage["items"][number];
type Recorded<Tag extends Outcome["tag"]> = Extract<Outcome, { tag: Tag }>;

/** Records what happened to messages: the only part of the consumer that writes outcomes. */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #results: ResultWriter | undefined;
  readonly #successes: PageGroups<Success>;
  readonly #cancellations: PageGroups<Cancellation>;
  readonly #failedAttempts: FailedAttempts;
  readonly #deaths: ItemDeaths;
  readonly #returns: ItemReturns;
  readonly #queueTopology: QueueTopology;
  #hasToldNewerVersion = false;

  constructor(options: RecorderOptions) {
    this.#options = options;
    const { resultStore: store, newResultId: newId = newObjectId, logger } = options;
    this.#results = store && new ResultWriter({ store, newId, logger });
    this.#successes = new PageGroups((groups, waiting) => this.#writeSuccesses(groups, waiting), {
      ...options,
      ...(store && { isReady: ({ result }) => result === undefined || result.stored !== undefined }),
    });
    this.#cancellations = new PageGroups(
      (groups) => groups.map((group) => options.ledger.outcomes.recordCancelled(group)),
      options,
    );
    this.#failedAttempts = new FailedAttempts(options);
    this.#deaths = new ItemDeaths(options);
    this.#returns = new ItemReturns(options);
    this.#queueTopology = topology(options.workflow).queue;
  }

  /**
   * Records an outcome.
   *
   * @returns What must be done with the message now.
   * @throws What the ledger or SQS throws: recording did not complete, and the message must be received again.
   */
  record(outcome: Outcome): Promise<Disposition> {
    switch (outcome.tag) {
      case "attempted":
        return this.#recordAttempt(outcome);
      case "dead":
        return this.#deaths.record(outcome.item, outcome.reason, outcome.history);
      case "returned":
        return this.#returns.withoutAttempt(outcome);
      case "cancelled":
        return this.#recordCancelled(outcome.item);
      case "settled":
        return this.#rollUpAgain(outcome.item);
      case "stale":
        return this.#dropStale(outcome.item);
      case "not looked up":
        return this.#returnNotLookedUp(outcome.item);
      case "foreign":
        return this.#deaths.recordForeign(outcome.message, outcome.error);
      case "newer version":
        return this.#returnNewerVersion(outcome);
    }
  }

  /** Sets how long outcomes may wait to be recorded together with others. */
  setPace(pace: RecordingPace): void {
    this.#successes.setPace(pace);
    this.#cancellations.setPace(pace);
  }

  /** Called when all outcomes are recorded. Never rejects. */
  async finish(): Promise<void> {
    await this.#deaths.finish();
  }

  async #recordAttempt({ item, state, attempt }: Recorded<"attempted">): Promise<Disposition> {
    this.#options.metrics.duration(attempt.endedAt - attempt.startedAt);
    if (attempt.tag === "succeeded") return await this.#recordSuccess(item, state, attempt);
    const wait = requestedWait(attempt);
    const next =
      wait === undefined
        ? await this.#failedAttempts.recordFailure(item, state, attempt)
        : await this.#failedAttempts.recordWait(item, state, attempt, wait);
    return await this.#follow(item, next);
  }

  async #recordSuccess(item: ItemMessage, state: PendingState, attempt: Succeeded): Promise<Disposition> {
    const { index, redriveGeneration, ...page } = addressOf(item.envelope);
    const failures = state.failures.length;
    const result = this.#pendingResult(item, failures + 1, attempt);
    const recorded = this.#successes.record(page, { index, redriveGeneration, failures, result });
    if (this.#results !== undefined && this.#results.unstoredBytes >= MOST_UNSTORED_BYTES) this.#successes.writeAll();
    try {
      // mutant: record-before-delete
      await recorded;
    } catch (error) {
      if (error instanceof ResultsNotStoredError) return await this.#returnUnstored(item, state);
      throw error;
    }
    this.#options.metrics.count("succeeded", 1);
    return DELETE;
  }

  #pendingResult({ envelope }: ItemMessage, attempts: number, attempt: Succeeded): PendingResult | undefined {
    const { result, endedAt } = attempt;
    if (result === undefined) return undefined;
    const { index, epoch, redriveGeneration: generation, ...page } = addressOf(envelope);
    const include = this.#options.workflow.results?.include ?? [];
    return this.#results?.add(page, {
      ...{ epoch, index, generation, result },
      ...(include.includes("attempts") && { attempts }),
      ...(include.includes("finishedAt") && { finishedAt: new Date(endedAt).toISOString() }),
      ...(include.includes("item") && { item: toExactText(envelope.item)?.json }),
    });
  }

  /**
   * Returns a message whose result could not be stored. The task will run again. The receive is recorded, so that it makes
   * the item no suspect, and the attempt is not counted.
   */
  async #returnUnstored(item: ItemMessage, state: PendingState): Promise<Disposition> {
    this.#options.metrics.count("resultsNotStored", 1);
    const afterMilliseconds = outageDelay(receiveOf(item), this.#options.random());
    return await this.#returns.withoutAttempt({ item, state, afterMilliseconds });
  }

  #writeSuccesses(
    groups: readonly PageGroup<Success>[],
    waiting: readonly PageGroup<Success>[],
  ): readonly Promise<void>[] {
    this.#results?.store(resultsOf(groups), resultsOf(waiting));
    return groups.map((group) => this.#writeGroup(group));
  }

  async #writeGroup(successes: PageGroup<Success>): Promise<void> {
    // A group is recorded as done only after all its results are stored.
    // mutant: store-before-ledger
    if (this.#results !== undefined) await this.#results.whenStored(resultsOf([successes]));
    await this.#options.ledger.outcomes.recordSuccesses(successes);
    publish({ event: "succeeded", count: successes.items.length });
  }

  async #follow(item: ItemMessage, next: AfterFailure): Promise<Disposition> {
    if (next.tag !== "retry") return await this.record(next);
    const disposition = await this.#returns.after(item, next.afterMilliseconds);
    if (next.failure !== undefined) this.#failedAttempts.noteRetry(item, next.failure, next.afterMilliseconds);
    return disposition;
  }

  async #recordCancelled({ envelope }: ItemMessage): Promise<Disposition> {
    const { index, redriveGeneration, ...page } = addressOf(envelope);
    await this.#cancellations.record(page, { index, redriveGeneration });
    return DELETE;
  }

  /** The consumer that settled the item may have ended before it completed the item's page, block and run. */
  async #rollUpAgain({ envelope }: ItemMessage): Promise<Disposition> {
    // mutant: roll-up-again
    await this.#options.ledger.outcomes.rollUpAgain(addressOf(envelope));
    return DELETE;
  }

  async #dropStale({ envelope }: ItemMessage): Promise<Disposition> {
    this.#options.logger.info("dropped a message of an earlier epoch of its page", {
      ...logFields(addressOf(envelope)),
    });
    return DELETE;
  }

  /**
   * Returns a message whose item could not be looked up. The receive cannot be recorded either, so it stays
   * unexplained. This makes the item a suspect, and does not count as a failure.
   */
  async #returnNotLookedUp(item: ItemMessage): Promise<Disposition> {
    return await this.#returns.after(item, outageDelay(receiveOf(item), this.#options.random()));
  }

  /**
   * Returns a message that other code must handle. A consumer with that code, which is being deployed, will receive it.
   * Nothing is written, because this version may not know what the message means.
   */
  async #returnNewerVersion({ message, error }: Recorded<"newer version">): Promise<Disposition> {
    const { metrics, logger, now, random } = this.#options;
    metrics.count("newerVersion", 1);
    // All messages of a run may need other code: one warning is enough.
    if (!this.#hasToldNewerVersion)
      logger.warn(
        error instanceof NewerVersionError
          ? "returned messages to the queue, because a newer version of Sluice wrote them"
          : `returned messages to the queue: ${error.message}`,
        { error },
      );
    this.#hasToldNewerVersion = true;
    return { tag: "return", afterMilliseconds: newerVersionDelay(message, this.#queueTopology, now(), random()) };
  }
}

/** A text that no other consumer returns. Ids sort by time, so an earlier result of an item usually has the lower key. */
const newObjectId = (): string => `${Date.now().toString(36)}-${randomBytes(8).toString("hex")}`;

const resultsOf = (groups: readonly PageGroup<Success>[]): readonly PendingResult[] =>
  groups.flatMap(({ items }) => items.flatMap(({ result }) => result ?? []));
