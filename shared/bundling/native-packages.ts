import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import type { Metafile } from "esbuild";

/** A package that loads native code from a file beside its modules. A bundle cannot contain this file. */
export interface NativePackage {
  readonly name: string;
  readonly version: string;
  /** The directory in which it is installed. */
  readonly directory: string;
  /** Whether all packages that import it can do without it. */
  readonly isOptional: boolean;
}

/** What a `package.json` says. */
export interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** Packages with native code for one platform name the platform, such as `@img/sharp-linux-arm64`. */
export const OF_A_PLATFORM = /(linux|linuxmusl|darwin|win32|freebsd|android)[-_](x64|arm64|arm|ia32|universal)/;

/** These find and load the native code of the package that depends on them. */
const LOADERS = [
  "bindings",
  "node-gyp-build",
  "node-gyp-build-optional-packages",
  "@mapbox/node-pre-gyp",
  "prebuild-install",
  "node-addon-api",
];

/**
 * The packages of a bundle that load native code.
 *
 * @param directory The working directory of the build: esbuild's paths are relative to it.
 */
export function nativePackages({ inputs }: Metafile, directory: string): readonly NativePackage[] {
  const roots = new Map<string, string | undefined>();
  const rootOf = (path: string): string | undefined => {
    const folder = dirname(resolve(directory, path));
    if (!roots.has(folder)) roots.set(folder, packageRoot(folder));
    return roots.get(folder);
  };
  const withNativeFile = new Set<string>();
  const importers = new Map<string, Set<string>>();
  for (const [path, { imports }] of Object.entries(inputs)) {
    const root = rootOf(path);
    if (root !== undefined && path.endsWith(".node")) withNativeFile.add(root);
    for (const { path: imported, external } of imports) {
      if (external === true) continue;
      const target = rootOf(imported);
      if (target === undefined || target === root) continue;
      const known = importers.get(target) ?? new Set();
      importers.set(target, known.add(root ?? ""));
    }
  }
  return [...new Set([...roots.values()])].flatMap((root) => {
    if (root === undefined || !isInstalled(root)) return [];
    const manifest = manifestOf(root);
    const { name, version } = manifest;
    if (name === undefined || version === undefined) return [];
    if (!withNativeFile.has(root) && !hasNativeCode(root, manifest)) return [];
    const by = [...(importers.get(root) ?? [])];
    const isOptional = by.length > 0 && by.every((importer) => importer !== "" && canDoWithout(importer, name));
    return [{ name, version, directory: root, isOptional }];
  });
}

/** The nearest directory whose `package.json` has a name: `package.json` files that only set the type have none. */
function packageRoot(folder: string): string | undefined {
  if (manifestOf(folder).name !== undefined) return folder;
  const parent = dirname(folder);
  return parent === folder ? undefined : packageRoot(parent);
}

const isInstalled = (root: string): boolean => root.includes(`${sep}node_modules${sep}`);

/** Whether a package in this directory needs native code, from its own files or from a package of a platform. */
export function hasNativeCode(root: string, { dependencies = {}, optionalDependencies = {} }: Manifest): boolean {
  return (
    Object.keys(optionalDependencies).some((name) => OF_A_PLATFORM.test(name)) ||
    LOADERS.some((name) => name in dependencies) ||
    existsSync(join(root, "binding.gyp")) ||
    ["prebuilds", join("build", "Release")].some((folder) => hasNodeFile(join(root, folder)))
  );
}

function hasNodeFile(folder: string): boolean {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" }).some((file) => file.endsWith(".node"));
  } catch {
    return false;
  }
}

function canDoWithout(importer: string, name: string): boolean {
  const { optionalDependencies = {}, peerDependenciesMeta = {} } = manifestOf(importer);
  return name in optionalDependencies || peerDependenciesMeta[name]?.optional === true;
}

/** The `package.json` of a directory; empty if there is none. */
export function manifestOf(folder: string): Manifest {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
  } catch {
    return {};
  }
}

/** A path as people read it: relative to the working directory if that is shorter. */
export function shortPath(path: string): string {
  const below = relative(process.cwd(), path);
  return below.length < path.length ? below : path;
}
