import { expect, test } from "vitest";
import { formatDuration, toMilliseconds } from "../../../shared/base/duration.ts";
import { PermanentError, ResponseError, RetryLater, TaskTimeoutError, Throttled } from "../../../shared/index.ts";

test.each([
  [{ milliseconds: 250 }, 250],
  [{ seconds: 90 }, 90_000],
  [{ minutes: 1, seconds: 30 }, 90_000],
  [{ hours: 2 }, 7_200_000],
  [{ days: 1 }, 86_400_000],
  [{ days: 1, hours: 1, minutes: 1, seconds: 1, milliseconds: 1 }, 90_061_001],
  [{ seconds: 0 }, 0],
  [{ seconds: 0.25 }, 250],
])("%o is %i ms", (duration, milliseconds) => {
  expect(toMilliseconds(duration, { option: "wait" })).toBe(milliseconds);
});

test("a range includes both its ends", () => {
  const range = { option: "wait", minimum: { seconds: 1 }, maximum: { minutes: 1 } };
  expect(toMilliseconds({ seconds: 1 }, range)).toBe(1_000);
  expect(toMilliseconds({ seconds: 60 }, range)).toBe(60_000);
  expect(() => toMilliseconds({ milliseconds: 999 }, range)).toThrow(
    "wait must be between 1 s and 60 s, but is 999 ms: give a longer duration",
  );
  expect(() => toMilliseconds({ milliseconds: 60_001 }, range)).toThrow("but is 60.001 s: give a shorter duration");
  expect(() => toMilliseconds({ seconds: 1 }, { option: "wait", minimum: { seconds: 2 } })).toThrow("at least 2 s");
});

test.each([
  [0, "0 ms"],
  [250, "250 ms"],
  [1_000, "1 s"],
  [60_000, "60 s"],
  [90_000, "90 s"],
  [120_000, "2 min"],
  [900_000, "15 min"],
  [3_600_000, "1 h"],
  [43_200_000, "12 h"],
])("%i ms read %s", (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text));

test("a task's errors have stable names and codes", () => {
  const cause = new Error("why");
  const thrown = [
    new PermanentError("a", { cause }),
    new RetryLater({ seconds: 1 }),
    new Throttled(undefined, { cause }),
    new ResponseError("b"),
    new TaskTimeoutError("c"),
  ];
  expect(thrown).toMatchObject([
    { name: "PermanentError", code: "PERMANENT", cause },
    { name: "RetryLater", code: "RETRY_LATER", message: "try again in 1 s" },
    { name: "Throttled", code: "THROTTLED", message: "throttled by the service", cause },
    { name: "ResponseError", code: "RESPONSE" },
    { name: "TaskTimeoutError", code: "TASK_TIMEOUT" },
  ]);
});
