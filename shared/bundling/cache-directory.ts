import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Where bundles are kept: in the `node_modules` in which Sluice is installed, as other build tools do.
 *
 * @returns `undefined` if that directory cannot be written.
 */
export function cacheDirectory(): string | undefined {
  const here = fileURLToPath(import.meta.url);
  const installed = here.lastIndexOf(`${sep}node_modules${sep}`);
  const root = installed < 0 ? packageRoot(dirname(here)) : here.slice(0, installed);
  const directory = join(root, "node_modules", ".cache", "sluice", "bundles");
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    accessSync(directory, constants.R_OK | constants.W_OK);
    return directory;
  } catch {
    return undefined;
  }
}

/** The nearest directory with a `package.json`. */
function packageRoot(directory: string): string {
  const parent = dirname(directory);
  return existsSync(join(directory, "package.json")) || parent === directory ? directory : packageRoot(parent);
}
