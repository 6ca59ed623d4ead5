import { publish } from "../../base/events.ts";
import { type QueueTopology, topology } from "../../definition/topology.ts";
import type { ItemsOfPage, Successes } from "../../ledger/outcomes.ts";
import type { Runs } from "../../ledger/runs.ts";
import { addressOf, logFields } from "../../messages/item-address.ts";
import { type ItemMessage, receiveOf } from "../../messages/item-message.ts";
import { newerVersionDelay } from "../../messages/newer-version-delay.ts";
import { requestedWait } from "../attempts/attempt.ts";
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
    Pick<PageGroupsOptions, "longestWait" | "mostWaiting"> {
  readonly runs: Runs;
}

type Success = Successes["items"][number];
type Cancellation = ItemsOfPage["items"][number];
type Recorded<Tag extends Outcome["tag"]> = Extract<Outcome, { tag: Tag }>;

/** Records what happened to messages: the only part of the consumer that writes outcomes. */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #successes: PageGroups<Success>;
  readonly #cancellations: PageGroups<Cancellation>;
  readonly #failedAttempts: FailedAttempts;
  readonly #deaths: ItemDeaths;
  readonly #returns: ItemReturns;
  readonly #queueTopology: QueueTopology;
  #hasToldNewerVersion = false;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#successes = new PageGroups((groups) => groups.map((group) => this.#writeSuccesses(group)), options);
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
    if (attempt.tag === "succeeded") {
      const { index, redriveGeneration, ...page } = addressOf(item.envelope);
      await this.#successes.record(page, { index, redriveGeneration, failures: state.failures.length });
      this.#options.metrics.count("succeeded", 1);
      return DELETE;
    }
    const wait = requestedWait(attempt);
    const next =
      wait === undefined
        ? await this.#failedAttempts.recordFailure(item, state, attempt)
        : await this.#failedAttempts.recordWait(item, state, attempt, wait);
    return await this.#follow(item, next);
  }

  async #writeSuccesses(successes: PageGroup<Success>): Promise<void> {
    await this.#options.ledger.outcomes.recordSuccesses(successes);
    publish({ event: "succeeded", count: successes.items.length });
  }

  async #follow(item: ItemMessage, next: AfterFailure): Promise<Disposition> {
    if (next.tag !== "retry") return await this.record(next);
    const disposition = await this.#returns.after(item, next.afterMilliseconds);
    if (!next.isWait) this.#failedAttempts.noteRetry();
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
   * Returns a message of a newer version. A consumer of that version, which is being deployed, will receive it. Nothing
   * is written, because this version cannot know what the message means.
   */
  async #returnNewerVersion({ message, error }: Recorded<"newer version">): Promise<Disposition> {
    const { metrics, logger, now, random } = this.#options;
    metrics.count("newerVersion", 1);
    // All messages of a run may be of a newer version: one warning is enough.
    if (!this.#hasToldNewerVersion)
      logger.warn("returned messages to the queue, because a newer version of Sluice wrote them", { error });
    this.#hasToldNewerVersion = true;
    return { tag: "return", afterMilliseconds: newerVersionDelay(message, this.#queueTopology, now(), random()) };
  }
}
