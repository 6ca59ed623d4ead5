import { items, type WorkflowOptions } from "../../shared/index.ts";

/** The options of a workflow that is right in everything, but for those that a test is about. */
export function workflowOptions(changes: Partial<WorkflowOptions> = {}): WorkflowOptions {
  return { name: "test", source: items([1, 2, 3]), task: () => {}, concurrency: 10, ...changes };
}
