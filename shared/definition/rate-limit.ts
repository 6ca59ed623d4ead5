import { ConfigurationError } from "../base/errors.ts";
import { integerOption, rejectUnknownKeys, show } from "../base/options.ts";
import type { SetLimit } from "../limits/fleet-limit.ts";

/**
 * The most attempts that the whole fleet starts in a time, for all runs of the workflow together. Give exactly one of
 * `perSecond`, `perMinute` and `perHour`.
 *
 * @example `{ perSecond: 100 }`, `{ perMinute: 600, burst: 20 }`
 */
export interface RateLimitOptions {
  /** Attempts per second: more than 0, at most 100,000. */
  readonly perSecond?: number;
  /** Attempts per minute: more than 0, at most 6,000,000. They are spread over the minute. */
  readonly perMinute?: number;
  /** Attempts per hour: more than 0, at most 360,000,000. They are spread over the hour. */
  readonly perHour?: number;
  /**
   * How many attempts may start at once after a time in which few have started: a whole number from 1 to 100,000. Default: 1.
   * In any window of w seconds at most `rate × (w + 1) + burst` attempts start.
   */
  readonly burst?: number;
}

const UNITS = [
  ["perSecond", 1],
  ["perMinute", 60],
  ["perHour", 3_600],
] as const;

const MOST_PER_SECOND = 100_000;
const MOST_BURST = 100_000;

/**
 * The option as a limit of the fleet.
 *
 * @throws {ConfigurationError} An option is unknown or outside its range, or not exactly one rate is given.
 */
export function rateLimit(options: RateLimitOptions | undefined): SetLimit | undefined {
  if (options === undefined) return undefined;
  rejectUnknownKeys(options, [...UNITS.map(([unit]) => unit), "burst"], "rateLimit");
  const given = UNITS.filter(([unit]) => options[unit] !== undefined);
  const [first] = given;
  if (first === undefined || given.length > 1) {
    throw new ConfigurationError(
      `rateLimit must have exactly one of perSecond, perMinute and perHour, but is ${show(options)}: ` +
        "write { perSecond: 100 }",
    );
  }
  const [unit, seconds] = first;
  const rate: unknown = options[unit];
  if (typeof rate !== "number" || !(rate > 0 && rate / seconds <= MOST_PER_SECOND)) {
    throw new ConfigurationError(
      `rateLimit.${unit} must be a number above 0 and up to ${MOST_PER_SECOND * seconds}, but is ${show(rate)}: ` +
        "leave rateLimit out if the fleet needs no such limit",
    );
  }
  return {
    perSecond: rate / seconds,
    burst: integerOption("rateLimit.burst", options.burst ?? 1, {
      minimum: 1,
      maximum: MOST_BURST,
      fix: "1 means that attempts start one after the other",
    }),
  };
}
