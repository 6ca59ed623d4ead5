import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigurationError, toError } from "../shared/errors.ts";
import { isWorkflow, type Workflow } from "../shared/workflow.ts";

export interface WorkflowFile {
  readonly workflow: Workflow;
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
  const loaded = await Promise.all(files.map(load));
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

async function load(file: string): Promise<WorkflowFile> {
  let module: { default?: unknown };
  try {
    module = await import(pathToFileURL(file).href);
  } catch (cause) {
    throw new ConfigurationError(`${file} cannot be loaded: ${toError(cause).message}`, { cause });
  }
  if (isWorkflow(module.default)) return { workflow: module.default, file };
  throw new ConfigurationError(`${file} does not define a workflow: write "export default defineWorkflow({ ... })"`);
}
