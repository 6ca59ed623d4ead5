import { findLetters } from "../../shared/dead-letters/browse.ts";
import { ConfigurationError, SluiceError } from "../../shared/errors.ts";
import { plural } from "../format.ts";
import { targets } from "../run-target.ts";
import type { Target } from "../target.ts";
import { whileEngineRuns } from "./engine-ended.ts";
import type { DlqOptions } from "./letter-options.ts";

/**
 * Goes through the workflows whose letters are meant: one, or all of this machine or of a stack.
 *
 * @throws {ConfigurationError} There is none.
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
    const known = names.length === 0 ? "there is none" : `there are ${names.join(", ")}`;
    throw new ConfigurationError(`--workflow: there is no "${workflow}" here: ${known}`);
  }
  const start = stack === undefined ? "npx sluice run <workflow>" : "npx sluice start <workflow> --stack";
  throw new ConfigurationError(`no workflow has been run here, so there are no dead letters: ${start} runs one`);
}

/**
 * Calls `work` with the workflow whose letters a command changes, which must be one. Where several have dead letters and
 * none is named, the ids decide; else it is asked for.
 *
 * @param ids Of letters, or how they begin.
 * @throws {ConfigurationError} There is none, or it is not clear which is meant.
 */
export async function withOneTarget<Result>(
  options: DlqOptions,
  ids: readonly string[],
  work: (target: Target) => Promise<Result>,
): Promise<Result> {
  const workflow = options.workflow ?? (await choose(options, ids));
  for await (const target of dlqTargets({ ...options, workflow }))
    return await whileEngineRuns(target, () => work(target));
  // It ends with one, or throws.
  throw new ConfigurationError(`the workflow ${workflow} has vanished`);
}

async function choose(options: DlqOptions, ids: readonly string[]): Promise<string> {
  const all: Candidate[] = [];
  for await (const target of dlqTargets(options)) {
    const { visible, inFlight } = await target.services.deadLetterQueue.depth();
    const letters = visible + inFlight;
    all.push({
      workflow: target.workflow,
      letters,
      holds: letters > 0 && ids.length > 0 && (await holds(target, ids)),
    });
  }
  const [only, ...others] = all;
  if (only !== undefined && others.length === 0) return only.workflow;
  const filled = all.filter(({ letters }) => letters > 0);
  const meant = ids.length === 0 ? filled : filled.filter(({ holds }) => holds);
  const [one, another] = meant;
  if (one !== undefined && another === undefined) return one.workflow;
  // Nothing is left to be done in any of them, so that whichever is meant says so.
  if (filled.length === 0 && only !== undefined) return only.workflow;
  const candidates = filled
    .map(({ workflow, letters }) => `${workflow} (${plural(letters, "dead letter")})`)
    .join(", ");
  throw new ConfigurationError(
    meant.length === 0 && ids.length > 0
      ? `no workflow here has all of these letters: ${ids.join(", ")}. There are ${candidates}`
      : `there are dead letters of several workflows: ${candidates}. Say which are meant with --workflow <name>`,
  );
}

interface Candidate {
  readonly workflow: string;
  readonly letters: number;
  /** Whether all of the ids are its. */
  readonly holds: boolean;
}

async function holds({ services, local }: Target, ids: readonly string[]): Promise<boolean> {
  try {
    await findLetters(services.deadLetterQueue, ids, { exactCounts: local !== undefined });
    return true;
  } catch (error) {
    if (error instanceof SluiceError && error.code === "UNKNOWN_LETTER") return false;
    throw error;
  }
}
