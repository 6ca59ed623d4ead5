import { createHash, hash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { basename, dirname, extname, isAbsolute, join, resolve, sep } from "node:path";
import type { Metafile } from "esbuild";

/** Everything on disk that decides what esbuild makes of an entry point. All paths are absolute. */
export interface BundleInputs {
  /**
   * Files whose content counts: the modules in the bundle, and every `package.json` and `tsconfig.json` beside or above
   * one of them. A configuration file that does not exist counts too, because it could be added.
   */
  readonly files: readonly string[];
  /**
   * By directory, the names (without extension) of the modules in it. Another file of one of these names can change
   * which file an import finds: `page.ts` is found before `page.js`, and `page.ts` before `page/index.ts`.
   */
  readonly names: Readonly<Record<string, readonly string[]>>;
  /**
   * By directory, the packages for which esbuild looked in its `node_modules`. The list is empty where the directory has
   * no `node_modules`.
   */
  readonly packages: Readonly<Record<string, readonly string[]>>;
  /** Those of `files` that lie in `node_modules` and have no code in the bundle. */
  readonly unused: readonly string[];
}

/** https://esbuild.github.io/content-types/#tsconfig-json */
const CONFIGURATION_FILES = ["package.json", "tsconfig.json", "jsconfig.json"];

/** Timestamps of files come from a clock that may be this much behind `Date.now()`. */
const CLOCK_MILLISECONDS = 20;

/**
 * Lists the inputs of a bundle.
 *
 * @param directory The working directory of the build: esbuild's paths are relative to it.
 * @returns `undefined` if an input is not a plain file, or if a `tsconfig.json` extends a file that cannot be found. Then
 *   there is no way to tell whether the bundle would still be the same.
 */
export function inputsOf({ inputs, outputs }: Metafile, directory: string): BundleInputs | undefined {
  const used = new Set(
    Object.values(outputs).flatMap((output) =>
      Object.entries(output.inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
    ),
  );
  const unused: string[] = [];
  const files = new Set<string>();
  const names = new SetsByKey();
  const packages = new SetsByKey();
  for (const [path, { imports }] of Object.entries(inputs)) {
    const file = resolve(directory, path);
    if (!isFile(file)) return undefined;
    files.add(file);
    if (!used.has(path) && isInstalled(file)) unused.push(file);
    addNames(names, file);
    const ancestors = ancestorsOf(dirname(file));
    for (const ancestor of ancestors) {
      for (const name of CONFIGURATION_FILES) files.add(join(ancestor, name));
    }
    for (const { path: resolved, original = resolved, external } of imports) {
      const name = packageNameOf(original, external === true);
      if (name === undefined) continue;
      for (const ancestor of ancestors) if (basename(ancestor) !== "node_modules") packages.add(ancestor, name);
    }
  }
  for (const file of [...files].filter((each) => basename(each).endsWith("config.json"))) {
    if (!addExtended(files, file)) return undefined;
  }
  return {
    files: [...files],
    unused,
    names: names.toRecord(),
    packages: Object.fromEntries(
      Object.entries(packages.toRecord()).map(([ancestor, found]) => [
        ancestor,
        isDirectory(join(ancestor, "node_modules")) ? found : [],
      ]),
    ),
  };
}

/** The state of the inputs on disk. Two equal digests mean that esbuild makes the same bundle. */
export function digestOf({ files, names, packages }: Omit<BundleInputs, "unused">): string {
  const digest = createHash("sha256");
  for (const file of files) {
    const content = contentOf(file);
    digest.update(content === undefined ? "absent\n" : `${content.byteLength}\n`);
    if (content !== undefined) digest.update(content);
  }
  for (const [directory, known] of Object.entries(names)) digest.update(`${namesakes(directory, known).join("/")}\n`);
  for (const [directory, known] of Object.entries(packages)) {
    const root = join(directory, "node_modules");
    const found = isDirectory(root) ? known.map((name) => realPathOf(join(root, name))) : ["none"];
    digest.update(`${found.join("\n")}\n`);
  }
  return digest.digest("hex");
}

/**
 * The sizes and times of the inputs. Two equal fingerprints mean that no input has changed, if none of them changed in the
 * moments before the first fingerprint: see `mayHaveChangedSince`. Reading sizes and times takes a tenth of the CPU time of
 * `digestOf`.
 */
export function fingerprintOf({ files, names, packages }: BundleInputs): string {
  let text = "";
  const add = (status: Stats | undefined) => {
    text +=
      status === undefined ? "-" : `${status.size} ${status.mtimeMs} ${status.ctimeMs} ${status.ino} ${status.dev}\n`;
  };
  for (const file of files) add(statSync(file, { throwIfNoEntry: false }));
  // The times of a directory change when an entry is added, renamed or removed.
  for (const directory of Object.keys(names)) add(statSync(directory, { throwIfNoEntry: false }));
  for (const [directory, known] of Object.entries(packages)) {
    const root = join(directory, "node_modules");
    add(lstatSync(root, { throwIfNoEntry: false }));
    for (const name of known) add(lstatSync(join(root, name), { throwIfNoEntry: false }));
  }
  return hash("sha256", text);
}

const isInstalled = (path: string): boolean => path.includes(`${sep}node_modules${sep}`);

/**
 * The paths to look at to find out whether an input has changed. They are a sixth of the paths that `fingerprintOf` reads:
 *
 * - The times of a directory also tell that no configuration file was added to it.
 * - Of an installed package, its `package.json` and the modules in the bundle count. A package manager that installs another
 *   version replaces these files. An edit by hand of a module of a package that is not in the bundle is not noticed.
 */
export function statusPathsOf({ files, names, packages, unused }: BundleInputs): readonly string[] {
  const directories = new Set(Object.keys(names).filter((directory) => !isInstalled(`${directory}${sep}`)));
  const ignored = new Set(unused);
  const found = files.filter((file) => {
    if (ignored.has(file)) return false;
    return (!isInstalled(file) && !directories.has(dirname(file))) || existsSync(file);
  });
  const installed = Object.entries(packages).flatMap(([directory, known]) => {
    const root = join(directory, "node_modules");
    return [root, ...known.map((name) => join(root, name))];
  });
  return [...new Set([...found, ...directories, ...installed])];
}

/**
 * Says whether an input may have changed since a time. If so, the bundle may have been made from the old content, while
 * a digest would describe the new content.
 *
 * @param time In milliseconds since 1970.
 */
export function mayHaveChangedSince({ files, names, packages }: BundleInputs, time: number): boolean {
  const paths = [
    ...files,
    ...Object.entries(names).flatMap(([directory, known]) =>
      namesakes(directory, known).map((name) => join(directory, name)),
    ),
    ...Object.entries(packages).flatMap(([directory, known]) => {
      const root = join(directory, "node_modules");
      return known.length === 0 ? [root] : known.map((name) => join(root, name));
    }),
  ];
  return paths.some((path) => {
    const status = lstatSync(path, { throwIfNoEntry: false });
    return status !== undefined && status.ctimeMs > time - CLOCK_MILLISECONDS;
  });
}

class SetsByKey {
  readonly #sets = new Map<string, Set<string>>();

  add(key: string, value: string): void {
    const values = this.#sets.get(key);
    if (values === undefined) this.#sets.set(key, new Set([value]));
    else values.add(value);
  }

  toRecord(): Record<string, string[]> {
    return Object.fromEntries([...this.#sets].map(([key, values]) => [key, [...values]]));
  }
}

function addNames(names: SetsByKey, file: string): void {
  const directory = dirname(file);
  const name = basename(file, extname(file));
  names.add(directory, name);
  if (name === "index") names.add(dirname(directory), basename(directory));
}

/** A directory and all above it. */
function ancestorsOf(directory: string): string[] {
  const parent = dirname(directory);
  return parent === directory ? [directory] : [directory, ...ancestorsOf(parent)];
}

/** The package that an import names; `undefined` if it names a file or a module of Node. */
function packageNameOf(specifier: string, external: boolean): string | undefined {
  if (/^[./#<]/.test(specifier) || isAbsolute(specifier) || (external && isBuiltin(specifier))) return undefined;
  const [first = "", second = ""] = specifier.split("/");
  return first.startsWith("@") ? `${first}/${second}` : first;
}

/** Adds what a `tsconfig.json` extends. @returns whether all of it was found. */
function addExtended(files: Set<string>, file: string): boolean {
  const text = contentOf(file)?.toString() ?? "";
  // The file may have comments and trailing commas, so it cannot be parsed as JSON.
  const list = /"extends"\s*:\s*(?<value>"[^"]*"|\[[^\]]*\])/.exec(text)?.groups?.value ?? "";
  for (const [, specifier = ""] of list.matchAll(/"([^"]*)"/g)) {
    const extended = resolveExtended(file, specifier);
    if (extended === undefined) return false;
    if (files.has(extended)) continue;
    files.add(extended);
    if (!addExtended(files, extended)) return false;
  }
  return true;
}

function resolveExtended(file: string, specifier: string): string | undefined {
  const suffixes = ["", ".json", "/tsconfig.json"];
  if (/^[./]/.test(specifier) || isAbsolute(specifier)) {
    return suffixes.map((suffix) => resolve(dirname(file), specifier + suffix)).find(isFile);
  }
  for (const suffix of suffixes) {
    try {
      return createRequire(file).resolve(specifier + suffix);
    } catch {
      // The next suffix may lead to a file.
    }
  }
  return undefined;
}

/** The entries of a directory that have one of the names, with any extension or none. */
function namesakes(directory: string, names: readonly string[]): string[] {
  const wanted = new Set(names);
  return entriesOf(directory).filter((entry) => {
    for (let end = entry.length; end > 0; end = entry.lastIndexOf(".", end - 1)) {
      if (wanted.has(entry.slice(0, end))) return true;
    }
    return false;
  });
}

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

function contentOf(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

/** Where a package is: `node_modules` may hold a link to it. */
function realPathOf(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return "absent";
  }
}

const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() === true;
const isDirectory = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
