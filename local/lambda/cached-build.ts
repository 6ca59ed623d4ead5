import { hash } from "node:crypto";
import { basename, delimiter, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type BuildOptions, build, version } from "esbuild";
import type { BundleCache, BundleFiles } from "./bundle-cache.ts";
import { digestOf, inputsOf, mayHaveChangedSince } from "./bundle-inputs.ts";

/** What to build. The output files are returned and not written. */
export type CacheableBuildOptions = Omit<BuildOptions, "outdir" | "outfile" | "metafile" | "write" | "absWorkingDir">;

/** The versions that decide the output of a build. */
export interface Versions {
  readonly esbuild: string;
  readonly node: string;
}

/** The version of a cache entry's format. */
const CACHE_VERSION = 2;

/** esbuild writes the paths in source maps relative to this directory. It need not exist. */
const OUTPUT_DIRECTORY = "/sluice-bundles";

/**
 * Builds with esbuild, or returns the output of an earlier build if it would be the same. The key of an entry is a
 * digest of how it was built: the options and the versions of esbuild and Node. An entry is used only while no input has
 * changed. Commands in different directories share entries: all paths in the options must be absolute.
 *
 * @param onBuild Called before esbuild runs.
 * @throws {BuildFailure} The entry points do not bundle.
 * @example const files = await cachedBuild({ entryPoints: ["/app/main.ts"], bundle: true }, new BundleCache(".cache"));
 */
export async function cachedBuild(
  options: CacheableBuildOptions,
  cache: BundleCache,
  onBuild?: () => void,
): Promise<BundleFiles> {
  const key = keyOf(options);
  const cached = cache.read(key);
  if (cached !== undefined && cached.digest === digestOf(cached.inputs)) return cached.files;
  onBuild?.();
  const startedAt = Date.now();
  const { outputFiles, metafile } = await build({
    ...options,
    outdir: OUTPUT_DIRECTORY,
    // The inputs below are relative to it. The default is the directory in which the module of esbuild was loaded.
    absWorkingDir: process.cwd(),
    metafile: true,
    write: false,
  });
  const files = Object.fromEntries(
    outputFiles.map(({ path, contents }) => [
      basename(path),
      path.endsWith(".map") ? withAbsoluteSources(contents) : contents,
    ]),
  );
  const inputs = inputsOf(metafile, process.cwd());
  if (inputs !== undefined && !mayHaveChangedSince(inputs, startedAt)) {
    cache.write(key, { inputs, digest: digestOf(inputs), files });
  }
  return files;
}

/** The key of a cache entry. It covers everything that decides the output, except the content of files. */
export function keyOf(
  options: CacheableBuildOptions,
  versions: Versions = { esbuild: version, node: process.version },
): string {
  const recipe = {
    version: CACHE_VERSION,
    versions,
    options,
    // esbuild looks for packages in these directories too.
    nodePath: process.env.NODE_PATH?.split(delimiter).map((directory) => resolve(directory)),
  };
  return hash("sha256", JSON.stringify(recipe));
}

/** A bundle can be written anywhere, so its source map names its sources by URLs and not by relative paths. */
function withAbsoluteSources(contents: Uint8Array): Uint8Array {
  const map = JSON.parse(Buffer.from(contents).toString()) as { sources: readonly string[] };
  const sources = map.sources.map((source) => pathToFileURL(resolve(OUTPUT_DIRECTORY, source)).href);
  return Buffer.from(JSON.stringify({ ...map, sources }));
}
