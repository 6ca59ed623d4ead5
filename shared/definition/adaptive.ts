import { booleanOption, rejectUnknownKeys } from "../base/options.ts";

/** Which signals the search for the service's limit uses. */
export interface AdaptiveOptions {
  /**
   * Whether a service that becomes slow lowers the limit, too: the fleet then keeps the latency near the best that it has seen.
   * Use it for a service that never refuses and only becomes slower under load. Default `false`.
   */
  readonly latency?: boolean;
}

/** Whether and how the fleet looks for the limit of the service. */
export interface AdaptiveSearch {
  /** Whether the fleet lowers its limit when the service refuses attempts, and looks for a higher limit later. */
  readonly search: boolean;
  readonly latency: boolean;
}

/**
 * The option with every default filled in.
 *
 * @throws {ConfigurationError} The value is neither `false`, `true` nor an object of options, or an option is unknown.
 */
export function adaptiveSearch(options: boolean | AdaptiveOptions = true): AdaptiveSearch {
  if (typeof options === "boolean") return { search: options, latency: false };
  rejectUnknownKeys(options, ["latency"], "adaptive");
  return { search: true, latency: booleanOption("adaptive.latency", options.latency ?? false) };
}
