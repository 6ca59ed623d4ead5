import { existsSync, readdirSync } from "node:fs";
import { basename, extname, join, resolve } from "node:path";
import { ConfigurationError, toError } from "../../shared/base/errors.ts";
import type { LoadModuleOptions } from "../../shared/bundling/load-module.ts";
import { isWorkflowFileName, WORKFLOW_EXTENSIONS } from "../../shared/bundling/workflow-file-names.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";

/** The directory in which a workflow is found by its name. */
const DIRECTORY = "workflows";
const COMPANIONS = [".local.ts", ".local.mts", ".local.mjs", ".local.js"];

/** A workflow's file, which is not loaded yet. */
export interface WorkflowFile {
  readonly file: string;
  /** What the user can type for the workflow. */
  readonly name: string;
  /** The file that starts what the workflow needs on this machine. See `startCompanion`. */
  readonly companion: string | undefined;
}

export interface LoadedWorkflow extends WorkflowFile {
  readonly workflow: Workflow;
}

/**
 * Finds a workflow's file by its name in `workflows/` or by its path.
 *
 * @throws {ConfigurationError} There is no such file.
 */
export async function findWorkflow(nameOrPath: string): Promise<WorkflowFile> {
  const file = await findFile(nameOrPath);
  const stem = file.slice(0, -extname(file).length);
  return {
    file,
    name: nameOrPath,
    companion: COMPANIONS.map((extension) => stem + extension).find((path) => existsSync(path)),
  };
}

/**
 * Loads a workflow by its name in `workflows/` or by its path.
 *
 * @throws {ConfigurationError} There is no such workflow, or its definition is invalid.
 */
export async function loadWorkflow(nameOrPath: string): Promise<LoadedWorkflow> {
  const found = await findWorkflow(nameOrPath);
  const { importWorkflow } = await import("../../shared/bundling/load-workflow.ts");
  return { ...found, workflow: await importWorkflow(found.file) };
}

/** The names of the workflows in `workflows/`. */
export function workflowNames(): readonly string[] {
  if (!existsSync(DIRECTORY)) return [];
  return readdirSync(DIRECTORY, { withFileTypes: true })
    .filter((entry) => entry.isFile() && isWorkflowFileName(entry.name))
    .map(({ name }) => basename(name, extname(name)))
    .sort();
}

async function findFile(nameOrPath: string): Promise<string> {
  const candidates = [...WORKFLOW_EXTENSIONS.map((extension) => join(DIRECTORY, nameOrPath + extension)), nameOrPath];
  const found = candidates.find((path) => existsSync(path) && extname(path) !== "");
  if (found !== undefined) return resolve(found);
  const { closestMatch } = await import("leven");
  const names = workflowNames();
  const known = names.length === 0 ? `${resolve(DIRECTORY)} has none` : `there are ${names.join(", ")}`;
  const similar = closestMatch(nameOrPath, names, { maxDistance: Math.ceil(nameOrPath.length / 3) });
  const suggestion = similar === undefined ? "" : `. Did you mean ${similar}?`;
  throw new ConfigurationError(
    `there is no workflow "${nameOrPath}": give the name of a workflow in ${DIRECTORY}/ (${known}), or the path of a file` +
      suggestion,
  );
}

/** Something that a workflow needs on this machine, such as the service that it reads. */
export interface Companion {
  /** Environment variables for the workflow's functions. */
  readonly environment: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/**
 * Starts a workflow's companion: `workflows/<name>.local.ts`, whose default export is a function that returns a
 * `Companion`. A companion is not deployed.
 *
 * @throws {ConfigurationError} The companion cannot be started.
 */
export async function startCompanion(file: string | undefined): Promise<Companion> {
  if (file === undefined) return { environment: {}, close: async () => {} };
  try {
    const { default: start } = await loadCompanion(file);
    return await start();
  } catch (cause) {
    throw new ConfigurationError(`${file} cannot be started: ${toError(cause).message}`, { cause });
  }
}

/**
 * Bundles and imports a companion, and does not start it.
 *
 * @throws {ConfigurationError} It does not bundle, or throws when it is imported.
 */
export async function loadCompanion(
  file: string,
  options: Pick<LoadModuleOptions, "onInputs"> = {},
): Promise<{ readonly default: () => Promise<Companion> }> {
  const { loadModule } = await import("../../shared/bundling/load-module.ts");
  return (await loadModule(file, { ...options, linksPackages: true })) as { default: () => Promise<Companion> };
}
