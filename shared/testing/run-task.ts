import { type Duration, toMilliseconds } from "../base/duration.ts";
import { ConfigurationError } from "../base/errors.ts";
import { integerOption, rejectUnknownKeys, show } from "../base/options.ts";
import type { TaskLogger } from "../base/task.ts";
import { isWorkflow, type Workflow } from "../definition/workflow.ts";
import { identityOf } from "../messages/item-address.ts";
import { serialise } from "../producer/serialised.ts";
import { FakeClock } from "./fake-clock.ts";
import { recordingLogger } from "./recorded-logs.ts";
import { makeAttempt, TEST_RUN, throughMessage } from "./test-attempt.ts";

/** The options of `runTask`. */
export interface RunTaskOptions {
  /** The number of the attempt that the task sees: 1 or more. Default 1. */
  readonly attempt?: number;
  /** How many earlier attempts ended in a wait (`Throttled`, `RetryLater`): 0 or more. Default 0. */
  readonly waits?: number;
  /** How often the item was redriven: 0 or more. Default 0. */
  readonly redrives?: number;
  /** The id of the item. It is also the default of `idempotencyKey`. Default `"test-run/0/0"`. */
  readonly id?: string;
  /** The key for idempotent requests. Default: the id. */
  readonly idempotencyKey?: string;
  /** Aborts the task's signal when it fires, in addition to the timeout. Default: only the timeout aborts it. */
  readonly signal?: AbortSignal;
  /** The clock of the timeout: the attempt times out when the test moves it. Default: the time that passes. */
  readonly clock?: FakeClock;
  /** How long the attempt may take. Default: the workflow's `timeout`. */
  readonly timeout?: Duration;
  /** The task's logger. Default: nothing is printed. */
  readonly logger?: TaskLogger;
}

const KEYS = ["attempt", "waits", "redrives", "id", "idempotencyKey", "signal", "clock", "timeout", "logger"] as const;

/**
 * Makes one attempt of a workflow's task in a test, with the code that a consumer runs: the item goes through a message and
 * through the workflow's schema, and the attempt has the workflow's timeout. No queue, ledger or AWS client is involved.
 *
 * @returns What the task returns. If the workflow keeps results, it is checked as a result and read back from JSON.
 * @throws What the task throws: the very error, so that a test can check its class.
 * @throws {InvalidItemError} The item does not match the schema. The message names the field.
 * @throws {ItemError} The item is not JSON, or it is too large for a message.
 * @throws {TaskTimeoutError} The attempt took longer than its timeout.
 * @throws {ConfigurationError} An option is unknown or outside its range, or the first parameter is no workflow.
 * @example
 * ```ts
 * import { PermanentError } from "sluice";
 * import { runTask } from "sluice/testing";
 * import invoices from "./workflows/invoices.ts";
 *
 * test("an invoice is sent", async () => {
 *   expect(await runTask(invoices, { id: "1", amount: "3.50" })).toEqual({ sent: true });
 * });
 * test("an unknown customer fails permanently", async () => {
 *   await expect(runTask(invoices, { id: "404", amount: "1" })).rejects.toThrow(PermanentError);
 * });
 * ```
 */
export async function runTask<Result, Item, Input, Returned>(
  workflow: Workflow<Result, Item, Input, Returned>,
  item: NoInfer<Input>,
  options: RunTaskOptions = {},
): Promise<Result> {
  checkWorkflow(workflow, "runTask");
  rejectUnknownKeys(options, KEYS, "the options of runTask");
  const { clock, signal } = options;
  checkClock(clock, "runTask");
  const whole = { minimum: 0, maximum: Number.MAX_SAFE_INTEGER, fix: "it is a number of attempts" };
  const serialised = serialise(item);
  if ("error" in serialised) throw serialised.error;
  const received = throughMessage(workflow.name, { page: 0, index: 0 }, serialised);
  const { id } = identityOf(received.address);
  const outcome = await makeAttempt(
    workflow,
    received.item,
    {
      attempt: integerOption("attempt", options.attempt ?? 1, { ...whole, minimum: 1 }),
      waits: integerOption("waits", options.waits ?? 0, whole),
      redrives: integerOption("redrives", options.redrives ?? 0, whole),
      run: { id: TEST_RUN, workflow: workflow.name },
      id: options.id ?? id,
      idempotencyKey: options.idempotencyKey ?? options.id ?? id,
      logger: options.logger ?? recordingLogger([], {}),
    },
    { timeoutMilliseconds: timeoutOf(workflow, options.timeout), now: nowOf(clock), clock, signal },
  );
  if (outcome.tag === "failed") throw outcome.thrown;
  return outcome.value;
}

/** @throws {ConfigurationError} The value is no workflow. */
export function checkWorkflow(workflow: unknown, caller: string): void {
  if (isWorkflow(workflow)) return;
  throw new ConfigurationError(
    `${caller} takes a workflow, but got ${show(workflow)}: pass the default export of the workflow's file`,
  );
}

/** @throws {ConfigurationError} The value is neither a `FakeClock` nor missing. */
export function checkClock(clock: unknown, caller: string): void {
  if (clock === undefined || clock instanceof FakeClock) return;
  throw new ConfigurationError(`the option clock of ${caller} must be a FakeClock, but is ${show(clock)}`);
}

/** The timeout of an attempt in milliseconds: that of the test, or that of the workflow. */
export function timeoutOf(workflow: Pick<Workflow, "timeoutMilliseconds">, timeout: Duration | undefined): number {
  if (timeout === undefined) return workflow.timeoutMilliseconds;
  return toMilliseconds(timeout, { option: "timeout", minimum: { milliseconds: 1 } });
}

const nowOf = (clock: FakeClock | undefined): (() => number) => (clock === undefined ? Date.now : () => clock.now());
