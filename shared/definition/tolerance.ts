import { ConfigurationError } from "../base/errors.ts";
import { integerOption, rejectUnknownKeys, show } from "../base/options.ts";

/** How many dead items a run bears before it is stopped as `failed`. Both limits hold where both are given. */
export interface ToleratedFailuresOptions {
  /** Dead items, 0 or more: the run is stopped when it has more. */
  readonly count?: number;
  /** Dead items of those that are settled, in percent, 0 to 100: the run is stopped above it. */
  readonly percentage?: number;
  /** Settled items before `percentage` is looked at: the first ones say little. Default 100. */
  readonly minimum?: number;
}

/** The same, validated. A plain value: the run's row keeps it, so that the ledger alone can tell. */
export interface Tolerance {
  readonly count?: number;
  readonly percentage?: number;
  readonly minimum: number;
}

/**
 * @throws {ConfigurationError} An option is unknown or outside its range, or none of the limits is given.
 */
export function tolerance(options: ToleratedFailuresOptions | undefined): Tolerance | undefined {
  if (options === undefined) return undefined;
  rejectUnknownKeys(options, ["count", "percentage", "minimum"], "toleratedFailures");
  const { count, percentage, minimum } = options;
  if (count === undefined && percentage === undefined) {
    throw new ConfigurationError("toleratedFailures sets no limit: give count, percentage or both");
  }
  if (percentage !== undefined && !(typeof percentage === "number" && percentage >= 0 && percentage <= 100)) {
    throw new ConfigurationError(
      `toleratedFailures.percentage must be a number from 0 to 100, but is ${show(percentage)}: 5 means 5 %`,
    );
  }
  if (minimum !== undefined && percentage === undefined) {
    throw new ConfigurationError("toleratedFailures.minimum says from when on percentage counts: give percentage too");
  }
  const whole = { maximum: Number.MAX_SAFE_INTEGER };
  return {
    ...(count !== undefined && {
      count: integerOption("toleratedFailures.count", count, { ...whole, minimum: 0, fix: "0 stops at the first" }),
    }),
    ...(percentage !== undefined && { percentage }),
    minimum: integerOption("toleratedFailures.minimum", minimum ?? 100, {
      ...whole,
      minimum: 1,
      fix: "1 looks at the percentage from the first item on",
    }),
  };
}

/** Why a run with these counts must be stopped, or `undefined` where it may go on. */
export function beyondTolerance(
  tolerance: Tolerance | undefined,
  { dead, settled }: { readonly dead: number; readonly settled: number },
): string | undefined {
  if (tolerance === undefined) return undefined;
  const { count, percentage, minimum } = tolerance;
  if (count !== undefined && dead > count) return `${dead} items died, more than the ${count} that are tolerated`;
  if (percentage === undefined || settled < minimum) return undefined;
  const share = (100 * dead) / settled;
  if (share <= percentage) return undefined;
  return `${dead} of ${settled} items died (${share.toFixed(1)} %), more than the ${percentage} % that are tolerated`;
}
