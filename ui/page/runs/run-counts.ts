import type { ListedRun } from "../../server/api.ts";
import type { BarCounts } from "../parts/progress-bar.tsx";

/** The counts of a run for its bar. */
export function barCounts({
  succeeded,
  dead,
  cancelled,
  pending,
  produced,
  limit,
  sourceEnded,
  live,
}: ListedRun): BarCounts {
  const total = sourceEnded ? produced : (live?.total ?? limit ?? produced);
  return { succeeded, dead, cancelled, pending, inFlight: live?.inFlight ?? 0, unread: Math.max(0, total - produced) };
}

/** The share of a run that is settled. `undefined`: it is not known how many items there are. */
export function settledShare(run: ListedRun): number | undefined {
  const { succeeded, dead, cancelled, pending, inFlight: _, unread } = barCounts(run);
  if (!run.sourceEnded && run.limit === null) return undefined;
  const settled = succeeded + dead + cancelled;
  const all = settled + pending + unread;
  return all === 0 ? undefined : settled / all;
}

/** A run's status for people. */
export const statusOf = (run: ListedRun): string => {
  if (run.interrupted) return "interrupted";
  return run.redriven && run.pending > 0 && run.live !== null ? "redriving" : run.status;
};

/** Whether a run can still change by itself. */
export const isActive = ({ status }: ListedRun): boolean =>
  status === "running" || status === "paused" || status === "cancelling" || status === "failing";
