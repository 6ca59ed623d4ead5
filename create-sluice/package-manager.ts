import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export type PackageManager = "npm" | "pnpm" | "yarn";

const LOCKFILES: readonly (readonly [string, PackageManager])[] = [
  ["package-lock.json", "npm"],
  ["pnpm-lock.yaml", "pnpm"],
  ["yarn.lock", "yarn"],
];

/**
 * The package manager of a project: that of the nearest lockfile, in the project or in a folder above it. Without a
 * lockfile, the package manager that started this command.
 */
export function packageManagerOf(directory: string, userAgent = ""): PackageManager {
  for (const folder of upwards(directory)) {
    const found = LOCKFILES.find(([file]) => existsSync(join(folder, file)));
    if (found !== undefined) return found[1];
  }
  // https://docs.npmjs.com/cli/v11/using-npm/config#user-agent. pnpm and Yarn set it too: "pnpm/10.1.0 npm/? node/v24".
  const name = userAgent.split("/")[0];
  return name === "pnpm" || name === "yarn" ? name : "npm";
}

/**
 * The root of the workspace that a project is part of: the nearest folder above it whose `package.json` has `workspaces`,
 * or that has a `pnpm-workspace.yaml`.
 */
export function workspaceRootOf(directory: string): string | undefined {
  return upwards(dirname(directory)).find((folder) => {
    if (existsSync(join(folder, "pnpm-workspace.yaml"))) return true;
    try {
      return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).workspaces !== undefined;
    } catch {
      return false;
    }
  });
}

/** A folder and all folders above it. */
function upwards(folder: string): readonly string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...upwards(above)];
}
