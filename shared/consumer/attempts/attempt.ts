import type { StandardSchemaV1 } from "@standard-schema/spec";
import { publish } from "../../base/events.ts";
import type { FailureKind } from "../../base/failure.ts";
import { errorMessageCompletion } from "../../base/late-error-message.ts";
import { type RequestedWait, requestedWaitOf } from "../../base/requested-wait.ts";
import type { Task, TaskContext } from "../../base/task.ts";
import { TaskTimeoutError } from "../../base/task-errors.ts";
import { toError } from "../../base/thrown.ts";
import { type ItemOrigin, validateItem } from "../../definition/item-schema.ts";
import { toResultJson } from "../../results/result-json.ts";
import { runInScope } from "./stray-errors.ts";

export interface Attempt {
  readonly task: Task<unknown>;
  readonly schema: StandardSchemaV1 | undefined;
  readonly item: unknown;
  /** Where the names of the item's fields come from, for error messages. */
  readonly fieldsFrom?: ItemOrigin["fieldsFrom"];
  /** How the result is checked. Absent: the result is dropped. */
  readonly result?: { readonly schema: StandardSchemaV1 | undefined } | undefined;
  readonly context: Omit<TaskContext, "signal">;
  readonly timeoutMilliseconds: number;
  /** When the invocation must begin to record, in the clock's milliseconds. An attempt that still runs then is aborted. */
  readonly deadline: number;
  readonly now: () => number;
  /** Calls `fire` after a time, unless the returned function is called before. Default: a timer of Node. */
  readonly startTimer?: (milliseconds: number, fire: () => void) => () => void;
}

/** How an attempt ended. Read the tag, and not the error, because a task may throw `undefined`. */
export type AttemptOutcome = {
  /** The starts per second that the headers of its responses leave to the fleet. Absent if no response said so. */
  readonly advertisedPerSecond?: number | undefined;
} & (
  | {
      readonly tag: "succeeded";
      /** The result as JSON text. Absent if it is not kept. */
      readonly result?: string | undefined;
      readonly startedAt: number;
      readonly endedAt: number;
    }
  | {
      readonly tag: "failed";
      /** The thrown value, as `toError` returns it: reading its properties runs no code of the task. */
      readonly thrown: Error;
      readonly kind: FailureKind;
      readonly startedAt: number;
      readonly endedAt: number;
    }
);

/** The wait that a task asked for by what it threw, or `undefined` if its attempt ended otherwise. */
export function requestedWait(outcome: AttemptOutcome): RequestedWait | undefined {
  // An error of an attempt that was aborted or timed out is not the task's answer.
  return outcome.tag === "failed" && outcome.kind === "threw" ? requestedWaitOf(outcome.thrown) : undefined;
}

/** How an attempt ended, without its times. */
type Verdict =
  | { readonly tag: "succeeded"; readonly result?: string }
  | { readonly tag: "failed"; readonly thrown: Error; readonly kind: FailureKind };

/** Collects the verdicts on an attempt. The first one counts. */
class Race {
  readonly verdict: Promise<Verdict>;
  /** The lowest rate that the responses of the attempt advertised. */
  advertisedPerSecond: number | undefined;
  readonly #resolve: (verdict: Verdict) => void;
  #isOver = false;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    this.verdict = promise;
    this.#resolve = resolve;
  }

  /** Returns whether this is the first verdict. */
  settle(verdict: Verdict): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#resolve(verdict);
    return true;
  }

  advertise(perSecond: number): void {
    this.advertisedPerSecond = Math.min(perSecond, this.advertisedPerSecond ?? perSecond);
  }

  fail(thrown: unknown, kind: FailureKind = "threw"): boolean {
    return this.settle({ tag: "failed", thrown: toError(thrown), kind });
  }
}

/**
 * Runs a task once. The promise resolves at the attempt's timeout at the latest. A task that ignores its abort signal
 * continues to run, and its later result is ignored. Never rejects.
 */
export async function runAttempt(attempt: Attempt): Promise<AttemptOutcome> {
  const startedAt = attempt.now();
  publish({ event: "started" });
  const controller = new AbortController();
  const race = new Race();
  const left = attempt.deadline - startedAt;
  const cutShort = left < attempt.timeoutMilliseconds;
  let ended: { readonly thrown: unknown } | undefined;
  const endTimer = (attempt.startTimer ?? startNodeTimer)(
    Math.max(0, Math.min(attempt.timeoutMilliseconds, left)),
    () => {
      // The task has thrown before, and only the text of its error is still being read. This is no timeout.
      if (ended !== undefined) race.fail(ended.thrown);
      const thrown = timeoutError(attempt.timeoutMilliseconds, cutShort ? left : undefined);
      // The verdict comes before the signal. A task that reacts to the signal rejects at once, which must not count as a
      // failure of its own.
      race.fail(thrown, cutShort ? "aborted" : "timed out");
      controller.abort(thrown);
    },
  );
  runInScope(race, () => validateAndRun(attempt, controller.signal))
    .then(
      (end) => {
        if (end instanceof Error) race.fail(end, "invalid");
        else race.settle(end);
      },
      async (thrown) => {
        ended = { thrown };
        await errorMessageCompletion(thrown);
        race.fail(thrown);
      },
    )
    .finally(endTimer);
  const verdict = await race.verdict;
  const endedAt = attempt.now();
  publish({ event: "ended", milliseconds: endedAt - startedAt });
  return { ...verdict, startedAt, endedAt, advertisedPerSecond: race.advertisedPerSecond };
}

function startNodeTimer(milliseconds: number, fire: () => void): () => void {
  const timer = setTimeout(fire, milliseconds);
  return () => clearTimeout(timer);
}

/** Returns an error if the item does not fit the schema. */
async function validateAndRun(
  { schema, item, fieldsFrom, task, result: kept, context }: Attempt,
  signal: AbortSignal,
): Promise<Error | Extract<Verdict, { tag: "succeeded" }>> {
  let value = item;
  if (schema !== undefined) {
    const result = await validateItem(schema, item, { fieldsFrom });
    if (result instanceof Error) return result;
    value = result.value;
  }
  const returned = await task(value, { ...context, signal });
  if (kept === undefined) return { tag: "succeeded" };
  return { tag: "succeeded", result: await toResultJson(returned, kept.schema) };
}

function timeoutError(timeoutMilliseconds: number, left: number | undefined): TaskTimeoutError {
  return new TaskTimeoutError(
    left === undefined
      ? `the attempt did not settle within ${timeoutMilliseconds / 1_000} s`
      : `the invocation ended ${Math.max(0, left) / 1_000} s after the attempt began, before its timeout of ` +
          `${timeoutMilliseconds / 1_000} s`,
  );
}
