import { integerOption } from "../base/options.ts";

/** The most partitions of a source. */
export const MOST_PARTITIONS = 10_000;

/** The id of the only partition of a source that has lost its function `partitions` since the run began. */
export const WHOLE_SOURCE = "all";

/**
 * Checks the option `partitions`: the most partitions of a source.
 *
 * @throws {ConfigurationError} It is not a whole number from 1 to 10,000.
 */
export function partitionsOption(value: unknown, byDefault: number): number {
  return integerOption("partitions", value ?? byDefault, {
    minimum: 1,
    maximum: MOST_PARTITIONS,
    fix: `leave it out for at most ${byDefault}, or write 1 to read the source as one part`,
  });
}
