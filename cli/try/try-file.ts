import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { loadModule } from "../../shared/bundling/load-module.ts";
import type { TryOptions } from "../commands/try.ts";

const ENTRY = fileURLToPath(new URL(`./try-bundled${extname(import.meta.url)}`, import.meta.url));

/**
 * Tries the workflow of a file in this process.
 *
 * @returns The exit code.
 * @throws {ConfigurationError} The file cannot be loaded, or defines no workflow; or an item is not JSON.
 */
export async function tryFile(file: string, { json, items, item }: TryOptions): Promise<number> {
  const given = item?.map((await import("./parse-item.ts")).parseItem);
  const { tryBundled } = (await loadModule(file, {
    entry: ENTRY,
    alias: { "#workflow": file },
    mapsStacksLazily: true,
  })) as typeof import("./try-bundled.ts");
  return await tryBundled(file, { json, items, given });
}
