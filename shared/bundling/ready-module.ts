import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { cacheDirectory } from "./cache-directory.ts";

/**
 * Notes of bundles that are ready to be imported, each with the sizes and times of everything that it was made of. To find a
 * bundle by its note takes less CPU time than by `cachedBuild`: this module loads neither esbuild nor the cache nor a module
 * for digests. A note is written only when `cachedBuild` has just confirmed the bundle.
 */

const VERSION = 1;

/** The notes that are kept. The one that was written longest ago is removed first. */
const MAXIMUM_NOTES = 60;

/** Times of files come from a clock with ticks, so a file that has just changed may change again unnoticed. */
const TICK_MILLISECONDS = 20;

/** What a note is found by: everything that decides how the bundle is made, except the content of files. */
export interface Recipe {
  readonly entry: string;
  readonly alias: Readonly<Record<string, string>>;
  readonly linksPackages: boolean;
}

/**
 * Finds a bundle that is ready.
 *
 * @returns The path of the module; `undefined` if there is no note, or if something that it was made of may have changed.
 */
export function readyModule(recipe: Recipe, directory: string | undefined = cacheDirectory()): string | undefined {
  if (directory === undefined) return undefined;
  try {
    const [head = "", module = "", ...lines] = readFileSync(noteOf(directory, recipe), "utf8").split("\n");
    if (head !== textOf(recipe) || !existsSync(module)) return undefined;
    for (let line = 0; line + 1 < lines.length; line += 2) {
      if (statusText(statSync(lines[line] ?? "", { throwIfNoEntry: false })) !== lines[line + 1]) return undefined;
    }
    return module;
  } catch {
    return undefined;
  }
}

/**
 * Notes that a bundle is ready.
 *
 * @param paths Everything that the bundle was made of: files, also some that do not exist, and directories.
 * @param isCurrent Says whether the bundle is still what would be made now. It is called after the paths were looked at.
 */
export function noteReady(
  recipe: Recipe,
  module: string,
  { paths, isCurrent }: { readonly paths: readonly string[]; isCurrent(): boolean },
  directory: string | undefined = cacheDirectory(),
): void {
  if (directory === undefined || [module, ...paths].some((path) => path.includes("\n"))) return;
  const latest = Date.now() - TICK_MILLISECONDS;
  const lines: string[] = [];
  for (const path of paths) {
    const status = statSync(path, { throwIfNoEntry: false });
    if (status !== undefined && status.ctimeMs > latest) return;
    lines.push(path, statusText(status));
  }
  if (!isCurrent()) return;
  try {
    const notes = notesIn(directory);
    mkdirSync(notes, { recursive: true, mode: 0o700 });
    const note = noteOf(directory, recipe);
    const draft = `${note}.${process.pid}`;
    writeFileSync(draft, [textOf(recipe), module, ...lines].join("\n"), { mode: 0o600 });
    renameSync(draft, note);
    removeOldest(notes);
  } catch {
    // Without a note, the next command finds the bundle through `cachedBuild`.
  }
}

const statusText = (status: Stats | undefined): string =>
  status === undefined ? "-" : `${status.size} ${status.mtimeMs} ${status.ctimeMs} ${status.ino} ${status.dev}`;

const textOf = (recipe: Recipe): string =>
  JSON.stringify({ version: VERSION, node: process.version, nodePath: process.env.NODE_PATH, ...recipe });

const notesIn = (directory: string): string => join(directory, "ready");

/** Two recipes may have one file, so a note begins with its recipe. */
const noteOf = (directory: string, recipe: Recipe): string => join(notesIn(directory), `${digest(textOf(recipe))}.txt`);

/** FNV-1a, because loading `node:crypto` takes 7 ms. http://www.isthe.com/chongo/tech/comp/fnv/ */
function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

function removeOldest(notes: string): void {
  const all = readdirSync(notes).map((name) => {
    const path = join(notes, name);
    // Another process may have removed it.
    return { path, writtenAt: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 };
  });
  for (const { path } of all.sort((a, b) => b.writtenAt - a.writtenAt).slice(MAXIMUM_NOTES))
    rmSync(path, { force: true });
}
