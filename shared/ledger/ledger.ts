import type { LedgerStore } from "../aws/table.ts";
import { ItemLedger } from "./item-ledger.ts";
import { Outcomes } from "./outcomes.ts";
import { Pages } from "./pages.ts";
import { type Announce, RollUp } from "./roll-up.ts";
import { Runs } from "./runs.ts";

/**
 * The ledger of a workflow: its runs, and what happened to each item. It keeps exact counts although messages arrive twice,
 * consumers die between two writes, and producers send a page again. See `docs/internals/ledger.md`.
 *
 * @example const ledger = new Ledger(new DynamoDbStore(client, "cities-ledger"));
 * const run = await ledger.runs.get("2026-11-27-1");
 */
export class Ledger extends ItemLedger<Runs> {
  /** The pages, as the producer writes them. */
  readonly pages: Pages;

  /**
   * @param now Returns the current time in milliseconds since 1970. Default: `Date.now`.
   * @param announce Announces that a run has ended. Default: no announcement.
   */
  constructor(store: LedgerStore, now: () => number = Date.now, announce?: Announce) {
    const rollUp = new RollUp(store, now, announce);
    const outcomes = new Outcomes(store, rollUp);
    const pages = new Pages(store, rollUp, outcomes);
    super(store, { outcomes, runs: new Runs(store, now, rollUp, pages) });
    this.pages = pages;
  }
}
