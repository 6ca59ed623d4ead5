import { type Duration, formatDuration, toMilliseconds } from "../base/duration.ts";
import { ConfigurationError } from "../base/errors.ts";
import { booleanOption, rejectUnknownKeys, show } from "../base/options.ts";

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
 * @throws {ConfigurationError} EventBridge Scheduler would refuse the expression, the time zone or the window.
 */
export function parseSchedule(option: ScheduleOption): Schedule {
  const options = typeof option === "string" ? { expression: option } : option;
  rejectUnknownKeys(options, KEYS, "schedule");
  const { expression, timeZone, flexibleWindow, enabled = true } = options;
  const kind = checkExpression(expression);
  if (timeZone !== undefined) checkTimeZone(timeZone, kind);
  return {
    expression,
    timeZone,
    flexibleWindowMinutes: flexibleWindow === undefined ? undefined : windowMinutes(flexibleWindow),
    enabled: booleanOption("schedule.enabled", enabled),
  };
}

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

/** A field of a cron expression. https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html */
interface Field {
  readonly name: string;
  readonly minimum: number;
  readonly maximum: number;
  readonly names?: readonly string[];
  /** What the field accepts in addition to `*`, values, ranges, lists and steps. */
  readonly special?: RegExp;
}

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: readonly Field[] = [
  { name: "minutes", minimum: 0, maximum: 59 },
  { name: "hours", minimum: 0, maximum: 23 },
  { name: "day of month", minimum: 1, maximum: 31, special: /^(\?|L|LW|([1-9]|[12]\d|3[01])W)$/ },
  { name: "month", minimum: 1, maximum: 12, names: MONTHS },
  { name: "day of week", minimum: 1, maximum: 7, names: DAYS, special: /^(\?|L|[1-7]L|([1-7]|[A-Z]{3})#[1-5])$/ },
  { name: "year", minimum: 1970, maximum: 2199 },
];

function checkCron(content: string): void {
  const parts = content.split(" ");
  if (parts.length !== FIELDS.length) {
    throw new ConfigurationError(
      `schedule's cron must have the 6 fields ${FIELDS.map(({ name }) => name).join(", ")}, but has ${parts.length} ` +
        `in ${show(content)}: write "cron(0 8 * * ? *)"`,
    );
  }
  for (const [position, field] of FIELDS.entries()) checkField(field, parts[position] ?? "");
  if ((parts[2] === "?") === (parts[4] === "?")) {
    throw new ConfigurationError(
      `schedule's cron must have ? as its day of month or as its day of week, and not as both, but is ` +
        `${show(content)}: put ? in the field that does not matter`,
    );
  }
}

function checkField(field: Field, text: string): void {
  if (text.split(",").every((part) => isPart(field, part)) && !(text.includes("?") && text !== "?")) return;
  const { name, minimum, maximum, names } = field;
  const or = names === undefined ? "" : ` or ${names[0]}-${names.at(-1)}`;
  throw new ConfigurationError(
    `schedule's cron has ${show(text)} as its ${name}, which takes ${minimum}-${maximum}${or}, with , - * / and the special ` +
      'characters of EventBridge Scheduler: write "cron(0 8 * * ? *)"',
  );
}

function isPart(field: Field, part: string): boolean {
  if (field.special?.test(part)) return !part.includes("#") || isValue(field, part.slice(0, -2));
  const [range = "", step, ...more] = part.split("/");
  if (more.length > 0 || (step !== undefined && !/^[1-9]\d*$/.test(step))) return false;
  if (range === "*") return true;
  const ends = range.split("-");
  return ends.length <= 2 && ends.every((end) => isValue(field, end));
}

function isValue({ minimum, maximum, names }: Field, text: string): boolean {
  if (names?.includes(text)) return true;
  return /^\d+$/.test(text) && Number(text) >= minimum && Number(text) <= maximum;
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
