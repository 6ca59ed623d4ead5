import { dirname } from "node:path";
import { ConfigurationError } from "../base/errors.ts";
import { type BundlingSettings, packagesOutside } from "../definition/bundling-options.ts";
import { installedFor } from "./local-bundle.ts";
import { installCommand } from "./package-manager.ts";

/**
 * Where the packages are installed here that a workflow's bundle does not contain, by name.
 *
 * @throws {ConfigurationError} A package is not installed.
 */
export function externalDirectories(
  workflowFile: string,
  bundling: BundlingSettings,
): Readonly<Record<string, string>> {
  const from = dirname(workflowFile);
  return Object.fromEntries(
    packagesOutside(bundling).map((name) => {
      const found = installedFor(from, name);
      if (found !== undefined) return [name, found];
      throw new ConfigurationError(
        `${workflowFile}: the package "${name}" of bundling is not installed. Install it with: ${installCommand(from, name)}`,
      );
    }),
  );
}
