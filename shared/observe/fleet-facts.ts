import type { LimitRow } from "../ledger/limit-row.ts";
import { hasEnded, type RunRecord } from "../ledger/run-record.ts";
import { heldNow } from "./held-text.ts";

/** A run and the limit row of its workflow. */
export interface RunAndLimits {
  readonly run: RunRecord;
  readonly services: { readonly limitRow: Pick<LimitRow, "read"> };
}

/** What the limit row of a workflow says of its fleet. */
export interface FleetFacts {
  /** Why the fleet does not use all its slots. */
  readonly held?: string | undefined;
  /** The attempts of all runs that the service has refused because of load. */
  readonly throttled: number;
}

/** Reads the facts of a run that works. `undefined` if the run has ended: they belong to the workflow, and not to one run. */
export async function fleetOf({ run, services }: RunAndLimits): Promise<FleetFacts | undefined> {
  if (hasEnded(run)) return undefined;
  const { state, concurrency } = await services.limitRow.read();
  return { held: heldNow(state, concurrency), throttled: state.counted.throttled };
}
