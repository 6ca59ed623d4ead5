/** The exports for CDK apps that deploy workflows. */
export { FanOut, type FanOutProps } from "./fan-out.ts";
export type { FunctionNetwork } from "./fan-out-function.ts";
export type { ResultsBucketProps } from "./results-store.ts";
export { addWorkflowStacks, type WorkflowStacksOptions } from "./stacks.ts";
export { loadWorkflows, type WorkflowFile } from "./workflow-files.ts";
