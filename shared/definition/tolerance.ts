import { ConfigurationError } from "../base/errors.ts";
import { integerOption, rejectUnknownKeys, show } from "../base/options.ts";

/**
 * How many items of a run may become dead letters before the run is stopped as `failed`. Give `count`, `percentage` or
 * both. The run is stopped as soon as it exceeds one of them.
 *
 * @example `{ count: 100 }`, `{ percentage: 5, minimum: 1_000 }`
 */
export interface ToleratedFailuresOptions {
  /** The most dead letters that are allowed: 0 or more. Default: no limit. */
  readonly count?: number;
  /**
   * The largest share of dead letters among the settled items, in percent: 0 to 100. An item is settled when it has
   * succeeded, has become a dead letter or was cancelled. Default: no limit.
   */
  readonly percentage?: number;
  /** How many items must be settled before `percentage` applies: 1 or more. Default 100. */
  readonly minimum?: number;
}

/** The validated limits. The ledger stores them with each run, because the ledger decides whether to stop the run. */
export interface Tolerance {
  readonly count?: number;
  readonly percentage?: number;
  readonly minimum: number;
}

/**
 * Validates the limits.
 *
 * @throws {ConfigurationError} An option is unknown or outside its range, or no limit is given.
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
    throw new ConfigurationError("toleratedFailures.minimum says when percentage begins to apply: give percentage too");
  }
  const whole = { maximum: Number.MAX_SAFE_INTEGER };
  return {
    ...(count !== undefined && {
      count: integerOption("toleratedFailures.count", count, {
        ...whole,
        minimum: 0,
        fix: "0 stops the run at its first dead letter",
      }),
    }),
    ...(percentage !== undefined && { percentage }),
    minimum: integerOption("toleratedFailures.minimum", minimum ?? 100, {
      ...whole,
      minimum: 1,
      fix: "with 1, percentage applies from the first settled item on",
    }),
  };
}

/** Rounding may make `deathsLeft` too small by one, and never too large. */
const ROUNDING = 1e-6;

/**
 * How many more items must die before a death can take a run beyond its tolerance: 1 or more. Items that succeed or are
 * cancelled in between only allow more deaths. The counts must be within the tolerance.
 *
 * @example deathsLeft({ count: 5, minimum: 100 }, { dead: 2, settled: 10 }) // 4
 */
export function deathsLeft(
  { count, percentage, minimum }: Tolerance,
  { dead, settled }: { readonly dead: number; readonly settled: number },
): number {
  const byCount = count === undefined ? Number.POSITIVE_INFINITY : count + 1 - dead;
  return Math.max(1, Math.min(byCount, percentage === undefined ? byCount : deathsToShare(percentage)));

  // The smallest n with 100 × (dead + n) > share × max(minimum, settled + n).
  function deathsToShare(share: number): number {
    const ofMinimum = (share * minimum) / 100 - dead;
    const ofSettled = share < 100 ? (share * settled - 100 * dead) / (100 - share) : Number.POSITIVE_INFINITY;
    return Math.floor(Math.max(ofMinimum, ofSettled) - ROUNDING) + 1;
  }
}

/** Why a run with these counts must be stopped, or `undefined` if it may continue. */
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
