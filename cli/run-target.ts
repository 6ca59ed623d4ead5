import { reachServices } from "../local/services.ts";
import { type Origin, StateDirectory } from "../local/state-directory.ts";
import { ConfigurationError } from "../shared/errors.ts";
import { hasEnded, isActive, type RunRecord } from "../shared/ledger/run-record.ts";
import { stackTargets } from "./stack-target.ts";
import type { RunTarget, Target } from "./target.ts";
import type { TargetOptions } from "./target-options.ts";

/** Runs of a workflow among which one is looked for. */
export const RUNS_LOOKED_AT = 100;

export interface LookOptions extends TargetOptions {
  /** The only workflow that is looked at: its name, or what the user typed for it. */
  readonly workflow?: string | undefined;
  /** Of several stacks, the one that holds this workflow is meant. */
  readonly holding?: string | undefined;
}

/** Goes through the workflows of a stack, or of this machine, the latest first. Each is closed when its turn is over. */
export async function* targets({ stack, region, profile, workflow, holding }: LookOptions): AsyncGenerator<Target> {
  if (stack === undefined) {
    if (region === undefined && profile === undefined) return yield* localTargets(workflow);
    throw new ConfigurationError("--region and --profile are of a deployed stack: add --stack");
  }
  for await (const target of stackTargets({ stack, region, profile, holding: holding ?? workflow })) {
    if (target.workflow === (workflow ?? target.workflow)) yield target;
  }
}

async function* localTargets(only?: string): AsyncGenerator<Target> {
  for (const state of StateDirectory.all()) {
    const { origin } = state;
    if (origin === undefined || (only !== undefined && only !== origin.workflow && only !== origin.name)) continue;
    const running = state.holder()?.use === "engine";
    const services = await reachServices(origin.workflow, state);
    const { workflow, name } = origin;
    try {
      yield {
        workflow,
        name,
        where: "this machine",
        stack: undefined,
        services,
        running,
        local: origin,
        // The engine sees for itself that its run is paused.
        deliver: async () => {},
      };
    } finally {
      await services.close();
    }
  }
}

/**
 * Finds the run that is meant, calls `work` with it, and closes what was opened for it.
 *
 * @param runOrWorkflow A run's id; a workflow, whose latest run is meant; or nothing: the latest run that has not ended.
 * @param isMeant Of nothing: whether a run is meant.
 * @throws {ConfigurationError} There is none.
 */
export async function withRun<Result>(
  runOrWorkflow: string | undefined,
  options: LookOptions,
  work: (target: RunTarget) => Promise<Result>,
  isMeant: (run: RunRecord, target: Target) => boolean | Promise<boolean> = (run) => !hasEnded(run),
): Promise<Result> {
  for await (const target of targets({ holding: runOrWorkflow, ...options })) {
    const runs = await target.services.runs.latest(RUNS_LOOKED_AT);
    for (const run of runs) {
      const named = [run.id, target.name, target.workflow];
      const meant = runOrWorkflow === undefined ? await isMeant(run, target) : named.includes(runOrWorkflow);
      if (meant) return await work({ ...target, run });
    }
  }
  const [list, start] =
    options.stack === undefined
      ? ["npx sluice status", "npx sluice run <workflow>"]
      : ["npx sluice status --stack", "npx sluice start <workflow> --stack"];
  throw new ConfigurationError(
    runOrWorkflow === undefined
      ? `there is no run that has not ended: ${start} starts one, ${list} lists those that were`
      : `there is no run of "${runOrWorkflow}" here: ${list} lists those that are`,
  );
}

/** Whether another run of the workflow works, which must not be stopped with this one. */
export async function othersWork({ services, run }: RunTarget): Promise<boolean> {
  const runs = await services.runs.latest(RUNS_LOOKED_AT);
  return runs.some((other) => other.id !== run.id && isActive(other) && other.status !== "paused");
}

/**
 * A workflow's run that was begun by a command which died, or was interrupted, before it could ask for it; `undefined`
 * where there is none.
 */
export async function unaskedOf({ local, running, services }: Target): Promise<Origin | undefined> {
  if (local === undefined || running) return undefined;
  return (await services.runs.find(local.run)) === undefined ? local : undefined;
}

/** The latest such run on this machine; `undefined` where there is none. */
export async function findUnasked(runOrWorkflow: string | undefined): Promise<Origin | undefined> {
  for await (const target of localTargets()) {
    const { run, name, workflow } = target.local ?? {};
    if (runOrWorkflow !== undefined && ![run, name, workflow].includes(runOrWorkflow)) continue;
    const unasked = await unaskedOf(target);
    if (unasked !== undefined) return unasked;
  }
  return undefined;
}
