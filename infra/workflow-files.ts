import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { ConfigurationError } from "../shared/base/errors.ts";
import { importWorkflow } from "../shared/bundling/load-workflow.ts";
import { isWorkflowFileName } from "../shared/bundling/workflow-file-names.ts";
import type { Workflow } from "../shared/definition/workflow.ts";

/** A workflow and its file. */
export interface WorkflowFile {
  readonly workflow: Workflow;
  /** The absolute path of the file. */
  readonly file: string;
}

/**
 * Loads the workflows of a directory. Each file in it must define a workflow, except for the companion files of the
 * embedded engine (`*.local.ts`), tests (`*.test.ts`, `*.spec.ts`) and type declarations (`*.d.ts`). The files are bundled
 * before they are loaded, as for Lambda.
 *
 * @throws {ConfigurationError} The directory does not exist, a file cannot be loaded or defines no workflow, or two
 *   workflows have the same name.
 * @example const workflows = await loadWorkflows("workflows");
 */
export async function loadWorkflows(directory: string): Promise<readonly WorkflowFile[]> {
  if (!existsSync(directory)) throw new ConfigurationError(`there is no directory ${resolve(directory)}`);
  const files = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile() && isWorkflowFileName(entry.name))
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
