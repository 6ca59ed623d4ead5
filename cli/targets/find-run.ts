import { reachServices } from "../../local/local-services.ts";
import { type Origin, StateDirectory } from "../../local/state-directory.ts";
import { ConfigurationError } from "../../shared/base/errors.ts";
import { newestFirst } from "../../shared/ledger/active-runs.ts";
import { hasEnded, type RunRecord } from "../../shared/ledger/run-record.ts";
import type { Runs } from "../../shared/ledger/runs.ts";
import type { TargetOptions } from "../options/target-options.ts";
import { stackTargets } from "./stack-target.ts";
import type { RunTarget, Target } from "./target.ts";

/** Runs of a workflow among which one that has not ended, and is not active either, is looked for. */
const RUNS_LOOKED_AT = 100;

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
        restoreDelivery: async () => {},
      };
    } finally {
      await services.close();
    }
  }
}

/** Which run is meant by a workflow's name, or by nothing. */
export interface Meant {
  /** Such a run comes first, even if later ones are not such. Default: none. */
  readonly prefers?: Accepts;
  /** Else, by nothing, the latest such run is meant. Default: one that has not ended. */
  readonly isMeant?: Accepts;
}

type Accepts = (run: RunRecord, target: Target) => boolean | Promise<boolean>;

/**
 * Finds the run that is meant, calls `work` with it, and closes what was opened for it.
 *
 * @param runOrWorkflow A run's id; a workflow, of which a preferred run is meant, or its latest that was not skipped; or
 * nothing: a preferred run, or the latest that has not ended.
 * @throws {ConfigurationError} There is none.
 */
export async function withRun<Result>(
  runOrWorkflow: string | undefined,
  options: LookOptions,
  work: (target: RunTarget) => Promise<Result>,
  meant: Meant = {},
): Promise<Result> {
  for await (const target of targets({ holding: runOrWorkflow, ...options })) {
    const run = await findMeant(target, runOrWorkflow, meant);
    if (run !== undefined) return await work({ ...target, run });
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

/** The run of a target that is meant, if it has it. */
export async function findMeant(
  target: Target,
  runOrWorkflow: string | undefined,
  { prefers, isMeant = (run) => !hasEnded(run) }: Meant,
): Promise<RunRecord | undefined> {
  const { runs } = target.services;
  const isWorkflow = runOrWorkflow === target.name || runOrWorkflow === target.workflow;
  if (runOrWorkflow !== undefined && !isWorkflow) return await runs.find(runOrWorkflow);
  if (runOrWorkflow === undefined || prefers !== undefined) {
    const candidates = await latestAndActive(runs, RUNS_LOOKED_AT);
    for (const accepts of prefers === undefined ? [isMeant] : [prefers, isMeant]) {
      for (const run of candidates) if (await accepts(run, target)) return run;
    }
  }
  return runOrWorkflow === undefined ? undefined : await latestStarted(runs);
}

/** The latest run that was not skipped. */
async function latestStarted(runs: Runs): Promise<RunRecord | undefined> {
  let latest: RunRecord | undefined;
  for await (const group of runs.all()) {
    latest ??= group[0];
    const started = group.find(({ status }) => status !== "skipped");
    if (started !== undefined) return started;
  }
  return latest;
}

/** The latest runs, and all active ones, newest first: a run may be skipped for one that is older than all the latest. */
export async function latestAndActive(runs: Runs, limit: number): Promise<readonly RunRecord[]> {
  const all = [...(await runs.latest(limit)), ...(await runs.active.list())];
  return newestFirst(new Map(all.map((run) => [run.id, run])).values());
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
