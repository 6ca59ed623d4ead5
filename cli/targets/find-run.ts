import { pathToFileURL } from "node:url";
import { reachServices } from "../../local/local-services.ts";
import { type Origin, StateDirectory } from "../../local/state-directory.ts";
import { ConfigurationError } from "../../shared/base/errors.ts";
import { newestFirst } from "../../shared/ledger/active-runs.ts";
import { hasEnded, type RunRecord } from "../../shared/ledger/run-record.ts";
import type { Runs } from "../../shared/ledger/runs.ts";
import type { TargetOptions } from "../options/target-options.ts";
import { stackTargets } from "./stack-target.ts";
import type { RunTarget, Target } from "./target.ts";

/** How many of a workflow's latest runs are searched, besides all active runs. */
const RUNS_SEARCHED = 100;

export interface LookOptions extends TargetOptions {
  /** Limits the search to one workflow: its name, or what the user typed for it. Default: all workflows. */
  readonly workflow?: string | undefined;
  /** If several stacks are found, the stack that holds this workflow is chosen. */
  readonly holding?: string | undefined;
  /** Called before each request to a deployed stack. It can delay the request. */
  readonly pace?: (() => Promise<void>) | undefined;
}

/**
 * Yields the workflows of a stack, or of this machine with the latest run first. A target is closed when the caller
 * asks for the next one.
 */
export async function* targets({
  stack,
  region,
  profile,
  workflow,
  holding,
  pace,
}: LookOptions): AsyncGenerator<Target> {
  if (stack === undefined) {
    if (region === undefined && profile === undefined) return yield* localTargets(workflow);
    throw new ConfigurationError("--region and --profile need a deployed stack: add --stack");
  }
  for await (const target of stackTargets({ stack, region, profile, pace, holding: holding ?? workflow })) {
    if (target.workflow === (workflow ?? target.workflow)) yield target;
  }
}

async function* localTargets(only?: string): AsyncGenerator<Target> {
  for (const state of StateDirectory.all()) {
    const { origin } = state;
    if (origin === undefined || (only !== undefined && only !== origin.workflow && only !== origin.name)) continue;
    const services = await reachServices(origin.workflow, state);
    // An engine that was about to end has ended by now. Any other continues while this command uses its services.
    const running = state.lockOwner()?.use === "engine";
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
        openResults: async () => {
          const { FileObjectStore } = await import("../../shared/results/file-object-store.ts");
          return new FileObjectStore(pathToFileURL(state.results).href);
        },
        restoreDelivery: async () => {},
      };
    } finally {
      await services.close();
    }
  }
}

/** Which run a command means if the user names only a workflow, or nothing. */
export interface RunChoice {
  /** The latest run that this accepts is chosen first. Default: no run is preferred. */
  readonly prefers?: RunPredicate;
  /**
   * If the user named nothing and no run is preferred, the latest run that this accepts is chosen. Default: it accepts
   * runs that have not ended.
   */
  readonly accepts?: RunPredicate;
  /**
   * Whether the name of a workflow means its latest skipped run if all of its runs were skipped. Only a command that
   * changes nothing can use this. Default false.
   */
  readonly showsSkipped?: boolean;
}

type RunPredicate = (run: RunRecord, target: Target) => boolean | Promise<boolean>;

/**
 * Finds the run that the user means, calls `work` with it, and closes its target.
 *
 * @param runOrWorkflow A run's id. Or a workflow: then a preferred run of the workflow, or else its latest run that has
 * begun, which a skipped run never does. Or nothing: then a preferred run, or else the latest run that `accepts` accepts.
 * @throws {ConfigurationError} There is no such run.
 */
export async function withRun<Result>(
  runOrWorkflow: string | undefined,
  options: LookOptions,
  work: (target: RunTarget) => Promise<Result>,
  choice: RunChoice = {},
): Promise<Result> {
  let isWorkflow = false;
  for await (const target of targets({ holding: runOrWorkflow, ...options })) {
    isWorkflow ||= names(target, runOrWorkflow);
    const run = await chooseRun(target, runOrWorkflow, choice);
    if (run !== undefined) return await work({ ...target, run });
  }
  const [list, start] =
    options.stack === undefined
      ? ["npx sluice status", "npx sluice run <workflow>"]
      : ["npx sluice status --stack", "npx sluice start <workflow> --stack"];
  if (isWorkflow) {
    throw new ConfigurationError(
      `no run of "${runOrWorkflow}" has begun here: either there is none, or all were skipped. List the runs with: ${list}`,
    );
  }
  throw new ConfigurationError(
    runOrWorkflow === undefined
      ? `every run has ended. Start one with: ${start}. List the runs with: ${list}`
      : `there is no run or workflow "${runOrWorkflow}" here. List the runs with: ${list}`,
  );
}

/** The run of one target that the user means; `undefined` if the target does not have it. */
export async function chooseRun(
  target: Target,
  runOrWorkflow: string | undefined,
  { prefers, accepts = (run) => !hasEnded(run), showsSkipped = false }: RunChoice,
): Promise<RunRecord | undefined> {
  const { runs } = target.services;
  if (runOrWorkflow !== undefined && !names(target, runOrWorkflow)) return await runs.find(runOrWorkflow);
  const active = await runs.active.list();
  const hasBegun = (run: RunRecord) => !mayBeSkipped(run) || active.some(({ id }) => id === run.id);
  if (runOrWorkflow === undefined || prefers !== undefined) {
    const candidates = withLatest(active, await runs.latest(RUNS_SEARCHED)).filter(hasBegun);
    for (const isChosen of prefers === undefined ? [accepts] : [prefers, accepts]) {
      for (const run of candidates) if (await isChosen(run, target)) return run;
    }
  }
  if (runOrWorkflow === undefined) return undefined;
  let latest: RunRecord | undefined;
  for await (const group of runs.all()) {
    latest ??= group[0];
    const begun = group.find(hasBegun);
    if (begun !== undefined) return begun;
  }
  return showsSkipped ? latest : undefined;
}

const names = ({ name, workflow }: Target, runOrWorkflow: string | undefined): boolean =>
  runOrWorkflow === name || runOrWorkflow === workflow;

/**
 * Whether a run was skipped, or may still be. A scheduled run has a row before the producer knows whether another run is
 * active. It begins when it becomes one of the active runs.
 */
const mayBeSkipped = ({ status, exclusive, hop }: RunRecord): boolean =>
  status === "skipped" || (status === "running" && exclusive && hop === 0);

/**
 * The latest runs and all active runs, newest first. An active run may be older than many skipped runs, because
 * scheduled runs are skipped until the active run has ended.
 */
export async function latestAndActive(runs: Runs, limit: number): Promise<readonly RunRecord[]> {
  return withLatest(await runs.active.list(), await runs.latest(limit));
}

const withLatest = (active: readonly RunRecord[], latest: readonly RunRecord[]): readonly RunRecord[] =>
  newestFirst(new Map([...latest, ...active].map((run) => [run.id, run])).values());

/**
 * A workflow's run that was chosen by a command which then died, or was interrupted, before it requested the run.
 * `undefined` if there is none.
 */
export async function unrequestedRunOf({ local, running, services }: Target): Promise<Origin | undefined> {
  if (local === undefined || running) return undefined;
  return (await services.runs.find(local.run)) === undefined ? local : undefined;
}

/** The latest unrequested run on this machine; `undefined` if there is none. */
export async function findUnrequestedRun(runOrWorkflow: string | undefined): Promise<Origin | undefined> {
  for await (const target of localTargets()) {
    const { run, name, workflow } = target.local ?? {};
    if (runOrWorkflow !== undefined && ![run, name, workflow].includes(runOrWorkflow)) continue;
    const unrequested = await unrequestedRunOf(target);
    if (unrequested !== undefined) return unrequested;
  }
  return undefined;
}
