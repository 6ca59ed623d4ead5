import type { StandardSchemaV1 } from "@standard-schema/spec";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as z from "zod";
import { completeErrorMessageLater } from "../../../shared/base/late-error-message.ts";
import { toError } from "../../../shared/base/thrown.ts";
import { type Attempt, type AttemptOutcome, runAttempt } from "../../../shared/consumer/attempts/attempt.ts";
import { checkResponse, PermanentError, type TaskContext, TaskTimeoutError, Throttled } from "../../../shared/index.ts";
import { taskContext } from "../../helpers/task-context.ts";

const realSetImmediate = setImmediate;

beforeEach(() => vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => {
  // A timer that is left would keep the process alive.
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const run = (task: Attempt["task"], changes: Partial<Attempt> = {}): Promise<AttemptOutcome> =>
  runAttempt({
    task,
    schema: undefined,
    item: { id: 7 },
    context: taskContext(),
    timeoutMilliseconds: 10_000,
    deadline: Number.POSITIVE_INFINITY,
    now: Date.now,
    ...changes,
  });

const failed = (outcome: AttemptOutcome) => {
  expect(outcome.tag).toBe("failed");
  return outcome as Extract<AttemptOutcome, { tag: "failed" }>;
};

/** A promise that never settles, with how to settle it after all. */
const pending = () => Promise.withResolvers<never>();

describe("a task", () => {
  test("gets its item and its context, and succeeds by returning", async () => {
    const task = vi.fn();
    expect(await run(task)).toEqual({ tag: "succeeded", startedAt: 1_000_000, endedAt: 1_000_000 });
    expect(task).toHaveBeenCalledExactlyOnceWith(
      { id: 7 },
      expect.objectContaining({ attempt: 1, run: { id: "r", workflow: "w" }, id: "r/0/0" }),
    );
    const [, context] = task.mock.lastCall as [unknown, TaskContext];
    expect(context.signal.aborted).toBe(false);
  });

  test("says what the headers of its responses leave to the fleet, the lowest of all responses", async () => {
    const response = (remaining: number, status = 200) =>
      new Response("", { status, headers: { ratelimit: `"default";r=${remaining};t=10` } });
    const both = [
      run(async () => void [50, 30, 40].map((remaining) => checkResponse(response(remaining)))),
      run(async () => void checkResponse(response(20, 500))),
      run(async () => {}),
    ];
    expect((await Promise.all(both)).map(({ advertisedPerSecond }) => advertisedPerSecond)).toEqual([3, 2, undefined]);
  });

  test("that was throttled does not time out while the text of its error is read, nor by the invocation's deadline", async () => {
    const throttled = () => {
      const error = new Throttled({ seconds: 5 }, { message: "the service answered 429" });
      completeErrorMessageLater(error, pending().promise);
      return new Promise((_, reject) => setTimeout(() => reject(error), 9_500));
    };
    for (const left of [Number.POSITIVE_INFINITY, 9_800]) {
      const outcome = run(throttled, { deadline: Date.now() + left });
      await vi.advanceTimersByTimeAsync(10_000);
      const { kind, thrown } = failed(await outcome);
      expect({ kind, name: thrown.name, message: thrown.message }).toEqual({
        kind: "threw",
        name: "Throttled",
        message: "the service answered 429",
      });
    }
  });

  test("that fails while the text of its error is still being read fails with the whole text", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const outcome = run(() => {
      const error = new Error("the service answered 500");
      completeErrorMessageLater(error, promise);
      throw error;
    });
    await vi.advanceTimersByTimeAsync(1_000);
    resolve("the service answered 500: out of paper");
    const { thrown, endedAt } = failed(await outcome);
    expect({ message: thrown.message, endedAt }).toEqual({
      message: "the service answered 500: out of paper",
      endedAt: 1_001_000,
    });
  });

  test("is measured", async () => {
    const outcome = run(() => new Promise((resolve) => setTimeout(resolve, 1_500)));
    await vi.advanceTimersByTimeAsync(1_500);
    expect(await outcome).toEqual({ tag: "succeeded", startedAt: 1_000_000, endedAt: 1_001_500 });
  });

  test.each([
    ["rejects with an error", () => Promise.reject(new TypeError("no")), new TypeError("no")],
    [
      "throws before its first await",
      () => {
        throw new PermanentError("no");
      },
      new PermanentError("no"),
    ],
    [
      "throws undefined",
      () => {
        throw undefined;
      },
      undefined,
    ],
    ["rejects with undefined", () => Promise.reject(), undefined],
    ["rejects with null", () => Promise.reject(null), null],
    ["rejects with a string", () => Promise.reject("no"), "no"],
    [
      "returns a thenable that fails",
      // biome-ignore lint/suspicious/noThenProperty: this is the case.
      () => ({ then: (_: unknown, reject: (why: string) => void) => reject("no") }),
      "no",
    ],
  ])("that %s fails", async (_, task, thrown) => {
    expect(failed(await run(task))).toMatchObject({ kind: "threw", startedAt: 1_000_000 });
    expect(failed(await run(task)).thrown).toEqual(toError(thrown));
  });

  test("that never settles fails at its timeout, and not before", async () => {
    let settled = false;
    const signals: AbortSignal[] = [];
    const outcome = run((_, { signal }) => {
      signals.push(signal);
      return pending().promise;
    }).finally(() => {
      settled = true;
    });
    await vi.advanceTimersByTimeAsync(9_999);
    expect(settled).toBe(false);
    expect(signals[0]?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    const { thrown, kind, endedAt } = failed(await outcome);
    expect(thrown).toBeInstanceOf(TaskTimeoutError);
    expect(thrown).toMatchObject({ message: "the attempt did not settle within 10 s" });
    expect({ kind, endedAt }).toEqual({ kind: "timed out", endedAt: 1_010_000 });
    expect(signals[0]?.aborted).toBe(true);
    expect(signals[0]?.reason).toBe(thrown);
  });

  test("that reacts to its signal has timed out, whatever it throws", async () => {
    const outcome = run(
      (_, { signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("I gave up")))),
    );
    await vi.advanceTimersByTimeAsync(10_000);
    expect(failed(await outcome)).toMatchObject({ kind: "timed out", thrown: { name: "TaskTimeoutError" } });
  });

  test("that succeeds when its signal fires has timed out", async () => {
    const outcome = run(
      (_, { signal }) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
    );
    await vi.advanceTimersByTimeAsync(10_000);
    expect(failed(await outcome).kind).toBe("timed out");
  });

  test("that ignores its signal is left alone, and its later error is ignored", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    try {
      const { promise, reject } = pending();
      const outcome = run(() => promise);
      await vi.advanceTimersByTimeAsync(10_000);
      expect(failed(await outcome).kind).toBe("timed out");
      reject(new Error("much later"));
      await new Promise((resolve) => realSetImmediate(resolve));
      expect(unhandled).not.toHaveBeenCalled();
    } finally {
      process.off("unhandledRejection", unhandled);
    }
  });

  test("whose invocation ends before its timeout is aborted, and the error says so", async () => {
    const outcome = run(() => pending().promise, { deadline: 1_004_000 });
    await vi.advanceTimersByTimeAsync(4_000);
    expect(failed(await outcome)).toMatchObject({ kind: "aborted", endedAt: 1_004_000 });
    expect(failed(await outcome).thrown).toMatchObject({
      name: "TaskTimeoutError",
      message: "the invocation ended 4 s after the attempt began, before its timeout of 10 s",
    });
  });

  test("whose invocation ends at the same time as its timeout has timed out", async () => {
    const outcome = run(() => pending().promise, { deadline: 1_010_000 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(failed(await outcome).kind).toBe("timed out");
  });

  test("that begins after the invocation's deadline is aborted at once", async () => {
    const outcome = run(() => pending().promise, { deadline: 0 });
    await vi.advanceTimersByTimeAsync(1);
    expect(failed(await outcome).kind).toBe("aborted");
  });
});

describe("an item's schema", () => {
  test("gives the task its output", async () => {
    const task = vi.fn();
    await run(task, { schema: z.object({ id: z.number().transform((id) => id * 2) }) });
    expect(task).toHaveBeenCalledExactlyOnceWith({ id: 14 }, expect.anything());
  });

  test("may be asynchronous", async () => {
    const task = vi.fn();
    const schema = z.object({ id: z.number().refine(async (id) => id > 5, "too small") });
    expect((await run(task, { schema })).tag).toBe("succeeded");
    expect(failed(await run(task, { schema, item: { id: 5 } }))).toMatchObject({ kind: "invalid" });
    expect(task).toHaveBeenCalledTimes(1);
  });

  test("that fails says where and why, and the task is not run", async () => {
    const task = vi.fn();
    const schema = z.object({ id: z.string(), sizes: z.array(z.number()) });
    const outcome = failed(await run(task, { schema, item: { id: 7, sizes: [1, "2"] } }));
    expect(outcome).toMatchObject({ kind: "invalid", thrown: { name: "InvalidItemError" } });
    expect((outcome.thrown as Error).message).toMatch(/^the item fails the workflow's schema: id: .+; sizes\.1: .+/);
    expect(task).not.toHaveBeenCalled();
  });

  test("that fails because of a missing field says which fields the header of the file has instead", async () => {
    const schema = z.object({ email: z.string() });
    const outcome = failed(await run(() => {}, { schema, item: { "E-Mail": "x" }, fieldsFrom: "header" }));
    expect(outcome.thrown).toMatchObject({ finding: { instead: "the header has `E-Mail`" } });
  });

  test("whose issues have no path is quoted without one", async () => {
    const issues = [{ message: "bad" }, { message: "worse", path: [{ key: "a" }, "b", 0] }];
    const schema: StandardSchemaV1 = { "~standard": { version: 1, vendor: "test", validate: () => ({ issues }) } };
    expect((failed(await run(() => {}, { schema })).thrown as Error).message).toBe(
      "the item fails the workflow's schema: bad; a.b.0: worse",
    );
  });

  test("that throws makes the item invalid, and the error is the reason", async () => {
    const validate = () => {
      throw new Error("no such field");
    };
    const schema: StandardSchemaV1 = { "~standard": { version: 1, vendor: "test", validate } };
    const outcome = failed(await run(() => {}, { schema }));
    expect(outcome).toMatchObject({ kind: "invalid", thrown: { cause: { message: "no such field" } } });
  });

  test("that never returns ends at the attempt's timeout", async () => {
    const validate = () => pending().promise;
    const schema: StandardSchemaV1 = { "~standard": { version: 1, vendor: "test", validate } };
    const outcome = run(() => {}, { schema });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(failed(await outcome).kind).toBe("timed out");
  });
});
