import { existsSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { bundleFunctions, type FunctionBundles } from "../../local/lambda/bundle-functions.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import { stateRoot } from "../../local/state-root.ts";
import { ConfigurationError } from "../../shared/base/errors.ts";
import { type BundleInputs, mayHaveChangedSince } from "../../shared/bundling/bundle-inputs.ts";
import { importWorkflow } from "../../shared/bundling/load-workflow.ts";
import type { Topology } from "../../shared/definition/topology.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import { localTopology } from "../runs/local-topology.ts";
import { loadCompanion } from "../targets/workflow-file.ts";
import type { BrokenVersion, LoadedVersion, VersionInput } from "./protocol.ts";
import { reported } from "./reported.ts";
import { stateOf, unionOf, watchedOf, watchedOfError } from "./watched-files.ts";

/** A version whose code is bundled and loaded. Nothing of it runs yet. */
export interface PreparedVersion {
  readonly loaded: LoadedVersion;
  readonly workflow: Workflow;
  readonly topology: Topology;
  readonly state: StateDirectory;
  readonly bundles: FunctionBundles;
}

/** The bundles of a version lie beside those of `sluice run`. An earlier version may still start environments from its own. */
const BUNDLES = "bundles-";

/** Bundles and loads the workflow, its functions and its companion. Never rejects because of them. */
export async function prepareVersion({ file, companion }: VersionInput): Promise<PreparedVersion | BrokenVersion> {
  const startedAt = Date.now();
  const inputs: BundleInputs[] = [];
  const onInputs = (each: BundleInputs) => void inputs.push(each);
  const root = dirname(stateRoot());
  const own = { files: companion === undefined ? [file] : [file, companion], names: {}, listings: [] };
  const watched = () => unionOf([own, watchedOf(inputs, root)]);
  try {
    if (!existsSync(file)) throw new ConfigurationError(`${file} does not exist any more`);
    const workflow = await importWorkflow(file, { onInputs });
    const topology = localTopology(workflow);
    const state = new StateDirectory(workflow.name);
    if (companion !== undefined) await loadCompanion(companion, { onInputs });
    removeOldBundles(state);
    const directory = bundlesOf(state, process.pid);
    const bundles = await bundleFunctions(file, directory, { bundling: workflow.bundling, onInputs });
    const files = watched();
    const loaded: LoadedVersion = {
      type: "loaded",
      workflow: workflow.name,
      concurrency: topology.concurrency,
      schedule: workflow.schedule,
      deployedNames: [...(workflow.environment ?? []), ...Object.keys(workflow.secrets ?? {})],
      watched: files,
      state: stateOf(files),
      isStale: inputs.some((each) => mayHaveChangedSince(each, startedAt)),
    };
    return { loaded, workflow, topology, state, bundles };
  } catch (error) {
    return {
      type: "broken",
      error: reported(error),
      watched: unionOf([watched(), watchedOfError(error, process.cwd())]),
    };
  }
}

const bundlesOf = ({ path }: Pick<StateDirectory, "path">, pid: number): string => join(path, `${BUNDLES}${pid}`);

/** Removes the bundles of this process, or of processes that have ended. */
export function removeBundles(state: Pick<StateDirectory, "path">, pid: number = process.pid): void {
  rmSync(bundlesOf(state, pid), { recursive: true, force: true });
}

function removeOldBundles(state: Pick<StateDirectory, "path">): void {
  for (const name of entriesOf(state.path)) {
    const pid = name.startsWith(BUNDLES) ? Number(name.slice(BUNDLES.length)) : Number.NaN;
    if (Number.isInteger(pid) && !isAlive(pid)) removeBundles(state, pid);
  }
}

function entriesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // The process exists, and belongs to another user.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
