import { describe, expect, test } from "vitest";
import { nextOccurrence } from "../../../shared/definition/next-occurrence.ts";

const after = Date.UTC(2026, 10, 27, 12, 0);
const next = (expression: string, timeZone = "UTC", from = after) => {
  const instant = nextOccurrence(expression, timeZone, from);
  return instant === undefined ? undefined : new Date(instant).toISOString().slice(0, 16);
};

// November 27th, 2026 is a Friday.
test.each([
  ["rate(1 day)", "2026-11-27T12:00"],
  ["at(2026-11-27T12:00:01)", "2026-11-27T12:00"],
  ["cron(0 8 * * ? *)", "2026-11-28T08:00"],
  ["cron(0 12 * * ? *)", "2026-11-28T12:00"],
  ["cron(1 12 * * ? *)", "2026-11-27T12:01"],
  ["cron(0/15 8-18 ? * MON-FRI *)", "2026-11-27T12:15"],
  ["cron(0 8 ? * MON-FRI *)", "2026-11-30T08:00"],
  ["cron(0 8 ? * FRI-MON *)", "2026-11-28T08:00"],
  ["cron(0 8 ? * 2/2 *)", "2026-11-30T08:00"],
  ["cron(0,30 */2 1,15 JAN,JUL ? 2027-2030)", "2027-01-01T00:00"],
  ["cron(59 23 L * ? *)", "2026-11-30T23:59"],
  ["cron(59 23 L FEB ? *)", "2027-02-28T23:59"],
  ["cron(0 0 LW 1 ? *)", "2027-01-29T00:00"],
  ["cron(0 0 1W AUG ? 2027)", "2027-08-02T00:00"],
  ["cron(0 0 1W MAY ? 2027)", "2027-05-03T00:00"],
  ["cron(0 0 31W JAN ? 2027)", "2027-01-29T00:00"],
  ["cron(0 0 13W FEB ? 2027)", "2027-02-12T00:00"],
  ["cron(0 0 ? * 6#3 *)", "2026-12-18T00:00"],
  ["cron(0 0 ? * FRI#5 *)", "2027-01-29T00:00"],
  ["cron(0 0 ? * 5L *)", "2026-12-31T00:00"],
  ["cron(0 0 ? * L *)", "2026-11-28T00:00"],
  ["cron(0 0 29 2 ? *)", "2028-02-29T00:00"],
  ["cron(0 0 ? 2 1#5 *)", "2032-02-29T00:00"],
  ["cron(0 0 ? 12 1-7 2199)", "2199-12-01T00:00"],
])("%s starts its next run at %s", (expression, time) => {
  expect(next(expression)).toBe(time);
});

test.each([
  "at(2026-11-27T12:00:00)",
  "at(2020-01-01T00:00:00)",
  "cron(0 8 * * ? 2025)",
  "cron(0 8 1-27 11 ? 2026)",
  "cron(0 8 31 2 ? *)",
  "cron(0 8 30W 2 ? *)",
  "cron(0 8 29 2 ? 2027)",
  "cron(0 8 31 APR,JUN,SEP,NOV ? *)",
  "cron(0 8 ? 2 MON#5 2027)",
])("%s starts no run any more", (expression) => {
  expect(next(expression)).toBeUndefined();
});

describe("a time zone", () => {
  test("moves the time, and the date with it", () => {
    expect(next("cron(0 8 * * ? *)", "Europe/Berlin")).toBe("2026-11-28T07:00");
    expect(next("cron(30 12 * * ? *)", "America/New_York")).toBe("2026-11-27T17:30");
    expect(next("at(2026-11-28T01:00:00)", "Pacific/Auckland")).toBeUndefined();
    expect(next("cron(0 1 28 11 ? 2026)", "Pacific/Auckland", after - 60_000)).toBe("2026-11-27T12:00");
    expect(next("cron(0 23 26 11 ? 2026)", "Pacific/Honolulu", after - 86_400_000)).toBe("2026-11-27T09:00");
  });

  test("skips the hour over which clocks are set forward, and takes the first of the two when they are set back", () => {
    expect(next("at(2027-03-28T02:30:00)", "Europe/Berlin")).toBeUndefined();
    expect(next("cron(30 2 28 3 ? 2027)", "Europe/Berlin")).toBeUndefined();
    expect(next("cron(30 2 28 3 ? *)", "Europe/Berlin")).toBe("2028-03-28T00:30");
    expect(next("at(2027-10-31T02:30:00)", "Europe/Berlin")).toBe("2027-10-31T00:30");
  });
});
