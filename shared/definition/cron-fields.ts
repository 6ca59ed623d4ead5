/**
 * A field of a cron expression of EventBridge Scheduler.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
 */
export interface CronField {
  readonly name: string;
  readonly minimum: number;
  readonly maximum: number;
  readonly names?: readonly string[];
  /** What the field accepts in addition to `*`, values, ranges, lists and steps. */
  readonly special?: RegExp;
}

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/** The fields of a cron expression, in their order. */
export const CRON_FIELDS = [
  { name: "minutes", minimum: 0, maximum: 59 },
  { name: "hours", minimum: 0, maximum: 23 },
  { name: "day of month", minimum: 1, maximum: 31, special: /^(\?|L|LW|([1-9]|[12]\d|3[01])W)$/ },
  { name: "month", minimum: 1, maximum: 12, names: MONTHS },
  { name: "day of week", minimum: 1, maximum: 7, names: DAYS, special: /^(\?|L|[1-7]L|([1-7]|[A-Z]{3})#[1-5])$/ },
  { name: "year", minimum: 1970, maximum: 2199 },
] as const satisfies readonly CronField[];

/** The number of a value in a field: a number, or a name such as `JAN`. `undefined`: the field has no such value. */
export function valueIn({ minimum, maximum, names }: CronField, text: string): number | undefined {
  const named = names?.indexOf(text) ?? -1;
  if (named >= 0) return named + minimum;
  if (!/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= minimum && value <= maximum ? value : undefined;
}

/** Whether a value is in a part of a field: `*`, a value or a range, each with an optional step. */
export function partHolds(field: CronField, part: string, value: number): boolean {
  const [range = "", step = "1"] = part.split("/");
  const [from, to] = rangeOf(field, range, part.includes("/"));
  // A range such as FRI-MON goes beyond the last value and continues at the first.
  const size = field.maximum - field.minimum + 1;
  const distance = (value - from + size) % size;
  return distance <= (to - from + size) % size && distance % Number(step) === 0;
}

function rangeOf(field: CronField, range: string, hasStep: boolean): readonly [number, number] {
  if (range === "*") return [field.minimum, field.maximum];
  const [first = "", last] = range.split("-");
  const from = valueIn(field, first) ?? Number.NaN;
  if (last !== undefined) return [from, valueIn(field, last) ?? Number.NaN];
  return [from, hasStep ? field.maximum : from];
}
