import { ConfigurationError } from "../../shared/base/errors.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import type { Target } from "./target.ts";
import { loadWorkflow } from "./workflow-file.ts";

/**
 * The workflow of a target, for its schema: from the file that was run here, or that is named, or that its name stands for
 * in `workflows/`.
 *
 * @throws {ConfigurationError} There is none, or the file defines another one.
 */
export async function workflowOf({ workflow: name, local }: Target, file: string | undefined): Promise<Workflow> {
  const wanted = file ?? local?.file ?? name;
  let loaded: Awaited<ReturnType<typeof loadWorkflow>>;
  try {
    loaded = await loadWorkflow(wanted);
  } catch (cause) {
    throw new ConfigurationError(
      `changed items are checked against the workflow's schema, and its file is not found: ${(cause as Error).message}. ` +
        "Name it with --workflow-file",
      { cause },
    );
  }
  if (loaded.workflow.name === name) return loaded.workflow;
  throw new ConfigurationError(
    `${loaded.file} defines the workflow "${loaded.workflow.name}", and the dead letters are of "${name}": name its file with --workflow-file`,
  );
}
