import { ConfigurationError } from "./errors.ts";
import { show } from "./options.ts";

/**
 * A length of time. Each key is a unit, and several units add up.
 *
 * @example `{ seconds: 90 }` and `{ minutes: 1, seconds: 30 }` are the same.
 */
export interface Duration {
  readonly milliseconds?: number;
  readonly seconds?: number;
  readonly minutes?: number;
  readonly hours?: number;
  readonly days?: number;
}

const UNITS = {
  milliseconds: 1,
  seconds: 1_000,
  minutes: 60_000,
  hours: 3_600_000,
  days: 86_400_000,
} as const satisfies Record<keyof Duration, number>;

/** The allowed range of a duration. */
export interface DurationRange {
  /** The name of the option, for the error message. */
  readonly option: string;
  /** The shortest duration that is allowed. Default 0. */
  readonly minimum?: Duration;
  /** The longest duration that is allowed. Default: no limit. */
  readonly maximum?: Duration;
}

/**
 * A duration in milliseconds.
 *
 * @throws {ConfigurationError} The value is not a duration, or it is outside the range.
 */
export function toMilliseconds(duration: Duration, range: DurationRange): number {
  const total = sum(duration, range.option);
  const minimum = range.minimum === undefined ? 0 : sum(range.minimum, range.option);
  const maximum = range.maximum === undefined ? Number.POSITIVE_INFINITY : sum(range.maximum, range.option);
  if (total < minimum || total > maximum) {
    throw new ConfigurationError(
      `${range.option} must be ${formatRange(minimum, maximum)}, but is ${formatDuration(total)}: ` +
        `give a ${total < minimum ? "longer" : "shorter"} duration`,
    );
  }
  return total;
}

function sum(duration: Duration, option: string): number {
  const fix = `give units as keys, such as { seconds: 10 } (${Object.keys(UNITS).join(", ")})`;
  if (typeof duration !== "object" || duration === null || Object.keys(duration).length === 0) {
    throw new ConfigurationError(`${option} must be a duration, but is ${show(duration)}: ${fix}`);
  }
  let total = 0;
  for (const [unit, amount] of Object.entries(duration)) {
    if (!Object.hasOwn(UNITS, unit)) {
      throw new ConfigurationError(`${option} has the unknown unit "${unit}": ${fix}`);
    }
    if (typeof amount !== "number" || !Number.isFinite(amount) || amount < 0) {
      throw new ConfigurationError(`${option}.${unit} must be a number of at least 0, but is ${show(amount)}: ${fix}`);
    }
    total += amount * UNITS[unit as keyof Duration];
  }
  return total;
}

function formatRange(minimum: number, maximum: number): string {
  if (maximum === Number.POSITIVE_INFINITY) return `at least ${formatDuration(minimum)}`;
  return `between ${formatDuration(minimum)} and ${formatDuration(maximum)}`;
}

/** A duration as text: `"250 ms"`, `"90 s"`, `"15 min"`, `"12 h"`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds >= 3_600_000 && milliseconds % 3_600_000 === 0) return `${milliseconds / 3_600_000} h`;
  if (milliseconds >= 120_000 && milliseconds % 60_000 === 0) return `${milliseconds / 60_000} min`;
  if (milliseconds >= 1_000) return `${milliseconds / 1_000} s`;
  return `${milliseconds} ms`;
}
