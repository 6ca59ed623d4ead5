/** What a workflow's file needs. */
export type { HeadersLike, ResponseLike, WaitSource } from "./base/asked-wait.ts";
export { checkResponse } from "./base/check-response.ts";
export type { CompletionContext, OnComplete, RunSummary } from "./completion.ts";
export type { Duration } from "./duration.ts";
export { ConfigurationError, SluiceError, SourceError } from "./errors.ts";
export type { Permission } from "./permissions.ts";
export type { RetryOptions, TaskRetryOptions } from "./retry.ts";
export type { ScheduleOption, ScheduleOptions } from "./schedule.ts";
export * from "./sources/index.ts";
export type { Task, TaskContext, TaskLogger } from "./task.ts";
export {
  PermanentError,
  ResponseError,
  RetryLater,
  TaskTimeoutError,
  Throttled,
  type WaitOptions,
} from "./task-errors.ts";
export type { ToleratedFailuresOptions } from "./tolerance.ts";
export { defineWorkflow, type Workflow, type WorkflowOptions } from "./workflow.ts";
