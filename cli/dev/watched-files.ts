import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, resolve, sep } from "node:path";
import type { BuildFailure } from "esbuild";
import { isBuildFailure } from "../../shared/bundling/build-error.ts";
import { type BundleInputs, digestOf } from "../../shared/bundling/bundle-inputs.ts";

/** The files of the user that decide what a version is. Plain JSON. */
export interface WatchedFiles {
  /** Files whose content counts, also if they do not exist. */
  readonly files: readonly string[];
  /** By directory, the names of modules: another file of such a name can change which file an import finds. */
  readonly names: Readonly<Record<string, readonly string[]>>;
  /** Directories of which each new and each removed file counts, because an import found no file there. */
  readonly listings: readonly string[];
}

const CONFIGURATION = new Set(["package.json", "tsconfig.json", "jsconfig.json"]);

/** What is installed changes with the lockfile, and its many folders would need many watchers. */
const isInstalled = (path: string): boolean => `${path}${sep}`.includes(`${sep}node_modules${sep}`);

/**
 * The files of the user among the inputs of bundles.
 *
 * @param root The root of the project. Configuration files above it count only if they exist.
 */
export function watchedOf(inputs: readonly BundleInputs[], root: string): WatchedFiles {
  const counts = (file: string) =>
    !isInstalled(file) && (!CONFIGURATION.has(basename(file)) || `${file}${sep}`.startsWith(root) || existsSync(file));
  const names = inputs.flatMap((each) => Object.entries(each.names)).filter(([directory]) => !isInstalled(directory));
  return {
    files: distinct(inputs.flatMap(({ files }) => files.filter(counts))),
    names: Object.fromEntries(
      Object.entries(Object.groupBy(names, ([directory]) => directory)).map(([directory, entries = []]) => [
        directory,
        distinct(entries.flatMap(([, known]) => known)),
      ]),
    ),
    listings: [],
  };
}

/** All files of several sets. */
export function unionOf(sets: readonly WatchedFiles[]): WatchedFiles {
  return {
    files: distinct(sets.flatMap(({ files }) => files)),
    names: Object.assign({}, ...sets.map(({ names }) => names)),
    listings: distinct(sets.flatMap(({ listings }) => listings)),
  };
}

/** The files that an error of a build names, and the directories in which an import found no file. */
export function watchedOfError(error: unknown, directory: string): WatchedFiles {
  const failure = buildFailureIn(error);
  const located = (failure?.errors ?? []).flatMap(({ text, location }) =>
    location === null ? [] : [{ text, file: resolve(directory, location.file) }],
  );
  const listings = located.flatMap(({ text, file }) => {
    const specifier = /^Could not resolve "(?<specifier>\.[^"]*)"/.exec(text)?.groups?.specifier;
    return specifier === undefined ? [] : [nearestDirectory(dirname(resolve(dirname(file), specifier)))];
  });
  return { files: distinct(located.map(({ file }) => file)), names: {}, listings: distinct(listings) };
}

function buildFailureIn(error: unknown): BuildFailure | undefined {
  if (isBuildFailure(error)) return error;
  return error instanceof Error && error.cause !== undefined ? buildFailureIn(error.cause) : undefined;
}

function nearestDirectory(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true || dirname(path) === path) return path;
  return nearestDirectory(dirname(path));
}

/** The state of the files on disk. While it is the same, a new version would be the same. */
export function stateOf({ files, names, listings }: WatchedFiles): string {
  return [digestOf({ files, names, packages: {} }), ...listings.map(listed)].join("\n");
}

/** The files of a directory, without those that editors write for themselves. */
function listed(directory: string): string {
  try {
    return readdirSync(directory)
      .filter((name) => !name.startsWith(".") && !name.endsWith("~") && !/^\d+$/.test(name))
      .sort()
      .join("/");
  } catch {
    return "absent";
  }
}

/** The directories whose events tell that a file may have changed. A directory that does not exist is left out. */
export function directoriesOf({ files, names, listings }: WatchedFiles): readonly string[] {
  const all = [...files.map((file) => dirname(file)), ...Object.keys(names), ...listings];
  return distinct(all.map(nearestDirectory)).filter((directory) => !isInstalled(directory));
}

const distinct = <Value>(values: readonly Value[]): Value[] => [...new Set(values)];
