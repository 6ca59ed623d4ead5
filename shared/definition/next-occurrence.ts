import { CRON_FIELDS, type CronField, partHolds, valueIn } from "./cron-fields.ts";
import { instantsIn } from "./local-time.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;
const [MINUTES, HOURS, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, YEAR] = CRON_FIELDS;

/**
 * Returns when a schedule starts its next run.
 *
 * @param expression A validated `rate`, `cron` or `at` expression.
 * @param timeZone The IANA time zone of a `cron` or an `at` expression.
 * @param after Milliseconds since 1970.
 * @returns Milliseconds since 1970. For a `rate`: `after`, because its time depends on when it is deployed. `undefined`:
 *   the schedule starts no run after that time.
 * @example nextOccurrence("cron(0 8 29 2 ? *)", "UTC", Date.UTC(2026, 0, 1)) // February 29th, 2028, 8:00
 */
export function nextOccurrence(expression: string, timeZone: string, after: number): number | undefined {
  const [kind, content = ""] = expression.slice(0, -1).split("(");
  if (kind === "rate") return after;
  const instantOf = instantsIn(timeZone);
  if (kind === "at") {
    const instant = instantOf(Date.parse(`${content}Z`));
    return instant !== undefined && instant > after ? instant : undefined;
  }
  return nextOfCron(content.split(" "), instantOf, after);
}

function nextOfCron(
  fields: readonly string[],
  instantOf: (localTime: number) => number | undefined,
  after: number,
): number | undefined {
  const [minutes = "", hours = "", dayOfMonth = "", month = "", dayOfWeek = "", year = ""] = fields;
  const times = timesOfDay(minutes, hours);
  // The local date can be a day before the date in UTC.
  for (let day = startOfDay(after) - DAY; day <= Date.UTC(YEAR.maximum, 11, 31); day += DAY) {
    const date = new Date(day);
    if (!holds(YEAR, year, date.getUTCFullYear()) || !holds(MONTH, month, date.getUTCMonth() + 1)) continue;
    if (!isDayOfMonth(dayOfMonth, date) || !isDayOfWeek(dayOfWeek, date)) continue;
    for (const time of times) {
      const instant = instantOf(day + time);
      if (instant !== undefined && instant > after) return instant;
    }
  }
  return undefined;
}

/** The times of a day at which the schedule can start a run, in milliseconds after midnight. */
function timesOfDay(minutes: string, hours: string): readonly number[] {
  const valuesOf = (field: CronField, text: string) =>
    Array.from({ length: field.maximum + 1 }, (_, value) => value).filter((value) => holds(field, text, value));
  return valuesOf(HOURS, hours).flatMap((hour) =>
    valuesOf(MINUTES, minutes).map((minute) => (60 * hour + minute) * MINUTE),
  );
}

const holds = (field: CronField, text: string, value: number): boolean =>
  text.split(",").some((part) => partHolds(field, part, value));

const isDayOfMonth = (text: string, date: Date): boolean =>
  text === "?" || text.split(",").some((part) => partIsDayOfMonth(part, date));

function partIsDayOfMonth(part: string, date: Date): boolean {
  const day = date.getUTCDate();
  const last = lastOfMonth(date);
  if (part === "L") return day === last;
  if (part === "LW") return day === nearestWeekday(date, last);
  if (!part.endsWith("W")) return partHolds(DAY_OF_MONTH, part, day);
  const wanted = Number(part.slice(0, -1));
  return wanted <= last && day === nearestWeekday(date, wanted);
}

const isDayOfWeek = (text: string, date: Date): boolean =>
  text === "?" || text.split(",").some((part) => partIsDayOfWeek(part, date));

function partIsDayOfWeek(part: string, date: Date): boolean {
  const weekday = date.getUTCDay() + 1;
  const day = date.getUTCDate();
  if (part === "L") return weekday === DAY_OF_WEEK.maximum;
  if (part.endsWith("L")) return weekday === Number(part.slice(0, -1)) && day > lastOfMonth(date) - 7;
  const [name = "", week] = part.split("#");
  if (week === undefined) return partHolds(DAY_OF_WEEK, part, weekday);
  return weekday === valueIn(DAY_OF_WEEK, name) && Math.ceil(day / 7) === Number(week);
}

/** The weekday of the same month that is nearest to a day of the month. */
function nearestWeekday(date: Date, day: number): number {
  const weekday = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), day)).getUTCDay();
  if (weekday === 6) return day > 1 ? day - 1 : day + 2;
  if (weekday === 0) return day < lastOfMonth(date) ? day + 1 : day - 2;
  return day;
}

const lastOfMonth = (date: Date): number =>
  new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();

const startOfDay = (instant: number): number => Math.floor(instant / DAY) * DAY;
