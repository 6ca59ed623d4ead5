import { type Failure, toFailure } from "../../base/failure.ts";
import { countWaits } from "../../base/waits.ts";
import { isolatedAttemptBeginsBy } from "../../definition/topology.ts";
import type { Workflow } from "../../definition/workflow.ts";
import type { ItemLedger } from "../../ledger/item-ledger.ts";
import { addressOf, identityOf } from "../../messages/item-address.ts";
import { type ItemMessage, receiveOf } from "../../messages/item-message.ts";
import type { AttemptOutcome } from "./attempt.ts";
import { Isolation, type IsolationOptions } from "./isolation.ts";
import { isolationMemory } from "./isolation-memory.ts";
import { IsolationPlaces } from "./isolation-places.ts";
import { crashedReceives, maybeRunningUntil, type PendingState } from "./receive-history.ts";

export interface IsolatedAttemptsOptions extends IsolationOptions {
  readonly workflow: Workflow;
  readonly ledger: ItemLedger;
}

/** How an isolated attempt ended, or why it was not made. */
export type IsolatedOutcome =
  /** The attempt was made. `failures` are those before it. */
  | { readonly tag: "attempted"; readonly outcome: AttemptOutcome; readonly failures: readonly Failure[] }
  /** No attempt was made: earlier crashes, which are counted only now, have used up the item's attempts. */
  | { readonly tag: "exhausted"; readonly failures: readonly Failure[] }
  /** No attempt was made: another consumer may be making one, until this time in the clock's milliseconds. */
  | { readonly tag: "maybe running"; readonly until: number }
  /** No process was available for it in time. */
  | { readonly tag: "no place" }
  /** This environment cannot start a process, so another environment must make the attempt. */
  | { readonly tag: "not started"; readonly error: Error };

/** Makes the attempts of suspect items, each in a process of its own. See `docs/internals/poison.md`. */
export class IsolatedAttempts {
  readonly #options: IsolatedAttemptsOptions;
  readonly #isolation: Isolation;
  readonly #places = new IsolationPlaces();

  constructor(options: IsolatedAttemptsOptions) {
    this.#options = options;
    this.#isolation = new Isolation(options);
  }

  /**
   * Makes one isolated attempt. If an isolated attempt of the item has ended its whole consumer before, this one runs
   * while no other isolated attempt does: if the consumer ends again, this item is certainly the cause.
   *
   * @param deadline When the invocation must begin to record, in the clock's milliseconds.
   * @throws What the ledger throws: the message must be received again.
   */
  async attempt(item: ItemMessage, state: PendingState, deadline: number): Promise<IsolatedOutcome> {
    const { timeoutMilliseconds } = this.#options.workflow;
    const until = maybeRunningUntil(item, state, timeoutMilliseconds, this.#options.now());
    if (until !== undefined) return { tag: "maybe running", until };
    const alone = crashedReceives(item, state, "isolated", "alone").length > 0;
    const place = this.#places.take(isolationMemory(this.#options.memoryMb, alone).processes, alone);
    if (place === undefined) return { tag: "no place" };
    try {
      const failures = await this.#recordCrashes(item, state);
      if (failures.length >= this.#options.workflow.retry.attempts) return { tag: "exhausted", failures };
      return await this.#run(item, { ...state, failures }, alone, deadline);
    } finally {
      place.release();
    }
  }

  async #run(item: ItemMessage, state: PendingState, alone: boolean, deadline: number): Promise<IsolatedOutcome> {
    const { ledger, workflow, now } = this.#options;
    const { envelope } = item;
    const { failures } = state;
    const { timeoutMilliseconds } = workflow;
    const attempt = {
      item: envelope.item,
      keepsResult: envelope.results,
      context: {
        attempt: failures.length + 1,
        waits: countWaits(state.waits),
        run: { id: envelope.run, workflow: workflow.name },
        ...identityOf(envelope),
      },
      timeoutMilliseconds,
    };
    const outcome = await this.#isolation.run(attempt, {
      alone,
      beginsBy: isolatedAttemptBeginsBy(deadline, timeoutMilliseconds),
      // Recorded when the process is ready: what goes wrong before that does not count against the item.
      begin: () =>
        ledger.attempts.recordReceive(addressOf(envelope), receiveOf(item), alone ? "alone" : "isolated", now()),
    });
    switch (outcome.tag) {
      case "not ready":
        return { tag: "no place" };
      case "not started":
        return outcome;
      default:
        return { tag: "attempted", outcome, failures };
    }
  }

  /** Counts earlier attempts that ran alone and ended their consumer, which could not count them itself. */
  async #recordCrashes(item: ItemMessage, state: PendingState): Promise<readonly Failure[]> {
    const { ledger, now } = this.#options;
    let { failures } = state;
    for (const receive of crashedReceives(item, state, "alone")) {
      const crash = new Error("the attempt ended its whole execution environment");
      crash.stack = "";
      const times = { startedAt: now(), endedAt: now() };
      const failure = toFailure(crash, { ...times, attempt: failures.length + 1, kind: "crashed" });
      failures = await ledger.attempts.recordFailure(addressOf(item.envelope), receive, failure);
    }
    return failures;
  }
}
