import { type Failure, toFailure } from "../../base/failure.ts";
import { countWaits } from "../../base/waits.ts";
import type { Workflow } from "../../definition/workflow.ts";
import type { ReceiveMark } from "../../ledger/attempts-row.ts";
import type { ItemState, Ledger } from "../../ledger/ledger.ts";
import { addressOf, identityOf } from "../../messages/item-address.ts";
import { type ItemMessage, receiveOf } from "../../messages/item-message.ts";
import type { AttemptOutcome } from "./attempt.ts";
import { Isolation } from "./isolation.ts";
import { isolationMemory } from "./isolation-memory.ts";

export type Pending = Extract<ItemState, { tag: "pending" }>;

export interface SuspectsOptions {
  readonly workflow: Workflow;
  readonly ledger: Ledger;
  /** What an attempt runs in that may take its process along. */
  readonly isolatedModule: string;
  readonly memoryMb: number;
  readonly now: () => number;
}

/** What became of a suspect: its attempt was made, or needs not be made any more, or has no place now. */
export type SuspectOutcome =
  | { readonly tag: "attempted"; readonly outcome: AttemptOutcome; readonly failures: readonly Failure[] }
  | { readonly tag: "exhausted"; readonly failures: readonly Failure[] }
  | { readonly tag: "no place" }
  /** The environment cannot start a process: another one must make the attempt. */
  | { readonly tag: "not started"; readonly error: Error };

/**
 * The suspects of one consumer: items that came back unexplained, of which one may have ended the consumer before.
 * Each attempt runs in a process of its own. See `docs/internals/poison.md`.
 */
export class Suspects {
  readonly #options: SuspectsOptions;
  readonly #isolation: Isolation;
  /** Attempts under way, and whether it is one that none may be beside. */
  #underWay = 0;
  #alone = false;

  constructor(options: SuspectsOptions) {
    this.#options = options;
    this.#isolation = new Isolation(options);
  }

  /**
   * Makes a suspect's attempt. If a consumer died even over such an attempt, the next one is made alone, so that it is
   * certain who was to blame.
   *
   * @throws What the ledger throws: the message must come again.
   */
  async attempt(item: ItemMessage, state: Pending): Promise<SuspectOutcome> {
    const { ledger, workflow, memoryMb } = this.#options;
    const { envelope } = item;
    const alone = crashedReceives(item, state, "isolated", "alone").length > 0;
    const places = isolationMemory(memoryMb, alone).processes;
    if (this.#alone || this.#underWay >= places) return { tag: "no place" };
    this.#underWay++;
    this.#alone = alone;
    try {
      const failures = await this.#recordCrashes(item, state);
      if (failures.length >= workflow.retry.attempts) return { tag: "exhausted", failures };
      const request = {
        item: envelope.item,
        context: {
          attempt: failures.length + 1,
          waits: countWaits(state.waits),
          run: { id: envelope.run, workflow: workflow.name },
          ...identityOf(envelope),
        },
        timeoutMilliseconds: workflow.timeoutMilliseconds,
      };
      // Noted once its process is ready: what goes wrong before is not the item's doing.
      const outcome = await this.#isolation.run(request, alone, () =>
        ledger.attempts.recordReceive(addressOf(envelope), receiveOf(item), alone ? "alone" : "isolated"),
      );
      switch (outcome.tag) {
        case "not ready":
          return { tag: "no place" };
        case "not started":
          return outcome;
        default:
          return { tag: "attempted", outcome, failures };
      }
    } finally {
      this.#underWay--;
      this.#alone = false;
    }
  }

  /** Counts the attempts that were made alone and took their consumer along, which could not count them. */
  async #recordCrashes(item: ItemMessage, state: Pending): Promise<readonly Failure[]> {
    const { ledger, now } = this.#options;
    let { failures } = state;
    for (const receive of crashedReceives(item, state, "alone")) {
      const crash = new Error("the attempt took its whole execution environment along");
      crash.stack = "";
      const times = { startedAt: now(), endedAt: now() };
      const failure = toFailure(crash, { ...times, attempt: failures.length + 1, kind: "crashed" });
      failures = await ledger.attempts.recordFailure(addressOf(item.envelope), receive, failure);
    }
    return failures;
  }
}

/** Receives of which nothing is known: the consumer died, or was throttled. */
export function unexplained(item: ItemMessage, { receives, accountedTo = 0 }: Pending): readonly number[] {
  const before = Math.max(0, receiveOf(item) - 1 - accountedTo);
  return Array.from({ length: before }, (_, index) => accountedTo + index + 1).filter(
    (receive) => !receives.has(receive),
  );
}

/** Receives under which the item's attempt began in a process of its own, and no end of it could be recorded. */
function crashedReceives(
  item: ItemMessage,
  { receives }: Pending,
  ...marks: readonly ReceiveMark[]
): readonly number[] {
  return [...receives].flatMap(([receive, mark]) =>
    mark !== "failed" && marks.includes(mark) && receive < receiveOf(item) ? [receive] : [],
  );
}

/** Whether an item may be the one that its consumer died of. It need not be: its neighbours are suspects, too. */
export const isSuspect = (item: ItemMessage, state: Pending): boolean =>
  state.suspect === true ||
  unexplained(item, state).length > 0 ||
  crashedReceives(item, state, "isolated", "alone").length > 0;
