import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bundleOptions, entryOf, FUNCTIONS, type FunctionName } from "../../infra/bundling.ts";
import { buildError } from "../../shared/bundling/build-error.ts";
import { localTarget } from "../../shared/bundling/build-options.ts";
import { BundleCache, type BundleFiles } from "../../shared/bundling/bundle-cache.ts";
import { cacheDirectory } from "../../shared/bundling/cache-directory.ts";
import { type CachedBuildSettings, cachedBuild } from "../../shared/bundling/cached-build.ts";
import { externalDirectories } from "../../shared/bundling/external-directories.ts";
import { linkPackages } from "../../shared/bundling/local-bundle.ts";
import { refuseNativeCode } from "../../shared/bundling/refuse-native-code.ts";
import { type BundlingSettings, bundlingSettings } from "../../shared/definition/bundling-options.ts";

/** How to bundle. */
export interface BundleOptions {
  /** Where bundles are kept for later calls. By default a directory in `node_modules/.cache`. */
  readonly cache?: BundleCache;
  /** Called before esbuild runs. It does not run if the cache has the bundles. */
  readonly onBuild?: () => void;
  /** The workflow's option. */
  readonly bundling?: BundlingSettings | undefined;
  readonly onInputs?: CachedBuildSettings["onInputs"];
}

/** The file of each function's bundle, and a digest of the bundles. */
export type FunctionBundles = Readonly<Record<FunctionName, string>> & { readonly codeVersion: string };

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
  {
    cache = new BundleCache(cacheDirectory() ?? join(directory, "cache")),
    onBuild,
    onInputs,
    bundling = bundlingSettings(),
  }: BundleOptions = {},
): Promise<FunctionBundles> {
  let files: BundleFiles;
  try {
    ({ files } = await cachedBuild(
      {
        ...bundleOptions(workflowFile, bundling),
        target: localTarget(),
        // One build of both functions parses their common modules once.
        entryPoints: FUNCTIONS.map((name) => ({ in: entryOf(name), out: name })),
        outExtension: { ".js": ".mjs" },
      },
      cache,
      {
        onBuild,
        onInputs,
        builder: async (build) => {
          const { outputFiles, metafile } = await (await import("esbuild")).build(build);
          refuseNativeCode(metafile, workflowFile, process.cwd());
          return { outputFiles, metafile };
        },
      },
    ));
  } catch (thrown) {
    throw await buildError(workflowFile, thrown);
  }
  mkdirSync(directory, { recursive: true });
  linkPackages(directory, externalDirectories(workflowFile, bundling));
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
