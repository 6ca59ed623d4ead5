import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The name of the directory in which the embedded engine keeps its state. */
export const STATE_ROOT = ".sluice";

/**
 * The directory of the state: `.sluice` in the root of the project, also for a command that is typed in a folder below it.
 * The root is the nearest folder upwards with a `package.json`. Without one, the root is the directory itself.
 *
 * A `.sluice` between the two is used instead: earlier versions of Sluice kept the state where the command was typed.
 */
export function stateRoot(directory: string = process.cwd()): string {
  const own = join(directory, STATE_ROOT);
  for (let folder = directory; ; folder = dirname(folder)) {
    const state = join(folder, STATE_ROOT);
    if (isProject(folder)) return state;
    const isTop = dirname(folder) === folder;
    if (isTop) return own;
    if (existsSync(state) && hasProjectAbove(folder)) return state;
  }
}

function hasProjectAbove(folder: string): boolean {
  const above = dirname(folder);
  return above !== folder && (isProject(above) || hasProjectAbove(above));
}

/** A `package.json` with nothing but `type` says how the files of a folder are loaded. It makes no project of the folder. */
function isProject(folder: string): boolean {
  try {
    const manifest: object = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return Object.keys(manifest).some((key) => key !== "type");
  } catch {
    return false;
  }
}
