import { InvalidArgumentError } from "commander";

const SECONDS: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3_600 };

/** Parses an option's value such as `100/s`, `600/min` or `5000/h` as a rate per second. */
export function ratePerSecond(text: string): number {
  const [, amount = "", unit = ""] = /^(\d+(?:\.\d+)?)\/(s|min|h)$/.exec(text.trim()) ?? [];
  const rate = Number(amount) / (SECONDS[unit] ?? Number.NaN);
  if (Number.isFinite(rate) && rate > 0) return rate;
  throw new InvalidArgumentError('It must be a number above 0 with its unit, such as "100/s", "600/min" or "5000/h".');
}
