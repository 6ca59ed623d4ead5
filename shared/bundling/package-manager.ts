import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A package manager. */
export type PackageManager = "npm" | "pnpm" | "yarn" | "bun";

/** The lockfile of each package manager. */
const LOCKFILES: readonly (readonly [string, PackageManager])[] = [
  ["pnpm-lock.yaml", "pnpm"],
  ["yarn.lock", "yarn"],
  ["bun.lock", "bun"],
  ["package-lock.json", "npm"],
];

/**
 * The package manager of the project in a directory: the one that `packageManager` of a `package.json` names, or whose
 * lockfile lies in the directory or above it. Otherwise the one that started this process, or npm.
 */
export function packageManagerOf(directory: string): PackageManager {
  for (let folder = directory; ; folder = dirname(folder)) {
    const named = namedIn(join(folder, "package.json"));
    if (named !== undefined) return named;
    const found = LOCKFILES.find(([file]) => existsSync(join(folder, file)));
    if (found !== undefined) return found[1];
    if (dirname(folder) === folder) break;
  }
  return toManager(process.env.npm_config_user_agent) ?? "npm";
}

/** The command that adds a package to the project in a directory. */
export function installCommand(directory: string, name: string, { dev = false } = {}): string {
  const manager = packageManagerOf(directory);
  if (manager === "npm") return `npm install ${dev ? "--save-dev " : ""}${name}`;
  return `${manager} add ${dev ? "--dev " : ""}${name}`;
}

/** https://nodejs.org/api/packages.html#packagemanager */
function namedIn(manifest: string): PackageManager | undefined {
  try {
    return toManager((JSON.parse(readFileSync(manifest, "utf8")) as { packageManager?: string }).packageManager);
  } catch {
    return undefined;
  }
}

const toManager = (text: string | undefined): PackageManager | undefined =>
  /^(?<name>npm|pnpm|yarn|bun)[@/]/.exec(text ?? "")?.groups?.name as PackageManager | undefined;
