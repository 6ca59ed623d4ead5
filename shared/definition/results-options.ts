import { ConfigurationError } from "../base/errors.ts";
import { rejectUnknownKeys, show } from "../base/options.ts";

/** The formats of a result set. */
export const RESULT_FORMATS = ["jsonl", "csv"] as const;
/** How a result set is stored. See `ResultsOptions.format`. */
export type ResultFormat = (typeof RESULT_FORMATS)[number];

/** The fields that each row of a result set can have in addition to the item's id and its result. */
export const INCLUDED_FIELDS = ["item", "attempts", "finishedAt"] as const;
/** A field that a row of a result set can have. See `ResultsOptions.include`. */
export type IncludedField = (typeof INCLUDED_FIELDS)[number];

/** How the results of a run are kept. */
export interface ResultsOptions {
  /**
   * `jsonl`: one line of JSON for each item that succeeded. `csv`: also as CSV, with one column for each field of the
   * results. Default `jsonl`.
   */
  readonly format?: ResultFormat;
  /**
   * What each row holds in addition to the item's id and its result: the `item`, the number of `attempts`, and when the
   * last attempt ended (`finishedAt`, ISO 8601). Default: nothing.
   */
  readonly include?: readonly IncludedField[];
}

/** The validated option. A run's row keeps the settings with which the run began. */
export interface ResultsSettings {
  readonly format: ResultFormat;
  readonly include: readonly IncludedField[];
}

/**
 * The option `results` of a workflow.
 *
 * @returns `undefined`: the workflow keeps no results.
 * @throws {ConfigurationError} An option is unknown or has another value.
 */
export function resultsSettings(options: boolean | ResultsOptions | undefined): ResultsSettings | undefined {
  if (options === undefined || options === false) return undefined;
  if (options === true) return { format: "jsonl", include: [] };
  rejectUnknownKeys(options, ["format", "include"], "results");
  const { format = "jsonl", include = [] } = options;
  if (!RESULT_FORMATS.includes(format)) {
    throw new ConfigurationError(
      `results.format must be ${RESULT_FORMATS.join(" or ")}, but is ${show(format)}: with jsonl, Parquet is one command ` +
        "away, see the guide to results",
    );
  }
  const wrong: unknown = Array.isArray(include) ? include.find((field) => !INCLUDED_FIELDS.includes(field)) : include;
  if (wrong !== undefined || new Set(include).size !== include.length) {
    throw new ConfigurationError(
      `results.include must be a list of ${INCLUDED_FIELDS.join(", ")}, each at most once, but is ${show(include)}`,
    );
  }
  // The order of the fields in a row does not depend on the order in the option.
  return { format, include: INCLUDED_FIELDS.filter((field) => include.includes(field)) };
}
