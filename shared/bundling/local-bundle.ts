import { hash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Loader, Metafile } from "esbuild";
import { isBuildFailure } from "./build-error.ts";
import { COMMON_ALIASES, COMMON_OPTIONS, localTarget } from "./build-options.ts";
import { BundleCache, type BundleFiles } from "./bundle-cache.ts";
import { fingerprintOf, statusPathsOf } from "./bundle-inputs.ts";
import { cacheDirectory } from "./cache-directory.ts";
import { type Builder, type CachedBuildSettings, cachedBuild } from "./cached-build.ts";
import { nativePackages } from "./native-packages.ts";
import { noteReady } from "./ready-module.ts";

/** Bundled modules that are kept. The one that was written longest ago is removed first. */
const MAXIMUM_MODULES = 60;

/** What to bundle besides the entry. */
export interface LocalBundleOptions {
  /** Import paths and the files that they stand for. */
  readonly alias?: Readonly<Record<string, string>>;
  /**
   * Whether all packages are linked beside the bundle instead of being bundled. Packages that read files of their own need
   * this. Default false.
   */
  readonly linksPackages?: boolean;
  readonly onInputs?: CachedBuildSettings["onInputs"];
}

const MODULE = "module.mjs";

/**
 * Bundles a file with everything that it imports, so that this process can import it: esbuild understands more than Node,
 * such as aliases of `tsconfig.json`, imports without extensions, and enums. Packages with native code are not bundled. They
 * are linked beside the bundle.
 *
 * @returns The path of the bundle. Another content has another path, so that Node never takes an earlier one from memory.
 * @throws {BuildFailure} The file does not bundle.
 * @example await import(pathToFileURL(await localBundle("/app/workflows/cities.ts")).href);
 */
export async function localBundle(
  entry: string,
  { alias = {}, linksPackages = false, onInputs }: LocalBundleOptions = {},
): Promise<string> {
  const root = cacheDirectory() ?? mkdtempSync(join(tmpdir(), "sluice-bundles-"));
  const { files, packages, inputs, fingerprint } = await cachedBuild(
    {
      ...COMMON_OPTIONS,
      target: localTarget(),
      alias: { ...COMMON_ALIASES, ...alias },
      entryPoints: [{ in: entry, out: "module" }],
      outExtension: { ".js": ".mjs" },
      ...(linksPackages && { packages: "external" }),
    },
    new BundleCache(root),
    { builder: linksPackages ? withoutPackages : withoutNativeCode, onInputs },
  );
  const module = written(join(root, "modules"), files, packages);
  if (inputs !== undefined && fingerprint !== undefined) {
    const paths = [...statusPathsOf(inputs), ...ownFiles()];
    noteReady({ entry, alias, linksPackages }, module, {
      paths,
      isCurrent: () => fingerprintOf(inputs) === fingerprint,
    });
  }
  return module;
}

/** The files that decide how bundles are made. Another version of Sluice or of esbuild makes other bundles. */
function ownFiles(): readonly string[] {
  const here = dirname(fileURLToPath(import.meta.url));
  const own = readdirSync(here).map((name) => join(here, name));
  return [...own, createRequire(import.meta.url).resolve("esbuild/package.json")];
}

/** Builds twice if the first bundle contains packages with native code: the second one does not. */
const withoutNativeCode: Builder = async (options) => {
  const { build } = await import("esbuild");
  const loader: Record<string, Loader> = { ".node": "empty" };
  const first = await build({ ...options, loader }).catch((thrown: unknown) => {
    // The workflow's `bundling.loader` is not known yet. Its functions are bundled with it.
    for (const extension of withoutLoader(thrown)) loader[extension] = "text";
    if (Object.keys(loader).length === 1) throw thrown;
    return build({ ...options, loader });
  });
  const native = nativePackages(first.metafile, options.absWorkingDir ?? process.cwd());
  if (native.length === 0) return first;
  const { outputFiles, metafile } = await build({
    ...options,
    loader,
    external: [...(options.external ?? []), ...native.map(({ name }) => name)],
  });
  return {
    outputFiles,
    metafile,
    packages: Object.fromEntries(native.map(({ name, directory }) => [name, directory])),
  };
};

/** The extensions for which a build had no loader. */
const withoutLoader = (thrown: unknown): readonly string[] =>
  isBuildFailure(thrown)
    ? thrown.errors.flatMap(({ text }) => /^No loader is configured for "(\.[^"]+)" files/.exec(text)?.[1] ?? [])
    : [];

const withoutPackages: Builder = async (options) => {
  const { build } = await import("esbuild");
  const { outputFiles, metafile } = await build(options);
  return { outputFiles, metafile, packages: externalPackages(metafile, options.absWorkingDir ?? process.cwd()) };
};

/** The directories of the packages that a bundle imports and does not contain, by name. */
function externalPackages({ inputs }: Metafile, directory: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [path, { imports }] of Object.entries(inputs)) {
    for (const { path: imported, external } of imports) {
      if (external !== true || isBuiltin(imported)) continue;
      const [name] = /^(@[^/]+\/)?[^/]+/.exec(imported) ?? [];
      const root = name === undefined ? undefined : installedFor(dirname(resolve(directory, path)), name);
      if (name !== undefined && root !== undefined) found[name] = root;
    }
  }
  return found;
}

/** Where a package is that a module in a directory imports. */
export function installedFor(directory: string, name: string): string | undefined {
  const candidates = createRequire(join(directory, "module.js")).resolve.paths(name) ?? [];
  const found = candidates.map((folder) => join(folder, name)).find((folder) => existsSync(folder));
  return found === undefined ? undefined : realpathSync(found);
}

/** Writes a bundle into a directory that is named after its content, unless it is there. */
function written(root: string, files: BundleFiles, packages: Readonly<Record<string, string>>): string {
  const content = hash("sha256", Buffer.concat([...Object.values(files), Buffer.from(JSON.stringify(packages))]));
  const directory = join(root, content.slice(0, 32));
  const module = join(directory, MODULE);
  if (existsSync(module)) return module;
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const draft = mkdtempSync(join(root, "draft-"));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(draft, name), bytes);
  linkPackages(draft, packages);
  try {
    renameSync(draft, directory);
  } catch (error) {
    // Another process has written the same bundle.
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(module)) throw error;
  }
  removeOldest(root);
  return module;
}

/** Links packages beside a bundle, so that Node finds them from there. */
export function linkPackages(directory: string, packages: Readonly<Record<string, string>>): void {
  for (const [name, target] of Object.entries(packages)) {
    const link = join(directory, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    rmSync(link, { recursive: true, force: true });
    // On Windows, links to directories need no rights if they are junctions.
    symlinkSync(target, link, "junction");
  }
}

function removeOldest(root: string): void {
  const all = readdirSync(root).map((name) => {
    const path = join(root, name);
    return { path, writtenAt: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 };
  });
  for (const { path } of all.sort((a, b) => b.writtenAt - a.writtenAt).slice(MAXIMUM_MODULES)) {
    rmSync(path, { recursive: true, force: true });
  }
}
