import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigurationError, toError } from "../../shared/base/errors.ts";

/**
 * Mends an item: returns the one that is sent in its place, or `undefined` to leave its dead letter where it is. What it throws
 * leaves the dead letter, too, and is shown.
 *
 * @example
 * ```ts
 * // mend.ts
 * export default (item, deadLetter) => ({ ...item, country: item.country.toUpperCase() });
 * ```
 */
export type Transform = (item: unknown, deadLetter: object) => unknown;

/**
 * Loads the function that a file exports as its default.
 *
 * @throws {ConfigurationError} There is no such file, it cannot be loaded, or it exports none.
 */
export async function loadTransform(file: string): Promise<Transform> {
  const path = resolve(file);
  if (!existsSync(path)) throw new ConfigurationError(`--transform: there is no file ${path}`);
  let module: { default?: unknown };
  try {
    module = await import(pathToFileURL(path).href);
  } catch (cause) {
    throw new ConfigurationError(`--transform: ${path} cannot be loaded: ${toError(cause).message}`, { cause });
  }
  if (typeof module.default === "function") return module.default as Transform;
  throw new ConfigurationError(
    `--transform: ${path} exports no function: write "export default (item, deadLetter) => ({ ...item, ... })"`,
  );
}
