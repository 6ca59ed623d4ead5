import { type Duration, formatDuration, toMilliseconds } from "../base/duration.ts";
import { ConfigurationError } from "../base/errors.ts";
import { booleanOption, rejectUnknownKeys, show } from "../base/options.ts";
import { CRON_FIELDS, type CronField, valueIn } from "./cron-fields.ts";
import { nextOccurrence } from "./next-occurrence.ts";

/**
 * When a deployed workflow starts a run by itself: an expression of EventBridge Scheduler, or an object with more
 * options.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
 *
 * @example
 * ```ts
 * schedule: "rate(1 day)"
 * schedule: { expression: "cron(0 8 ? * MON-FRI *)", timeZone: "Europe/Berlin", flexibleWindow: { minutes: 15 } }
 * schedule: { expression: "at(2026-12-24T18:00:00)", timeZone: "UTC", enabled: false }
 * ```
 */
export type ScheduleOption = string | ScheduleOptions;

/** The options of a schedule. */
export interface ScheduleOptions {
  /**
   * `rate(10 minutes)`, `cron(minutes hours day-of-month month day-of-week year)` or `at(2026-12-24T18:00:00)`.
   * https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
   */
  readonly expression: string;
  /**
   * The IANA time zone of a `cron` or an `at` expression, such as `Europe/Berlin`. The schedule follows the daylight
   * saving time of this zone. Default `UTC`.
   */
  readonly timeZone?: string;
  /**
   * The time after the scheduled time in which EventBridge Scheduler may start the run: whole minutes from 1 min to
   * 24 h. Default: the run starts at the scheduled time.
   */
  readonly flexibleWindow?: Duration;
  /** Whether the schedule starts runs. A disabled schedule is deployed as well. Default true. */
  readonly enabled?: boolean;
}

/** A validated schedule. */
export interface Schedule {
  readonly expression: string;
  readonly timeZone: string | undefined;
  readonly flexibleWindowMinutes: number | undefined;
  readonly enabled: boolean;
}

const KEYS = ["expression", "timeZone", "flexibleWindow", "enabled"] as const satisfies (keyof ScheduleOptions)[];

/**
 * Validates a schedule.
 *
 * @throws {ConfigurationError} EventBridge Scheduler would refuse the expression, the time zone or the window. Or the
 *   schedule names a time that never comes, such as February 30th.
 */
export function parseSchedule(option: ScheduleOption): Schedule {
  const options = typeof option === "string" ? { expression: option } : option;
  rejectUnknownKeys(options, KEYS, "schedule");
  const { expression, timeZone, flexibleWindow, enabled = true } = options;
  const kind = checkExpression(expression);
  if (timeZone !== undefined) checkTimeZone(timeZone, kind);
  checkComes(expression, timeZone);
  return {
    expression,
    timeZone,
    flexibleWindowMinutes: flexibleWindow === undefined ? undefined : windowMinutes(flexibleWindow),
    enabled: booleanOption("schedule.enabled", enabled),
  };
}

const BEFORE_ALL_YEARS = Date.UTC(1969, 0, 1);

type Kind = "rate" | "cron" | "at";

function checkExpression(expression: unknown): Kind {
  const match = typeof expression === "string" ? /^(rate|cron|at)\(([^()]*)\)$/.exec(expression) : null;
  if (match === null) {
    throw new ConfigurationError(
      `schedule must be rate(...), cron(...) or at(...), but is ${show(expression)}: write "rate(1 day)", ` +
        '"cron(0 8 * * ? *)" or "at(2026-12-24T18:00:00)"',
    );
  }
  const [, kind = "", content = ""] = match;
  if (kind === "rate") checkRate(content);
  else if (kind === "cron") checkCron(content);
  else checkMoment(content);
  return kind as Kind;
}

function checkRate(content: string): void {
  if (/^[1-9]\d* (minute|hour|day)s?$/.test(content)) return;
  throw new ConfigurationError(
    `schedule's rate must be a whole number of at least 1, followed by minutes, hours or days, but is ${show(content)}: ` +
      'write "rate(10 minutes)"',
  );
}

function checkMoment(content: string): void {
  const isMoment = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(content);
  const time = isMoment ? Date.parse(`${content}Z`) : Number.NaN;
  // `Date` reads February 30th as March 2nd.
  if (!Number.isNaN(time) && new Date(time).toISOString().startsWith(content)) return;
  throw new ConfigurationError(
    `schedule's at must be a date and a time, but is ${show(content)}: write "at(2026-12-24T18:00:00)" and give ` +
      "the time zone in timeZone",
  );
}

function checkCron(content: string): void {
  const parts = content.split(" ");
  if (parts.length !== CRON_FIELDS.length) {
    throw new ConfigurationError(
      `schedule's cron must have the 6 fields ${CRON_FIELDS.map(({ name }) => name).join(", ")}, but has ${parts.length} ` +
        `in ${show(content)}: write "cron(0 8 * * ? *)"`,
    );
  }
  for (const [position, field] of CRON_FIELDS.entries()) checkField(field, parts[position] ?? "");
  if ((parts[2] === "?") === (parts[4] === "?")) {
    throw new ConfigurationError(
      `schedule's cron must have ? as its day of month or as its day of week, and not as both, but is ` +
        `${show(content)}: put ? in the field that does not matter`,
    );
  }
}

function checkField(field: CronField, text: string): void {
  if (text.split(",").every((part) => isPart(field, part)) && !(text.includes("?") && text !== "?")) return;
  const { name, minimum, maximum, names } = field;
  const or = names === undefined ? "" : ` or ${names[0]}-${names.at(-1)}`;
  throw new ConfigurationError(
    `schedule's cron has ${show(text)} as its ${name}, which takes ${minimum}-${maximum}${or}, with , - * / and the special ` +
      'characters of EventBridge Scheduler: write "cron(0 8 * * ? *)"',
  );
}

function isPart(field: CronField, part: string): boolean {
  if (field.special?.test(part)) return !part.includes("#") || isValue(field, part.slice(0, -2));
  const [range = "", step, ...more] = part.split("/");
  if (more.length > 0 || (step !== undefined && !/^[1-9]\d*$/.test(step))) return false;
  if (range === "*") return true;
  const ends = range.split("-");
  return ends.length <= 2 && ends.every((end) => isValue(field, end));
}

const isValue = (field: CronField, text: string): boolean => valueIn(field, text) !== undefined;

/** A time in the past is no error here, because functions that are deployed must still start when the time has come. */
function checkComes(expression: string, timeZone: string | undefined): void {
  if (nextOccurrence(expression, timeZone ?? "UTC", BEFORE_ALL_YEARS) !== undefined) return;
  throw new ConfigurationError(
    `schedule is ${show(expression)}, but this time never comes: correct the date, or the time if clocks are set forward ` +
      "over it",
  );
}

/**
 * Checks that a schedule starts a run after a time. `FanOut` calls it at synth.
 *
 * @param now Milliseconds since 1970.
 * @throws {ConfigurationError} The schedule is enabled, and all of its times are in the past. EventBridge Scheduler
 *   refuses an `at` in the past, and never starts the others.
 */
export function checkStartsAfter({ expression, timeZone = "UTC", enabled }: Schedule, now: number): void {
  if (!enabled || nextOccurrence(expression, timeZone, now) !== undefined) return;
  throw new ConfigurationError(
    `schedule is ${show(expression)} in the time zone ${timeZone}, which is in the past: choose a later time, remove the ` +
      "schedule, or set its enabled to false",
  );
}

function checkTimeZone(timeZone: unknown, kind: Kind): void {
  if (kind === "rate") {
    throw new ConfigurationError(
      `schedule.timeZone is ${show(timeZone)}, but a rate has no time of day: leave it out, or use cron(...)`,
    );
  }
  // `Intl` accepts offsets such as +01:00, but EventBridge Scheduler does not.
  if (typeof timeZone === "string" && /^[A-Za-z]/.test(timeZone)) {
    try {
      new Intl.DateTimeFormat("en", { timeZone });
      return;
    } catch {
      // The error below reports the unknown time zone.
    }
  }
  throw new ConfigurationError(
    `schedule.timeZone must be an IANA time zone, but is ${show(timeZone)}: write "Europe/Berlin" or "UTC"`,
  );
}

function windowMinutes(flexibleWindow: Duration): number {
  const milliseconds = toMilliseconds(flexibleWindow, {
    option: "schedule.flexibleWindow",
    minimum: { minutes: 1 },
    maximum: { hours: 24 },
  });
  if (milliseconds % 60_000 === 0) return milliseconds / 60_000;
  throw new ConfigurationError(
    `schedule.flexibleWindow must be a number of whole minutes, but is ${formatDuration(milliseconds)}: round it`,
  );
}
