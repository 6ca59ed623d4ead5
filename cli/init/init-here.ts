import { createRequire } from "node:module";
import { InitError } from "../../create-sluice/init-error.ts";
import { runInit } from "../../create-sluice/run-init.ts";
import { ConfigurationError } from "../../shared/base/errors.ts";
import type { InitCommandOptions } from "../commands/init.ts";

/** `sluice init`. */
export async function initHere(folder: string | undefined, options: InitCommandOptions): Promise<void> {
  // A project that has Sluice keeps the version that it has.
  const { version }: { readonly version: string } = createRequire(import.meta.url)("sluice/package.json");
  try {
    process.exitCode = await runInit({ ...options, folder }, `^${version}`);
  } catch (thrown) {
    if (thrown instanceof InitError) throw new ConfigurationError(thrown.message, { cause: thrown });
    throw thrown;
  }
}
