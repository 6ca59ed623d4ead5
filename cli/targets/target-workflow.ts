import { ConfigurationError } from "../../shared/base/errors.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import type { Target } from "./target.ts";
import { loadWorkflow } from "./workflow-file.ts";

/**
 * Loads a target's workflow, for its schema. The file is the named one, or the one that was run here, or the one in
 * `workflows/` with the workflow's name.
 *
 * @throws {ConfigurationError} There is no such file, or it defines another workflow.
 */
export async function workflowOf({ workflow: name, local }: Target, file: string | undefined): Promise<Workflow> {
  const wanted = file ?? local?.file ?? name;
  let loaded: Awaited<ReturnType<typeof loadWorkflow>>;
  try {
    loaded = await loadWorkflow(wanted);
  } catch (cause) {
    throw new ConfigurationError(
      `the workflow's schema must check changed items, but its file cannot be loaded: ${(cause as Error).message}. ` +
        "Name the file with --workflow-file",
      { cause },
    );
  }
  if (loaded.workflow.name === name) return loaded.workflow;
  throw new ConfigurationError(
    `${loaded.file} defines the workflow "${loaded.workflow.name}", and the dead letters are of "${name}": name its file with --workflow-file`,
  );
}
