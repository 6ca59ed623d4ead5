import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, delimiter, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { BuildOptions, BuildResult, OutputFile } from "esbuild";
import type { BundleCache, CachedBundle } from "./bundle-cache.ts";
import { type BundleInputs, digestOf, fingerprintOf, inputsOf, mayHaveChangedSince } from "./bundle-inputs.ts";

/** What to build. The output files are returned and not written. */
export type CacheableBuildOptions = Omit<BuildOptions, "outdir" | "outfile" | "metafile" | "write" | "absWorkingDir">;

/** The versions that decide the output of a build. */
export interface Versions {
  readonly esbuild: string;
  readonly node: string;
}

/** What a builder makes. */
export interface Built {
  readonly outputFiles: readonly Pick<OutputFile, "path" | "contents">[];
  readonly metafile: NonNullable<BuildResult["metafile"]>;
  /** By name, the directories of the packages that the bundle imports and does not contain. */
  readonly packages?: Readonly<Record<string, string>>;
}

/** Makes a bundle. The default calls esbuild once. */
export type Builder = (options: BuildOptions & { metafile: true; write: false }) => Promise<Built>;

/** How to build. */
export interface CachedBuildSettings {
  /** Called before esbuild runs. It does not run if the cache has the bundle. */
  readonly onBuild?: (() => void) | undefined;
  readonly builder?: Builder;
  /** Called with what the bundle was made of, whether it was built or came from the cache. Not called if that is not known. */
  readonly onInputs?: ((inputs: BundleInputs) => void) | undefined;
}

/** A bundle, and what it was made of if that is known for certain. */
export interface BuiltBundle extends Pick<CachedBundle, "files" | "packages"> {
  readonly inputs?: BundleInputs;
  /** The fingerprint of the inputs from which it was made. */
  readonly fingerprint?: string;
}

/** The version of a cache entry's format. */
const CACHE_VERSION = 4;

/** esbuild writes the paths in source maps relative to this directory. It need not exist. */
const OUTPUT_DIRECTORY = "/sluice-bundles";

// esbuild is loaded only if something must be built. Loading it takes 10 ms.
const buildOnce: Builder = async (options) => await (await import("esbuild")).build(options);

/**
 * Builds with esbuild, or returns the output of an earlier build if it would be the same. The key of an entry is a
 * digest of how it was built: the options and the versions of esbuild and Node. An entry is used only while no input has
 * changed. Commands in different directories share entries: all paths in the options must be absolute.
 *
 * @throws {BuildFailure} The entry points do not bundle.
 * @example const { files } = await cachedBuild({ entryPoints: ["/app/main.ts"], bundle: true }, new BundleCache(".cache"));
 */
export async function cachedBuild(
  options: CacheableBuildOptions,
  cache: BundleCache,
  { onBuild, onInputs, builder = buildOnce }: CachedBuildSettings = {},
): Promise<BuiltBundle> {
  const key = keyOf(options);
  const cached = cache.read(key);
  const current = cached && currentOf(key, cached, cache);
  if (current !== undefined) {
    onInputs?.(current.inputs);
    return current;
  }
  onBuild?.();
  const startedAt = Date.now();
  const {
    outputFiles,
    metafile,
    packages = {},
  } = await builder({
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
  let known: { readonly inputs: BundleInputs; readonly fingerprint: string } | undefined;
  if (inputs !== undefined) {
    onInputs?.(inputs);
    const fingerprint = fingerprintOf(inputs);
    if (!mayHaveChangedSince(inputs, startedAt)) {
      known = { inputs, fingerprint };
      cache.write(key, { inputs, digest: digestOf(inputs), fingerprint, packages, files });
    }
  }
  return { files, packages, ...known };
}

/** The entry with the fingerprint that its inputs have now; `undefined` if it is outdated. */
function currentOf(key: string, cached: CachedBundle, cache: BundleCache): CachedBundle | undefined {
  const { inputs } = cached;
  const fingerprint = fingerprintOf(inputs);
  if (cached.fingerprint === fingerprint) return cached;
  const now = Date.now();
  if (cached.digest !== digestOf(inputs)) return undefined;
  const current = { ...cached, fingerprint };
  // The files were written again with the same content, as `npm ci` does.
  if (!mayHaveChangedSince(inputs, now)) cache.write(key, current);
  return current;
}

const installedVersion = (): string => {
  const manifest = createRequire(import.meta.url).resolve("esbuild/package.json");
  return (JSON.parse(readFileSync(manifest, "utf8")) as { readonly version: string }).version;
};

/** The key of a cache entry. It covers everything that decides the output, except the content of files. */
export function keyOf(
  options: CacheableBuildOptions,
  versions: Versions = { esbuild: installedVersion(), node: process.version },
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
