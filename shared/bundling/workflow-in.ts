import { ConfigurationError } from "../base/errors.ts";
import { isWorkflow, type Workflow } from "../definition/workflow.ts";

/**
 * The workflow that a module exports: as `export default`, or in CommonJS as `module.exports`.
 *
 * @throws {ConfigurationError} The module exports no workflow.
 */
export function workflowIn(module: object, file: string): Workflow {
  const { default: exported } = module as { readonly default?: unknown };
  if (isWorkflow(exported)) return exported;
  // CommonJS that was an ES module before: https://esbuild.github.io/content-types/#default-interop
  const { default: inner } = (exported ?? {}) as { readonly default?: unknown };
  if (isWorkflow(inner)) return inner;
  throw new ConfigurationError(`${file} does not define a workflow: write "export default defineWorkflow({ ... })"`);
}
