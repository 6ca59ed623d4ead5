import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { ConfigurationError } from "../shared/base/errors.ts";
import type { Workflow } from "../shared/definition/workflow.ts";
import { importWorkflow } from "../shared/definition/workflow-module.ts";

/** A workflow and its file. */
export interface WorkflowFile {
  readonly workflow: Workflow;
  /** Absolute. */
  readonly file: string;
}

/**
 * The workflows of a directory: every file in it, but for the companions of the embedded engine (`*.local.ts`).
 *
 * @throws {ConfigurationError} A file cannot be loaded or defines no workflow, or two have one name.
 */
export async function loadWorkflows(directory: string): Promise<readonly WorkflowFile[]> {
  if (!existsSync(directory)) throw new ConfigurationError(`there is no directory ${resolve(directory)}`);
  const files = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|mjs|js)$/.test(entry.name) && !/\.(local|d)\.ts$/.test(entry.name))
    .map(({ name }) => resolve(join(directory, name)))
    .sort();
  const loaded = await Promise.all(files.map(async (file) => ({ file, workflow: await importWorkflow(file) })));
  const seen = new Map<string, string>();
  for (const { workflow, file } of loaded) {
    const other = seen.get(workflow.name);
    if (other !== undefined) {
      throw new ConfigurationError(`${other} and ${file} both define "${workflow.name}": rename one`);
    }
    seen.set(workflow.name, file);
  }
  return loaded;
}
