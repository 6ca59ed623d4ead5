import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigurationError, toError } from "../../shared/base/errors.ts";

/**
 * Changes an item. It returns the item to send. If it returns `undefined` or throws, the dead letter stays, and the error is
 * shown.
 *
 * @example
 * ```ts
 * // fix.ts
 * export default (item, deadLetter) => ({ ...item, country: item.country.toUpperCase() });
 * ```
 */
export type Transform = (item: unknown, deadLetter: object) => unknown;

/**
 * Loads the default export of a transform's file.
 *
 * @throws {ConfigurationError} There is no such file, it cannot be loaded, or its default export is no function.
 */
export async function loadTransform(file: string): Promise<Transform> {
  const path = resolve(file);
  if (!existsSync(path)) throw new ConfigurationError(`--transform: there is no file ${path}: check the path`);
  let module: { default?: unknown };
  try {
    module = await import(pathToFileURL(path).href);
  } catch (cause) {
    throw new ConfigurationError(`--transform: ${path} cannot be loaded: ${toError(cause).message}`, { cause });
  }
  if (typeof module.default === "function") return module.default as Transform;
  throw new ConfigurationError(
    `--transform: ${path} has no default export that is a function: write "export default (item, deadLetter) => ({ ...item, ... })"`,
  );
}
