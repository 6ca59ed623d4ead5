import type { Failure, Reason } from "../base/failure.ts";
import type { RunSummary } from "../definition/on-complete.ts";
import type { LoggedLine } from "./recorded-logs.ts";

/** What every item of a run in a test has. */
export interface ItemBase<Input = unknown> {
  /** The item's position in the source, from 0. */
  readonly position: number;
  /** The id that the task saw. */
  readonly id: string;
  /** The item as it was given. If the workflow's source was read: as the task's schema received it. */
  readonly item: Input;
  /** How many attempts failed or succeeded. Waits are no attempts. */
  readonly attempts: number;
  /** How many attempts ended in a wait (`Throttled`, `RetryLater`). */
  readonly waits: number;
  /** The failed attempts, as a dead letter holds them. */
  readonly history: readonly Failure[];
}

/** An item that succeeded. */
export interface SucceededItem<Result = unknown, Input = unknown> extends ItemBase<Input> {
  readonly outcome: "succeeded";
  readonly result: Result;
}

/** An item that would be a dead letter. */
export interface DeadItem<Input = unknown> extends ItemBase<Input> {
  readonly outcome: "dead";
  /** The reason that the dead letter has. */
  readonly reason: Reason;
  /** The last error: what the task threw, or why the item was refused. */
  readonly error: Error;
  /** The text that `sluice dlq` shows: the message of the error and of its causes. */
  readonly message: string;
}

/** An item that was not run to its end, because the run was stopped. */
export interface CancelledItem<Input = unknown> extends ItemBase<Input> {
  readonly outcome: "cancelled";
}

/** How an item of a run ended. */
export type ItemReport<Result = unknown, Input = unknown> =
  | SucceededItem<Result, Input>
  | DeadItem<Input>
  | CancelledItem<Input>;

/** The counts that a report shares with the summary of a run. */
type Counts = Pick<
  RunSummary,
  "failure" | "produced" | "succeeded" | "dead" | "cancelled" | "retried" | "deadByReason"
>;

/** What `runWorkflow` returns. */
export interface WorkflowReport<Result = unknown, Input = unknown> extends Counts {
  /** `failed`: more items died than `toleratedFailures` allows. `cancelled`: the option `signal` ended the run. */
  readonly status: RunSummary["status"];
  /** The results of the items that succeeded, in the order of the items. */
  readonly results: readonly Result[];
  /** The items that would be dead letters, in the order of the items. */
  readonly failures: readonly DeadItem<Input>[];
  /** All items in their order. */
  readonly items: readonly ItemReport<Result, Input>[];
  /** The warnings of the source. */
  readonly warnings: readonly string[];
  /** The lines that the task logged. Each has the fields `id` and `attempt` in addition to its own. */
  readonly logs: readonly LoggedLine[];
  /** How far the clock has moved: for how long the items would have waited. */
  readonly elapsedMilliseconds: number;
}
