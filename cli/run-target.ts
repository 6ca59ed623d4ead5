import { reachServices, type ServiceClients } from "../local/services.ts";
import { StateDirectory } from "../local/state-directory.ts";
import { ConfigurationError } from "../shared/errors.ts";
import { hasEnded, type RunRecord } from "../shared/ledger/run-record.ts";

/** A workflow that was run on this machine, and its services. */
export interface Target {
  readonly workflow: string;
  /** What the user may type for it. */
  readonly name: string;
  readonly file: string;
  readonly concurrency: number | undefined;
  /** The run that was begun last, and its items at the most. */
  readonly begun: { readonly run: string; readonly limit: number | undefined };
  readonly state: StateDirectory;
  readonly services: ServiceClients;
  /** Whether another process runs its engine now. */
  readonly running: boolean;
}

export interface RunTarget extends Target {
  readonly run: RunRecord;
}

/** Runs of a workflow among which one is looked for. */
const RUNS_LOOKED_AT = 100;

/** Goes through the workflows that were run here, the latest first, and closes each when its turn is over. */
export async function* targets(): AsyncGenerator<Target> {
  for (const state of StateDirectory.all()) {
    const { origin } = state;
    if (origin === undefined) continue;
    const running = state.holder() !== undefined;
    const services = await reachServices(origin.workflow, state);
    try {
      const { workflow, name, file, concurrency, run, limit } = origin;
      yield { workflow, name, file, concurrency, begun: { run, limit }, state, services, running };
    } finally {
      await services.close();
    }
  }
}

/**
 * Finds the run that is meant, calls `work` with it, and closes what was opened for it.
 *
 * @param runOrWorkflow A run's id; a workflow, whose latest run is meant; or nothing: the latest run that has not ended.
 * @throws {ConfigurationError} There is none.
 */
export async function withRun<Result>(
  runOrWorkflow: string | undefined,
  work: (target: RunTarget) => Promise<Result>,
): Promise<Result> {
  for await (const target of targets()) {
    const runs = await target.services.runs.latest(RUNS_LOOKED_AT);
    const run = runs.find((each) => {
      if (runOrWorkflow === undefined) return !hasEnded(each);
      return each.id === runOrWorkflow || target.name === runOrWorkflow || target.workflow === runOrWorkflow;
    });
    if (run !== undefined) return await work({ ...target, run });
  }
  throw new ConfigurationError(
    runOrWorkflow === undefined
      ? "there is no run that has not ended: npx sluice run <workflow> starts one, npx sluice status lists those that were"
      : `there is no run or workflow "${runOrWorkflow}" here: npx sluice status lists those that are`,
  );
}

/** The latest run that was begun by a command which died before it could ask for it; `undefined` where there is none. */
export async function findUnasked(runOrWorkflow: string | undefined): Promise<Target | undefined> {
  for await (const target of targets()) {
    const { begun, name, workflow, running, services } = target;
    if (runOrWorkflow !== undefined && ![begun.run, name, workflow].includes(runOrWorkflow)) continue;
    if (!running && (await services.runs.find(begun.run)) === undefined) return target;
  }
  return undefined;
}
