import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { loadModule } from "../../shared/bundling/load-module.ts";
import type { PlanSettings } from "./plan-workflow.ts";

const ENTRY = fileURLToPath(new URL(`./plan-bundled${extname(import.meta.url)}`, import.meta.url));

/**
 * Plans a run of the workflow of a file in this process.
 *
 * @returns The exit code.
 * @throws {ConfigurationError} The file cannot be loaded, or defines no workflow.
 */
export async function planFile(file: string, settings: PlanSettings): Promise<number> {
  const { planBundled } = (await loadModule(file, {
    entry: ENTRY,
    alias: { "#workflow": file },
  })) as typeof import("./plan-bundled.ts");
  return await planBundled(file, settings);
}
