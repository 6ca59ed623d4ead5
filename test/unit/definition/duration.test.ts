import { expect, test } from "vitest";
import { formatDuration, toMilliseconds } from "../../../shared/duration.ts";
import { ConfigurationError, PermanentError, RetryLater, TaskTimeoutError } from "../../../shared/index.ts";

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

test("RetryLater takes 0 to 11 hours", () => {
  expect(new RetryLater({ seconds: 0 }).afterMilliseconds).toBe(0);
  expect(new RetryLater({ hours: 11 }).afterMilliseconds).toBe(39_600_000);
  expect(() => new RetryLater({ hours: 11, milliseconds: 1 })).toThrow(ConfigurationError);
  // The header was missing, or a date.
  expect(() => new RetryLater({ seconds: Number("Wed, 21 Oct 2015 07:28:00 GMT") })).toThrow(ConfigurationError);
});

test("a task's errors have stable names and codes", () => {
  const cause = new Error("why");
  expect([new PermanentError("a", { cause }), new RetryLater({ seconds: 1 }), new TaskTimeoutError("c")]).toMatchObject(
    [
      { name: "PermanentError", code: "PERMANENT", cause },
      { name: "RetryLater", code: "RETRY_LATER", message: "try again in 1 s" },
      { name: "TaskTimeoutError", code: "TASK_TIMEOUT" },
    ],
  );
});
