import { describe, expect, test } from "vitest";
import { checkStartsAfter, parseSchedule, type ScheduleOption } from "../../../shared/definition/schedule.ts";

const refusal = (option: unknown) => {
  try {
    parseSchedule(option as ScheduleOption);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`${JSON.stringify(option)} was not refused`);
};

describe("an expression alone", () => {
  test("is a schedule at its time, enabled", () => {
    expect(parseSchedule("rate(1 day)")).toEqual({
      expression: "rate(1 day)",
      timeZone: undefined,
      flexibleWindowMinutes: undefined,
      enabled: true,
    });
  });

  test.each([
    "rate(1 minute)",
    "rate(90 minutes)",
    "rate(12 hours)",
    "rate(365 days)",
    "at(2026-12-24T18:00:00)",
    "at(2028-02-29T00:00:00)",
    "cron(0 8 * * ? *)",
    "cron(0/15 8-18 ? * MON-FRI *)",
    "cron(0,30 */2 1,15 JAN,JUL ? 2026-2030)",
    "cron(59 23 L * ? *)",
    "cron(0 0 LW * ? *)",
    "cron(0 0 15W * ? *)",
    "cron(0 0 ? * 6#3 *)",
    "cron(0 0 ? * FRI#1 *)",
    "cron(0 0 ? * 5L *)",
    "cron(0 0 ? 12 1-7 2199)",
  ])("%s is accepted", (expression) => {
    expect(parseSchedule(expression).expression).toBe(expression);
  });

  test.each([
    ["every day", 'schedule must be rate(...), cron(...) or at(...), but is "every day"'],
    ["rate(1 day) ", "schedule must be"],
    ["rate 1 day", "schedule must be"],
    [undefined, "schedule must be an object of options"],
    [5, "schedule must be an object of options"],
    ["rate(0 days)", "schedule's rate must be a whole number of at least 1"],
    ["rate(1.5 hours)", "schedule's rate"],
    ["rate(30 seconds)", 'minutes, hours or days, but is "30 seconds": write "rate(10 minutes)"'],
    ["rate(5)", "schedule's rate"],
    ["at(2026-12-24)", "schedule's at must be a date and a time"],
    ["at(2026-02-30T00:00:00)", "schedule's at"],
    ["at(2026-12-24T25:00:00)", "schedule's at"],
    ["at(2026-12-24T18:00:00Z)", "the time zone in timeZone"],
    ["cron(0 8 * * *)", "must have the 6 fields minutes, hours, day of month, month, day of week, year, but has 5"],
    ["cron(60 8 * * ? *)", '"60" as its minutes, which takes 0-59'],
    ["cron(0 24 * * ? *)", '"24" as its hours, which takes 0-23'],
    ["cron(0 8 0 * ? *)", '"0" as its day of month, which takes 1-31'],
    ["cron(0 8 32 * ? *)", '"32" as its day of month'],
    ["cron(0 8 32W * ? *)", '"32W" as its day of month'],
    ["cron(0 8 * 13 ? *)", '"13" as its month, which takes 1-12 or JAN-DEC'],
    ["cron(0 8 ? * 0 *)", '"0" as its day of week, which takes 1-7 or SUN-SAT'],
    ["cron(0 8 ? * 8 *)", '"8" as its day of week'],
    ["cron(0 8 ? * XYZ#1 *)", '"XYZ#1" as its day of week'],
    ["cron(0 8 ? * 6#6 *)", '"6#6" as its day of week'],
    ["cron(0 8 ? * MON,? *)", '"MON,?" as its day of week'],
    ["cron(0 8 * * ? 1969)", '"1969" as its year, which takes 1970-2199'],
    ["cron(0 8 * * ? 2200)", '"2200" as its year'],
    ["cron(*/0 8 * * ? *)", '"*/0" as its minutes'],
    ["cron(1-2-3 8 * * ? *)", '"1-2-3" as its minutes'],
    ["cron( 8 * * ? *)", '"" as its minutes'],
    ["cron(0 8 * * * *)", "must have ? as its day of month or as its day of week, and not as both"],
    ["cron(0 8 ? * ? *)", "and not as both"],
    ["cron(0 8 31 2 ? *)", 'schedule is "cron(0 8 31 2 ? *)", but this time never comes: correct the date'],
    ["cron(0 8 29 2 ? 2027)", "never comes"],
    ["cron(0 8 31 APR,JUN ? *)", "never comes"],
    [
      { expression: "at(2027-03-28T02:30:00)", timeZone: "Europe/Berlin" },
      "or the time if clocks are set forward over it",
    ],
  ])("%j is refused", (expression, message) => {
    expect(refusal(expression)).toContain(message);
  });
});

describe("options", () => {
  const cron = "cron(0 8 * * ? *)";

  test("a time zone, a window and enabled are accepted", () => {
    const options = { expression: cron, timeZone: "Europe/Berlin", flexibleWindow: { hours: 1 }, enabled: false };
    expect(parseSchedule(options)).toEqual({
      expression: cron,
      timeZone: "Europe/Berlin",
      flexibleWindowMinutes: 60,
      enabled: false,
    });
  });

  test("a window is 1 minute to 24 hours, in whole minutes", () => {
    const window = (flexibleWindow: object) => ({ expression: cron, flexibleWindow });
    expect(parseSchedule(window({ minutes: 1 })).flexibleWindowMinutes).toBe(1);
    expect(parseSchedule(window({ hours: 24 })).flexibleWindowMinutes).toBe(1_440);
    expect(refusal(window({ seconds: 59 }))).toContain("between 60 s and 24 h, but is 59 s");
    expect(refusal(window({ hours: 24, minutes: 1 }))).toContain("schedule.flexibleWindow must be between");
    expect(refusal(window({ seconds: 90 }))).toContain(
      "schedule.flexibleWindow must be a number of whole minutes, but is 90 s",
    );
  });

  test("a time zone must be one that EventBridge accepts", () => {
    const zone = (timeZone: unknown) => refusal({ expression: cron, timeZone });
    expect(zone("Europe/Atlantis")).toContain('schedule.timeZone must be an IANA time zone, but is "Europe/Atlantis"');
    expect(zone("+01:00")).toContain("schedule.timeZone must be");
    expect(zone("")).toContain("schedule.timeZone must be");
    expect(zone(1)).toContain("schedule.timeZone must be");
  });

  test("a rate has no time zone", () => {
    expect(refusal({ expression: "rate(1 day)", timeZone: "UTC" })).toContain("a rate has no time of day");
  });

  test("unknown options are refused", () => {
    expect(refusal({ expression: cron, zone: "UTC" })).toContain('schedule has the unknown option "zone"');
    expect(refusal({ expression: cron, enabled: "no" })).toContain("schedule.enabled must be true or false");
    expect(refusal({})).toContain("schedule must be rate(...)");
    expect(refusal(null)).toContain("schedule must be an object of options");
  });
});

describe("at synth, a schedule whose times are all in the past", () => {
  const now = Date.UTC(2026, 10, 27, 12, 0);
  const check = (option: ScheduleOption) => () => checkStartsAfter(parseSchedule(option), now);

  test.each(["at(2026-11-27T12:00:00)", "cron(0 8 * * ? 2025)"])("is refused: %s", (expression) => {
    expect(check(expression)).toThrow(
      `schedule is "${expression}" in the time zone UTC, which is in the past: choose a later time, remove the schedule, ` +
        "or set its enabled to false",
    );
  });

  test("is no error if it is disabled, and no error for a function that is deployed already", () => {
    expect(check({ expression: "at(2020-01-01T00:00:00)", enabled: false })).not.toThrow();
    expect(() => parseSchedule("at(2020-01-01T00:00:00)")).not.toThrow();
  });

  test("is not in the past if its time zone is behind", () => {
    expect(check({ expression: "at(2026-11-27T12:00:00)", timeZone: "America/New_York" })).not.toThrow();
    expect(check({ expression: "at(2026-11-27T12:30:00)", timeZone: "Europe/Berlin" })).toThrow("in the past");
    expect(check("at(2026-11-27T12:00:01)")).not.toThrow();
  });
});
