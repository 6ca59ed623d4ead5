import { ConfigurationError, SluiceError } from "../../shared/base/errors.ts";
import { findDeadLetters } from "../../shared/dead-letters/browse.ts";
import type { DeadLetterOptions, DlqOptions } from "../options/dead-letter-options.ts";
import { plural } from "../screens/format.ts";
import { whileEngineRuns } from "./engine-ended.ts";
import { targets } from "./find-run.ts";
import type { Target } from "./target.ts";

/**
 * Yields the workflows whose dead letters a command reads: the named one, or all of this machine or of a stack.
 *
 * @throws {ConfigurationError} There is no such workflow.
 */
export async function* dlqTargets(options: DlqOptions): AsyncGenerator<Target> {
  let found = false;
  for await (const target of targets(options)) {
    found = true;
    yield target;
  }
  if (found) return;
  const { workflow, stack } = options;
  if (workflow !== undefined) {
    const names: string[] = [];
    for await (const { name } of targets({ ...options, workflow: undefined })) names.push(name);
    const known = names.length === 0 ? "There is none" : `There are: ${names.join(", ")}`;
    throw new ConfigurationError(`--workflow: there is no workflow "${workflow}" here. ${known}`);
  }
  const start = stack === undefined ? "npx sluice run <workflow>" : "npx sluice start <workflow> --stack";
  throw new ConfigurationError(`no workflow has been run here, so there are no dead letters. Run one with: ${start}`);
}

/**
 * Calls `work` with the one workflow whose dead letters a command changes. If several workflows have dead letters and the
 * user named none, the ids or the runs decide.
 *
 * @param ids Ids of dead letters, or the starts of ids.
 * @throws {ConfigurationError} There is no such workflow, or several are possible.
 */
export async function withOneTarget<Result>(
  options: DlqOptions & Pick<DeadLetterOptions, "run">,
  ids: readonly string[],
  work: (target: Target) => Promise<Result>,
): Promise<Result> {
  const workflow = options.workflow ?? (await choose(options, ids));
  for await (const target of dlqTargets({ ...options, workflow }))
    return await whileEngineRuns(target, () => work(target));
  // `dlqTargets` yields at least one target, or throws.
  throw new ConfigurationError(`the workflow ${workflow} was deleted while this command ran`);
}

async function choose(options: DlqOptions & Pick<DeadLetterOptions, "run">, ids: readonly string[]): Promise<string> {
  const all: { readonly workflow: string; readonly deadLetters: number }[] = [];
  for await (const { workflow, services } of dlqTargets(options)) {
    const { visible, inFlight, delayed } = await services.deadLetterQueue.depth();
    all.push({ workflow, deadLetters: visible + inFlight + delayed });
  }
  const filled = all.filter(({ deadLetters }) => deadLetters > 0);
  // If no workflow has dead letters, the command acts on the first one, and says that there are none.
  const [one, another] = filled.length > 0 ? filled : all.slice(0, 1);
  if (one !== undefined && another === undefined) return one.workflow;
  const candidates = filled
    .map(({ workflow, deadLetters }) => `${workflow} (${plural(deadLetters, "dead letter")})`)
    .join(", ");
  const unsure: SluiceError[] = [];
  const holds = ids.length > 0 ? holdsDeadLetters(ids, unsure) : holdsRuns(options.run ?? []);
  const [holder, ...holders] = await holdersOf(options, holds);
  if (holder !== undefined && holders.length === 0) return holder;
  const [held] = unsure;
  if (holder === undefined && held !== undefined) throw held;
  throw new ConfigurationError(
    ids.length > 0 && holder === undefined
      ? `no workflow here has all of these dead letters: ${ids.join(", ")}. They may have been redriven or deleted since. ` +
          `There are ${candidates}`
      : `several workflows have dead letters: ${candidates}. Choose one with --workflow <name>`,
  );
}

type Holds = (target: Target) => Promise<boolean>;

async function holdersOf(options: DlqOptions, holds: Holds): Promise<readonly string[]> {
  const holders: string[] = [];
  for await (const target of dlqTargets(options)) if (await holds(target)) holders.push(target.workflow);
  return holders;
}

/**
 * Whether a workflow has dead letters with all of the ids.
 *
 * @param unsure Collects the errors of workflows that may have them among the dead letters that other commands hold.
 */
function holdsDeadLetters(ids: readonly string[], unsure: SluiceError[]): Holds {
  return async ({ services, local }) => {
    try {
      await findDeadLetters(services.deadLetterQueue, ids, { exactCounts: local !== undefined });
      return true;
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      // The command itself says what the id of a group is good for.
      if (error.code === "GROUP_ID") return true;
      if (error.code === "LETTERS_HELD") unsure.push(error);
      else if (error.code !== "UNKNOWN_LETTER") throw error;
      return false;
    }
  };
}

/** Whether a workflow has a run whose id starts with one of the given texts. */
function holdsRuns(ids: readonly string[]): Holds {
  return async ({ services }) => {
    if (ids.length === 0) return false;
    // Dead letters may be weeks old, so all runs are searched.
    for await (const runs of services.runs.all()) {
      if (runs.some((run) => ids.some((id) => run.id.startsWith(id)))) return true;
    }
    return false;
  };
}
