import { hasEnded } from "../../shared/ledger/run-record.ts";
import { heldNow } from "../screens/limit-text.ts";
import type { RunTarget } from "./target.ts";

/** What the limit row of a workflow says of its fleet. */
export interface FleetFacts {
  /** Why the fleet does not use all its slots. */
  readonly held?: string | undefined;
  /** The attempts of all runs that the service has refused because of load. */
  readonly throttled: number;
}

/** Reads the facts of a run that works. `undefined` if the run has ended: they belong to the workflow, and not to one run. */
export async function fleetOf({ run, services }: RunTarget): Promise<FleetFacts | undefined> {
  if (hasEnded(run)) return undefined;
  const { state, concurrency } = await services.limitRow.read();
  return { held: heldNow(state, concurrency), throttled: state.counted.throttled };
}
