import type { RunRecord } from "../ledger/run-record.ts";

/** A run's counts before this command worked on it. */
export interface CountsBefore {
  readonly succeeded: number;
  readonly retried: number;
  readonly dead: number;
}

/** What the execution environments of an engine report. */
export interface ReportedCounts {
  readonly succeeded: number;
  readonly retried: number;
  readonly deadByReason: Readonly<Record<string, number>>;
}

/** The counts of the live display. */
export interface LiveCounts extends CountsBefore {
  readonly produced: number;
  /** Succeeded or dead items. */
  readonly settled: number;
}

/**
 * A run's counts now: those before this command, and what its environments reported since.
 *
 * The reports are not exact. SQS can deliver a message twice, and then two consumers report its item. And items of a page
 * can settle before the checkpoint that counts the page. So the counts are bounded by what was produced: the display never
 * shows more settled items than there are. The exact counts of the summary come from the ledger.
 */
export function liveCounts(
  { checkpoint }: Pick<RunRecord, "checkpoint">,
  { succeeded, retried, deadByReason }: ReportedCounts,
  before: CountsBefore,
): LiveCounts {
  const produced = checkpoint.items;
  const reportedDead = Object.values(deadByReason).reduce((sum, count) => sum + count, 0);
  const dead = Math.min(produced, before.dead + reportedDead);
  const all = Math.min(produced - dead, before.succeeded + succeeded);
  return { produced, succeeded: all, dead, settled: all + dead, retried: before.retried + retried };
}
