import { isActive, type RunRecord } from "../ledger/run-record.ts";

/** A run, and whether consumers are running: those of a deployed stack, or of an engine on this machine. */
export interface RunAndEngine {
  readonly run: RunRecord;
  readonly running: boolean;
}

/** Whether a run is active but nothing is working on it: the command that ran it was interrupted, or died. */
export const isInterrupted = ({ run, running }: RunAndEngine): boolean =>
  !running && isActive(run) && run.status !== "paused";

/** A run's status for people: the status of the ledger, or "interrupted". */
export const statusText = (target: RunAndEngine): string => (isInterrupted(target) ? "interrupted" : target.run.status);

/** Seconds from the request of a run to its end; `undefined` until it has ended. */
export function wallSecondsOf({ requestedAt, completedAt }: RunRecord): number | undefined {
  return completedAt === undefined ? undefined : (Date.parse(completedAt) - Date.parse(requestedAt)) / 1_000;
}
