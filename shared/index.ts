/** The exports of the package `sluice`, for workflow files. */
export { checkResponse } from "./base/check-response.ts";
export type { Duration } from "./base/duration.ts";
export {
  ConfigurationError,
  SluiceError,
  type SluiceErrorOptions,
  SourceError,
  type SourceErrorOptions,
} from "./base/errors.ts";
export type { ExactJson } from "./base/exact-json.ts";
export type { Reason } from "./base/failure.ts";
export type { HeadersLike, ResponseLike, WaitSource } from "./base/requested-wait.ts";
export type { RetryOptions } from "./base/retry.ts";
export type { Task, TaskContext, TaskLogger } from "./base/task.ts";
export {
  PermanentError,
  ResponseError,
  RetryLater,
  TaskTimeoutError,
  Throttled,
  type WaitOptions,
} from "./base/task-errors.ts";
export type { AdaptiveOptions, AdaptiveSearch } from "./definition/adaptive.ts";
export type {
  BundlingOptions,
  BundlingSettings,
  FileLoader,
  LambdaArchitecture,
  PackageLayer,
} from "./definition/bundling-options.ts";
export type { CompletionContext, OnComplete, RunSummary } from "./definition/on-complete.ts";
export type { Permission } from "./definition/permissions.ts";
export type { RateLimitOptions } from "./definition/rate-limit.ts";
export type { IncludedField, ResultFormat, ResultsOptions, ResultsSettings } from "./definition/results-options.ts";
export type { ScheduleOption, ScheduleOptions } from "./definition/schedule.ts";
export { type Secret, type SecretOptions, secret } from "./definition/secret.ts";
export type { TaskRetryOptions } from "./definition/task-retry.ts";
export type { ToleratedFailuresOptions } from "./definition/tolerance.ts";
export {
  defineWorkflow,
  type ItemOf,
  type ResultOf,
  type Workflow,
  type WorkflowOptions,
} from "./definition/workflow.ts";
export type { SetLimit } from "./limits/fleet-limit.ts";
export { type ResultRecord, type ResultsLocation, readResults } from "./results/result-records.ts";
export * from "./sources/index.ts";
