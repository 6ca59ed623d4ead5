/** The extensions of files that can define a workflow, in the order in which a file is found by its name. */
export const WORKFLOW_EXTENSIONS = [".ts", ".mts", ".cts", ".mjs", ".js", ".cjs"] as const;

/** Names of files beside workflows that define none: companions, type declarations and tests. */
const OTHER_FILE = /\.(local|d|test|spec)\.[cm]?[jt]s$/;

/** Whether a file of this name in `workflows/` must define a workflow. */
export const isWorkflowFileName = (name: string): boolean =>
  WORKFLOW_EXTENSIONS.some((extension) => name.endsWith(extension)) && !OTHER_FILE.test(name);
