import { ConfigurationError } from "../base/errors.ts";
import { show } from "../base/options.ts";

/**
 * Checks the option `region` of a source.
 *
 * @throws {ConfigurationError} The value is not the name of a region.
 */
export function regionOption(region: unknown): { readonly region?: string } {
  if (region === undefined) return {};
  if (typeof region === "string" && /^[a-z]{2,}(?:-[a-z0-9]+)+$/.test(region)) return { region };
  throw new ConfigurationError(`region must be the name of a region, but is ${show(region)}: write "eu-central-1"`);
}
