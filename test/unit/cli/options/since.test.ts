import { expect, test } from "vitest";
import { since } from "../../../../cli/options/since.ts";

const now = Date.parse("2026-11-25T12:00:00Z");

test.each([
  ["30m", "2026-11-25T11:30:00Z"],
  ["2h", "2026-11-25T10:00:00Z"],
  ["1.5 hours", "2026-11-25T10:30:00Z"],
  ["3 days", "2026-11-22T12:00:00Z"],
  ["2026-11-25T08:00:00Z", "2026-11-25T08:00:00Z"],
  ["2026-11-25T08:00:00+02:00", "2026-11-25T06:00:00Z"],
])("%s is %s", (text, time) => {
  expect(new Date(since(text, now)).toISOString()).toBe(time.replace("Z", ".000Z"));
});

test("a time without a zone is in this machine's zone, and a date is midnight in it", () => {
  expect(since("2026-11-25T08:30")).toBe(new Date(2026, 10, 25, 8, 30).getTime());
  expect(since("2026-11-25")).toBe(new Date(2026, 10, 25).getTime());
});

test.each(["", "2", "yesterday", "2x", "2h garbage", "-2h", "2026-13-01", "25.11.2026", "8:00"])(
  "%j is refused",
  (text) => {
    expect(() => since(text, now)).toThrow(/a duration like 30m, 2h or 3d, or an ISO time like/);
  },
);
