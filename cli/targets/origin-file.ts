import { existsSync } from "node:fs";
import type { Origin } from "../../local/state-directory.ts";
import { ConfigurationError } from "../../shared/base/errors.ts";

/**
 * The file with which a workflow was last run.
 *
 * @throws {ConfigurationError} The file was moved, renamed or deleted.
 */
export function fileOf({ file, workflow }: Origin): string {
  if (existsSync(file)) return file;
  throw new ConfigurationError(
    `the workflow "${workflow}" was run from ${file}, which does not exist any more: put the file back, or run the workflow ` +
      "from its new path with npx sluice run <path>. That command finds the run, and says how to continue it",
  );
}
