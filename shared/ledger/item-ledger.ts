import { type Key, keyText, type LedgerStore, type Row } from "../aws/table.ts";
import type { Failure } from "../base/failure.ts";
import { attemptsKey, type ItemAddress, pageKey } from "../messages/item-address.ts";
import { Attempts } from "./attempts.ts";
import { type AttemptsRow, readAttemptsRow } from "./attempts-row.ts";
import { Outcomes } from "./outcomes.ts";
import { generationEntry, isRedriven, isSettled, lastSettledGeneration, readPageRow } from "./page-row.ts";
import { type Announce, RollUp } from "./roll-up.ts";
import { RunStates } from "./run-states.ts";
import { InvalidFindings } from "./same-failure.ts";

/**
 * What the ledger knows of an item.
 *
 * - `pending`: the item is neither done nor dead. With `final`, the item will die, but its death is not recorded yet.
 * - `settled`: the item is done or cancelled, or it is dead and its dead letter was sent.
 * - `unknown`: the ledger has no such page. The page is in another table, or was deleted when it expired.
 * - `stale`: the item is of an earlier epoch of its page, and does not count.
 */
export type ItemState =
  | { readonly tag: "settled" }
  | { readonly tag: "stale" }
  | { readonly tag: "unknown" }
  | ({ readonly tag: "pending" } & AttemptsRow);

/**
 * What the ledger knows of the item of a dead letter.
 *
 * - `pending`: the item was redriven after it last settled, or has never settled (SQS itself moved its message).
 * - `dead`: the item died or was cancelled, and no later redrive generation of it is pending.
 * - `done`: the item has succeeded, so nothing is left to do about the dead letter.
 * - `unknown`, `stale`: as in `ItemState`.
 */
export type ItemFate =
  | { readonly tag: "done" }
  | { readonly tag: "stale" }
  | { readonly tag: "unknown" }
  | {
      readonly tag: "pending" | "dead";
      /** The latest redrive generation that died or was cancelled, or -1 if there is none. */
      readonly lastGeneration: number;
      /** Whether a redrive began a generation that has not settled yet. */
      readonly redriven: boolean;
      /** The failures of the redrive generation in the item's address. */
      readonly failures: readonly Failure[];
    };

/** What a ledger consists of. */
export interface LedgerParts<R extends RunStates> {
  readonly outcomes: Outcomes;
  readonly runs: R;
}

/**
 * The part of the ledger that consumers need: what happened to each item, and the status of the runs. `Ledger` adds what
 * only the producer needs, and is not in the bundle of a consumer. `itemLedger` makes one.
 */
export class ItemLedger<R extends RunStates = RunStates> {
  readonly #store: LedgerStore;
  /** The table. Only what reads results reads its rows directly. */
  readonly store: LedgerStore;
  /** The runs: how they start, change their status and end. */
  readonly runs: R;
  /** What happened in the attempts of items. */
  readonly attempts: Attempts;
  /** How items end. */
  readonly outcomes: Outcomes;

  constructor(store: LedgerStore, { outcomes, runs }: LedgerParts<R>) {
    this.#store = store;
    this.store = store;
    this.outcomes = outcomes;
    this.attempts = new Attempts(store);
    this.runs = runs;
  }

  /** A collector for the findings of invalid items. Each invocation needs one of its own. */
  invalidFindings(): InvalidFindings {
    return new InvalidFindings(this.#store);
  }

  /** Reads the states of items. The result has the order of `items`. */
  async itemStates(items: readonly ItemAddress[]): Promise<readonly ItemState[]> {
    const rows = await this.#rowsOf(items);
    return await Promise.all(
      items.map(async (item): Promise<ItemState> => {
        const { index, epoch, redriveGeneration } = item;
        const row = rows.get(keyText(pageKey(item)));
        if (row === undefined) return { tag: "unknown" };
        const page = readPageRow(row);
        if (page.epoch !== epoch) return { tag: "stale" };
        if (isSettled(page, index, redriveGeneration)) return { tag: "settled" };
        const attempts = readAttemptsRow(rows.get(keyText(attemptsKey(item))), redriveGeneration);
        // After a death is claimed, no success counts. This death is not recorded yet, so the consumer that claimed it may
        // have crashed.
        const claimed = page.dying.has(generationEntry(index, redriveGeneration));
        if (!claimed || attempts.final !== undefined) return { tag: "pending", ...attempts };
        // The reason was written before the claim. But the two rows were not read at the same moment, so the attempts row
        // is read again.
        const latest = readAttemptsRow(await this.#store.get(attemptsKey(item)), redriveGeneration);
        return { tag: "pending", ...latest, final: latest.final ?? "unexplained" };
      }),
    );
  }

  /** Reads what happened to the items of dead letters. The result has the order of `items`. */
  async itemFates(items: readonly ItemAddress[]): Promise<readonly ItemFate[]> {
    const rows = await this.#rowsOf(items);
    return items.map((item): ItemFate => {
      const { index, epoch, redriveGeneration } = item;
      const row = rows.get(keyText(pageKey(item)));
      if (row === undefined) return { tag: "unknown" };
      const page = readPageRow(row);
      if (page.epoch !== epoch) return { tag: "stale" };
      if (page.done.has(index)) return { tag: "done" };
      const settled = page.dead.has(index) || page.cancelled.has(index);
      return {
        tag: settled && !page.reopened.has(index) ? "dead" : "pending",
        lastGeneration: lastSettledGeneration(page, index),
        redriven: isRedriven(page, index),
        failures: readAttemptsRow(rows.get(keyText(attemptsKey(item))), redriveGeneration).failures,
      };
    });
  }

  /** The page rows and the attempts rows of items. */
  #rowsOf(items: readonly ItemAddress[]): Promise<ReadonlyMap<string, Row>> {
    return this.#store.getMany(items.flatMap((item): Key[] => [pageKey(item), attemptsKey(item)]));
  }
}

/** Makes the ledger of a consumer. The parameters are those of `Ledger`. */
export function itemLedger(store: LedgerStore, now: () => number = Date.now, announce?: Announce): ItemLedger {
  const rollUp = new RollUp(store, now, announce);
  return new ItemLedger(store, { outcomes: new Outcomes(store, rollUp), runs: new RunStates(store, now, rollUp) });
}
