import { EventEmitter } from "node:events";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { toError } from "../../../shared/base/thrown.ts";
import { type AttemptOutcome, runAttempt } from "../../../shared/consumer/attempts/attempt.ts";
import { containStrayErrors } from "../../../shared/consumer/attempts/stray-errors.ts";
import type { Task } from "../../../shared/index.ts";
import { HOSTILE_VALUES } from "../../helpers/hostile-values.ts";
import { taskContext } from "../../helpers/task-context.ts";

const EVENTS = ["uncaughtException", "unhandledRejection"] as const;
const saved = EVENTS.map((event) => ({ event, listeners: process.listeners(event as "uncaughtException") }));
const report = vi.fn();

// The test runner also listens to these events, and would fail.
let release = () => {};
beforeAll(() => {
  release = containStrayErrors(report);
});
afterAll(() => {
  release();
  for (const { event, listeners } of saved) {
    process.removeAllListeners(event);
    for (const listener of listeners) process.on(event, listener);
  }
});
beforeEach(() => report.mockReset());

const attempt = (task: Task<unknown>): Promise<AttemptOutcome> =>
  runAttempt({
    task,
    schema: undefined,
    item: 1,
    context: taskContext(),
    timeoutMilliseconds: 60_000,
    deadline: Number.POSITIVE_INFINITY,
    now: Date.now,
  });

/** A task that has begun something which will throw, and waits for what never comes. */
const waitsAfter = (begin: () => void): Task<unknown> => {
  return (_, { signal }) => {
    begin();
    // The attempt's timer keeps the process alive until the attempt fails.
    return new Promise((_, reject) => signal.addEventListener("abort", reject));
  };
};

test.each([
  [
    "a timer",
    (thrown: unknown) =>
      void setTimeout(() => {
        throw thrown;
      }, 1),
  ],
  [
    "a tick",
    (thrown: unknown) =>
      void process.nextTick(() => {
        throw thrown;
      }),
  ],
  [
    "an immediate",
    (thrown: unknown) =>
      void setImmediate(() => {
        throw thrown;
      }),
  ],
  ["a promise without a handler", (thrown: unknown) => void Promise.reject(thrown)],
  [
    "an async function that is not awaited",
    (thrown: unknown) =>
      void (async () => {
        await null;
        throw thrown;
      })(),
  ],
])("an error from %s fails the attempt that it comes from, and no other", async (_, begin) => {
  for (const thrown of [new Error("stray"), undefined, "text"]) {
    const good = attempt(() => new Promise((resolve) => setTimeout(resolve, 20)));
    const outcome = await attempt(waitsAfter(() => begin(thrown)));
    expect(outcome).toMatchObject({ tag: "failed", kind: "threw" });
    expect((outcome as { thrown: unknown }).thrown).toEqual(toError(thrown));
    expect((await good).tag).toBe("succeeded");
  }
  expect(report).not.toHaveBeenCalled();
});

test("a task that removes all listeners of the process does not affect the next attempt", async () => {
  expect((await attempt(() => void process.removeAllListeners("uncaughtException"))).tag).toBe("succeeded");
  const outcome = await attempt(
    waitsAfter(
      () =>
        void setTimeout(() => {
          throw new Error("stray");
        }, 1),
    ),
  );
  expect(outcome).toMatchObject({ tag: "failed", thrown: { message: "stray" } });
});

test("an error event without a listener fails the attempt that it comes from", async () => {
  const outcome = await attempt(
    waitsAfter(() => void setTimeout(() => new EventEmitter().emit("error", new Error("e")), 1)),
  );
  expect(outcome).toMatchObject({ tag: "failed", thrown: { message: "e" } });
});

test("an error of an attempt that has ended, or of no attempt, is reported", async () => {
  const reported = () => new Promise((resolve) => report.mockImplementationOnce(resolve));
  const late = reported();
  expect(
    (
      await attempt(
        () =>
          void setTimeout(() => {
            throw new Error("late");
          }, 5),
      )
    ).tag,
  ).toBe("succeeded");
  expect(await late).toMatchObject({ message: "late" });
  const ofNone = reported();
  setImmediate(() => {
    throw new Error("of none");
  });
  expect(await ofNone).toMatchObject({ message: "of none" });
  expect(report).toHaveBeenCalledTimes(2);
});

// V8 calls `toString` of an uncaught object. One that never returns blocks the process, like any endless loop.
const thrownFreely = Object.keys(HOSTILE_VALUES).filter(
  (name) => name !== "an object whose toString and toJSON never end",
);

test.each(thrownFreely)("%s that belongs to no attempt is reported as a readable error", async (name) => {
  const reported = new Promise<Error>((resolve) => report.mockImplementationOnce(resolve));
  setImmediate(() => {
    throw HOSTILE_VALUES[name]?.make();
  });
  expect((await reported).name).toBe(HOSTILE_VALUES[name]?.name);
});
