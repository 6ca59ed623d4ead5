import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildFailure, formatMessages } from "esbuild";
import { bundleOptions, entryOf, FUNCTIONS, type FunctionName } from "../../infra/bundling.ts";
import { ConfigurationError } from "../../shared/base/errors.ts";
import { BundleCache, type BundleFiles } from "./bundle-cache.ts";
import { cachedBuild } from "./cached-build.ts";

/** How to bundle. */
export interface BundleOptions {
  /** Where bundles are kept for later calls. By default a directory in `node_modules/.cache`. */
  readonly cache?: BundleCache;
  /** Called before esbuild runs. It does not run if the cache has the bundles. */
  readonly onBuild?: () => void;
}

const fileOf = (name: FunctionName) => `${name}.mjs`;

/**
 * Bundles the functions of a workflow into a directory, and returns each one's file. If nothing that the bundles are made
 * of has changed since an earlier call, they come from a cache.
 *
 * @throws {ConfigurationError} The workflow, or a module that it imports, does not bundle.
 * @example const { producer, consumer } = await bundleFunctions("/app/workflows/cities.ts", ".sluice/cities/bundles");
 */
export async function bundleFunctions(
  workflowFile: string,
  directory: string,
  { cache = new BundleCache(cacheDirectory() ?? join(directory, "cache")), onBuild }: BundleOptions = {},
): Promise<Record<FunctionName, string> & { readonly codeVersion: string }> {
  let files: BundleFiles;
  try {
    files = await cachedBuild(
      {
        ...bundleOptions(workflowFile),
        // One build of both functions parses their common modules once.
        entryPoints: FUNCTIONS.map((name) => ({ in: entryOf(name), out: name })),
        outExtension: { ".js": ".mjs" },
      },
      cache,
      onBuild,
    );
  } catch (cause) {
    if (!(cause instanceof Error && "errors" in cause)) throw cause;
    const messages = await formatMessages((cause as BuildFailure).errors, { kind: "error" });
    throw new ConfigurationError(`${workflowFile} cannot be bundled:\n${messages.join("\n")}`, { cause });
  }
  mkdirSync(directory, { recursive: true });
  await Promise.all(Object.entries(files).map(([name, content]) => writeFile(join(directory, name), content)));
  return {
    producer: join(directory, fileOf("producer")),
    consumer: join(directory, fileOf("consumer")),
    codeVersion: versionOf(files),
  };
}

const VERSION_LENGTH = 12;

/** A digest of the bundles, which contain the workflow and Sluice. */
function versionOf(files: BundleFiles): string {
  const hash = createHash("sha256");
  for (const name of Object.keys(files).sort()) hash.update(files[name] ?? "");
  return hash.digest("hex").slice(0, VERSION_LENGTH);
}

/**
 * Where bundles are kept: in the `node_modules` in which Sluice is installed, as other build tools do.
 *
 * @returns `undefined` if that directory cannot be written.
 */
function cacheDirectory(): string | undefined {
  const here = fileURLToPath(import.meta.url);
  const installed = here.lastIndexOf(`${sep}node_modules${sep}`);
  const root = installed < 0 ? packageRoot(dirname(here)) : here.slice(0, installed);
  const directory = join(root, "node_modules", ".cache", "sluice", "bundles");
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    accessSync(directory, constants.R_OK | constants.W_OK);
    return directory;
  } catch {
    return undefined;
  }
}

/** The nearest directory with a `package.json`. */
function packageRoot(directory: string): string {
  const parent = dirname(directory);
  return existsSync(join(directory, "package.json")) || parent === directory ? directory : packageRoot(parent);
}
