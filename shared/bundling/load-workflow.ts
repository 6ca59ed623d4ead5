import type { Workflow } from "../definition/workflow.ts";
import { type LoadModuleOptions, loadModule } from "./load-module.ts";
import { workflowIn } from "./workflow-in.ts";

/**
 * Bundles and imports a file, and returns the workflow that it exports.
 *
 * @throws {ConfigurationError} The file cannot be loaded, or its default export is not a workflow.
 * @example const workflow = await importWorkflow("/app/workflows/cities.ts");
 */
export async function importWorkflow(file: string, options: LoadModuleOptions = {}): Promise<Workflow> {
  return workflowIn(await loadModule(file, options), file);
}
