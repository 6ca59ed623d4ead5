import type { StandardSchemaV1 } from "@standard-schema/spec";
import { publish } from "../../base/events.ts";
import type { FailureKind } from "../../base/failure.ts";
import { completionOf } from "../../base/late-message.ts";
import type { Task, TaskContext } from "../../base/task.ts";
import { TaskTimeoutError } from "../../base/task-errors.ts";
import { toError } from "../../base/thrown.ts";
import { type ItemOrigin, validateItem } from "../../definition/item-schema.ts";
import { runInScope } from "./stray-errors.ts";

export interface Attempt {
  readonly task: Task<unknown>;
  readonly schema: StandardSchemaV1 | undefined;
  readonly item: unknown;
  /** What gave the item's fields their names, for messages. */
  readonly fieldsFrom?: ItemOrigin["fieldsFrom"];
  readonly context: Omit<TaskContext, "signal">;
  readonly timeoutMilliseconds: number;
  /** When the invocation must begin to record, in the clock's milliseconds: an attempt still under way is aborted. */
  readonly deadline: number;
  readonly now: () => number;
}

/** How an attempt ended. Told apart by its tag: somebody will throw `undefined`. */
export type AttemptOutcome =
  | { readonly tag: "succeeded"; readonly startedAt: number; readonly endedAt: number }
  | {
      readonly tag: "failed";
      /** What was thrown, as `toError` returns it: it can be read without care. */
      readonly thrown: Error;
      readonly kind: FailureKind;
      readonly startedAt: number;
      readonly endedAt: number;
    };

type Settlement =
  | { readonly tag: "succeeded" }
  | { readonly tag: "failed"; readonly thrown: Error; readonly kind: FailureKind };

/** The first verdict on an attempt, which is the one that counts. */
class Race {
  readonly settled: Promise<Settlement>;
  readonly #resolve: (settlement: Settlement) => void;
  #isOver = false;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<Settlement>();
    this.settled = promise;
    this.#resolve = resolve;
  }

  /** Returns whether it was the first. */
  settle(settlement: Settlement): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#resolve(settlement);
    return true;
  }

  fail(thrown: unknown, kind: FailureKind = "threw"): boolean {
    return this.settle({ tag: "failed", thrown: toError(thrown), kind });
  }
}

/**
 * Runs a task once, and settles by its timeout whatever the task does: one that ignores its signal is left behind, and
 * what becomes of it later is ignored. Never rejects.
 */
export async function runAttempt(attempt: Attempt): Promise<AttemptOutcome> {
  const startedAt = attempt.now();
  publish({ event: "started" });
  const controller = new AbortController();
  const race = new Race();
  const left = attempt.deadline - startedAt;
  const cutShort = left < attempt.timeoutMilliseconds;
  let failed: { readonly thrown: unknown } | undefined;
  const timer = setTimeout(
    () => {
      // The task has ended, and only the text of its error is read: a throttle must not become a timeout.
      if (failed !== undefined) race.fail(failed.thrown);
      const thrown = timeoutError(attempt.timeoutMilliseconds, cutShort ? left : undefined);
      // First the verdict, then the signal: a task that heeds it rejects at once, and must not be taken for one that
      // failed by itself.
      race.fail(thrown, cutShort ? "aborted" : "timed out");
      controller.abort(thrown);
    },
    Math.max(0, Math.min(attempt.timeoutMilliseconds, left)),
  );
  runInScope(race, () => validateAndRun(attempt, controller.signal))
    .then(
      (invalid) => {
        if (invalid === undefined) race.settle({ tag: "succeeded" });
        else race.fail(invalid, "invalid");
      },
      async (thrown) => {
        failed = { thrown };
        const completion = completionOf(thrown);
        if (completion !== undefined) await completion;
        race.fail(thrown);
      },
    )
    .finally(() => clearTimeout(timer));
  const settlement = await race.settled;
  publish({ event: "ended" });
  return { ...settlement, startedAt, endedAt: attempt.now() };
}

/** The error of an item that fails the schema, or `undefined` once the task has returned. */
async function validateAndRun(
  { schema, item, fieldsFrom, task, context }: Attempt,
  signal: AbortSignal,
): Promise<Error | undefined> {
  let value = item;
  if (schema !== undefined) {
    const result = await validateItem(schema, item, { fieldsFrom });
    if (result instanceof Error) return result;
    value = result.value;
  }
  await task(value, { ...context, signal });
  return undefined;
}

function timeoutError(timeoutMilliseconds: number, left: number | undefined): TaskTimeoutError {
  return new TaskTimeoutError(
    left === undefined
      ? `the attempt did not settle within ${timeoutMilliseconds / 1_000} s`
      : `the invocation ended ${Math.max(0, left) / 1_000} s after the attempt began, before its timeout of ` +
          `${timeoutMilliseconds / 1_000} s`,
  );
}
