import type { Reason } from "../base/failure.ts";

/** The counts of a page, a block or a run, except for the items that succeeded at their first attempt. */
export interface Totals {
  readonly dead: number;
  readonly cancelled: number;
  /** Failed attempts that were followed by another attempt. */
  readonly retried: number;
  readonly deadByReason: Readonly<Partial<Record<Reason, number>>>;
}

export function sumTotals(all: Iterable<Totals>): Totals {
  let dead = 0;
  let cancelled = 0;
  let retried = 0;
  const deadByReason: Partial<Record<Reason, number>> = {};
  for (const totals of all) {
    dead += totals.dead;
    cancelled += totals.cancelled;
    retried += totals.retried;
    for (const [reason, count] of Object.entries(totals.deadByReason)) {
      deadByReason[reason as Reason] = (deadByReason[reason as Reason] ?? 0) + count;
    }
  }
  return { dead, cancelled, retried, deadByReason };
}
