import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LocalSchedule } from "../../../../cli/dev/local-schedule.ts";
import { parseSchedule } from "../../../../shared/definition/schedule.ts";

const due: string[] = [];
let schedule: LocalSchedule;

beforeEach(() => {
  due.length = 0;
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 28, 7, 59, 30) });
  schedule = new LocalSchedule((at) => due.push(new Date(at).toISOString()));
});
afterEach(() => {
  schedule.close();
  vi.useRealTimers();
});

test("a rate starts its first run after one interval, and a version with the same rate does not begin it anew", () => {
  schedule.set(parseSchedule("rate(10 minutes)"));
  vi.advanceTimersByTime(9 * 60_000);
  schedule.set(parseSchedule("rate(10 minutes)"));
  expect(due).toEqual([]);
  vi.advanceTimersByTime(11 * 60_000);
  expect(due).toEqual(["2026-11-28T08:09:30.000Z", "2026-11-28T08:19:30.000Z"]);
  schedule.set(parseSchedule("rate(1 hour)"));
  expect(schedule.next).toBe(Date.UTC(2026, 10, 28, 9, 19, 30));
});

test("a cron starts runs at the times of its time zone", () => {
  schedule.set(parseSchedule({ expression: "cron(0 9 * * ? *)", timeZone: "Europe/Berlin" }));
  vi.advanceTimersByTime(30_000);
  expect(due).toEqual(["2026-11-28T08:00:00.000Z"]);
  vi.advanceTimersByTime(24 * 3_600_000);
  expect(due).toEqual(["2026-11-28T08:00:00.000Z", "2026-11-29T08:00:00.000Z"]);
});

test("an at starts one run", () => {
  schedule.set(parseSchedule("at(2026-11-28T08:00:00)"));
  vi.advanceTimersByTime(24 * 3_600_000);
  expect(due).toEqual(["2026-11-28T08:00:00.000Z"]);
  expect(schedule.next).toBeUndefined();
  schedule.set(parseSchedule("at(2025-01-01T00:00:00)"));
  expect(schedule.next).toBeUndefined();
});

test("a machine that slept over several times starts one run, for the last of them", () => {
  schedule.set(parseSchedule("cron(* * * * ? *)"));
  // Timers stand still while a machine sleeps, and its clock does not.
  vi.setSystemTime(Date.UTC(2026, 10, 28, 11, 30, 15));
  vi.advanceTimersByTime(30_000);
  expect(due).toEqual(["2026-11-28T11:30:00.000Z"]);
  expect(schedule.next).toBe(Date.UTC(2026, 10, 28, 11, 31));
});

test("a schedule that is disabled, removed or closed starts no run", () => {
  schedule.set(parseSchedule({ expression: "rate(1 minute)", enabled: false }));
  vi.advanceTimersByTime(120_000);
  schedule.set(parseSchedule("rate(1 minute)"));
  schedule.set(undefined);
  vi.advanceTimersByTime(120_000);
  schedule.set(parseSchedule("rate(1 minute)"));
  schedule.close();
  vi.advanceTimersByTime(120_000);
  expect(due).toEqual([]);
});

test("a time that is further away than the longest timer is met", () => {
  schedule.set(parseSchedule("at(2027-03-01T00:00:00)"));
  vi.setSystemTime(Date.UTC(2027, 1, 28, 23, 59, 50));
  vi.advanceTimersByTime(60_000);
  expect(due).toEqual(["2027-03-01T00:00:00.000Z"]);
});
