/** The exports of `sluice/testing`, for the tests of a workflow. They work with vitest, jest and `node:test`. */
export { ItemError } from "../base/errors.ts";
export type { Failure, FailureKind } from "../base/failure.ts";
export { InvalidItemError } from "../definition/item-schema.ts";
export { FakeClock } from "./fake-clock.ts";
export type { LoggedLine } from "./recorded-logs.ts";
export type { CancelledItem, DeadItem, ItemBase, ItemReport, SucceededItem, WorkflowReport } from "./run-report.ts";
export { type RunTaskOptions, runTask } from "./run-task.ts";
export { type RunWorkflowOptions, runWorkflow } from "./run-workflow.ts";
