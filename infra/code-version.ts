import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { buildSync } from "esbuild";
import type { BundlingSettings } from "../shared/definition/bundling-options.ts";
import { bundleOptions } from "./bundling.ts";

/** The manifest is found by the package's name, because the compiled file lies in another directory. */
const { version }: { readonly version: string } = createRequire(import.meta.url)("sluice/package.json");

const VERSION_LENGTH = 12;

/**
 * The version of a workflow's code: a digest of the workflow with everything that it imports, and of the version of Sluice.
 * Both functions of a stack get the same version.
 */
export function codeVersion(workflowFile: string, bundling?: BundlingSettings): string {
  const options = { ...bundleOptions(workflowFile, bundling), sourcemap: false, banner: {} } as const;
  const { outputFiles } = buildSync({ ...options, entryPoints: [workflowFile], write: false });
  const hash = createHash("sha256").update(version);
  for (const { contents } of outputFiles) hash.update(contents);
  return hash.digest("hex").slice(0, VERSION_LENGTH);
}
