/** The exports for CDK apps that deploy workflows. */
export type { EncryptionKeys } from "./encryption.ts";
export { FanOut, type FanOutProps } from "./fan-out.ts";
export type { FunctionNetwork } from "./fan-out-function.ts";
export type { GivenQueue, GivenQueues, GivenTable } from "./given-resources.ts";
export type { ResultsBucketProps } from "./results-store.ts";
export type { SecretConstruct, SecretReference } from "./secrets.ts";
export { addWorkflowStacks, type WorkflowStacksOptions } from "./stacks.ts";
export { loadWorkflows, type WorkflowFile } from "./workflow-files.ts";
