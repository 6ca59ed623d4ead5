import { formatDuration } from "../../shared/base/duration.ts";
import { type Reason, toFailure } from "../../shared/base/failure.ts";
import { toError } from "../../shared/base/thrown.ts";
import { requestedWait } from "../../shared/consumer/attempts/attempt.ts";
import { finalReason } from "../../shared/consumer/outcomes/final-reason.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import { identityOf } from "../../shared/messages/item-address.ts";
import type { Serialised } from "../../shared/producer/serialised.ts";
import { type LoggedLine, recordingLogger } from "../../shared/testing/recorded-logs.ts";
import { makeAttempt, throughMessage } from "../../shared/testing/test-attempt.ts";

/** How the attempt of an item ended. */
export type TriedItem = {
  /** The number of the item, from 1. */
  readonly number: number;
  readonly item: unknown;
  readonly milliseconds: number;
  readonly logs: readonly LoggedLine[];
} & (
  | { readonly outcome: "succeeded"; readonly result: unknown }
  | {
      readonly outcome: "failed";
      readonly error: { readonly name: string; readonly message: string; readonly stack?: string | undefined };
      /** Why the item would be a dead letter. `undefined`: another attempt would follow. */
      readonly reason: Reason | undefined;
      /** What a run would do next, as a sentence. */
      readonly follows: string;
    }
);

/** Makes one attempt for an item. Nothing is recorded anywhere. Never rejects. */
export async function tryItem(
  workflow: Workflow,
  serialised: Serialised,
  { run, number }: { readonly run: string; readonly number: number },
): Promise<TriedItem> {
  const logs: LoggedLine[] = [];
  if ("error" in serialised) return refused(serialised.error, serialised.text, "invalid item");
  let received: ReturnType<typeof throughMessage>;
  try {
    received = throughMessage(workflow.name, { run, page: 0, index: number - 1 }, serialised);
  } catch (thrown) {
    return refused(toError(thrown), `${serialised.json.slice(0, 1_000)}…`, "too large");
  }
  const { item, address } = received;
  const identity = identityOf(address);
  const started = performance.now();
  const outcome = await makeAttempt(
    workflow,
    item,
    {
      attempt: 1,
      waits: 0,
      run: { id: run, workflow: workflow.name },
      ...identity,
      logger: recordingLogger(logs, {}),
    },
    { timeoutMilliseconds: workflow.timeoutMilliseconds, now: Date.now, clock: undefined },
  );
  const milliseconds = performance.now() - started;
  if (outcome.tag === "succeeded") {
    return { number, item, milliseconds, logs, outcome: "succeeded", result: outcome.value };
  }
  const { name, message, stack } = toFailure(outcome.thrown, { ...outcome, attempt: 1 });
  const wait = requestedWait(outcome);
  const reason = wait === undefined ? finalReason(outcome, 1, workflow.retry.attempts) : undefined;
  const { afterMilliseconds } = wait ?? {};
  const follows =
    wait !== undefined
      ? `a run would wait ${afterMilliseconds === undefined ? "for a backoff" : formatDuration(afterMilliseconds)}, and use up no attempt`
      : reason === undefined
        ? `a run would try again, up to ${workflow.retry.attempts} attempts in all`
        : deadLetter(reason);
  return { number, item, milliseconds, logs, outcome: "failed", error: { name, message, stack }, reason, follows };

  function refused({ name, message }: Error, shown: string, reason: Reason): TriedItem {
    const error = { name, message };
    return {
      number,
      item: shown,
      milliseconds: 0,
      logs,
      outcome: "failed",
      error,
      reason,
      follows: deadLetter(reason),
    };
  }
}

const deadLetter = (reason: Reason): string => `in a run, the item would be a dead letter with the reason "${reason}"`;
