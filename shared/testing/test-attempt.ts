import type { TaskContext } from "../base/task.ts";
import { type AttemptOutcome, runAttempt } from "../consumer/attempts/attempt.ts";
import type { Workflow } from "../definition/workflow.ts";
import { envelopeBody, parseEnvelope } from "../messages/envelope.ts";
import { addressOf } from "../messages/item-address.ts";
import type { Serialised, Unsendable } from "../producer/serialised.ts";
import type { FakeClock } from "./fake-clock.ts";

/** How an attempt of a test is made. */
export interface AttemptSettings {
  readonly timeoutMilliseconds: number;
  /** The clock of the attempt's times. */
  readonly now: () => number;
  /** The clock of the attempt's timeout. `undefined`: the timers of Node. */
  readonly clock: FakeClock | undefined;
  /** Aborts the task in addition to its timeout. */
  readonly signal?: AbortSignal | undefined;
}

/** How an attempt ended, with the item's result. */
export type TestOutcome<Result> =
  | (Extract<AttemptOutcome, { tag: "succeeded" }> & { readonly value: Result })
  | Extract<AttemptOutcome, { tag: "failed" }>;

/**
 * Makes one attempt with the code of the consumer. Never rejects. If the workflow keeps results, the value is the result as it
 * would be read back; otherwise it is what the task returned.
 */
export async function makeAttempt<Result>(
  workflow: Workflow<Result>,
  item: unknown,
  context: Omit<TaskContext, "signal">,
  { timeoutMilliseconds, now, clock, signal }: AttemptSettings,
): Promise<TestOutcome<Result>> {
  let returned: unknown;
  const outcome = await runAttempt({
    task: async (value, given) => {
      const both = signal === undefined ? given.signal : AbortSignal.any([given.signal, signal]);
      returned = await workflow.task(value, { ...given, signal: both });
      return returned;
    },
    ...(workflow.results !== undefined && { result: { schema: workflow.result } }),
    schema: workflow.item,
    item,
    fieldsFrom: workflow.source.fieldsFrom,
    context,
    timeoutMilliseconds,
    deadline: Number.POSITIVE_INFINITY,
    now,
    ...(clock !== undefined && { startTimer: (milliseconds, fire) => clock.startTimer(milliseconds, fire) }),
  });
  if (outcome.tag === "failed") return outcome;
  return { ...outcome, value: (outcome.result === undefined ? returned : JSON.parse(outcome.result)) as Result };
}

/** The run of all tests. Its name is part of the items' ids. */
export const TEST_RUN = "test-run";

/**
 * The item as a consumer receives it: written into a message and read again.
 *
 * @throws {ItemError} The item is too large for a message.
 */
export function throughMessage(
  workflow: string,
  { run = TEST_RUN, page, index }: { readonly run?: string; readonly page: number; readonly index: number },
  serialised: Exclude<Serialised, Unsendable>,
) {
  const header = { workflow, run, partition: 0, page, epoch: 1, resent: false };
  const envelope = parseEnvelope(envelopeBody(header, index, serialised));
  return { item: envelope.item, address: addressOf(envelope) };
}
