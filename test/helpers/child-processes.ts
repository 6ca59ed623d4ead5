import { transform } from "esbuild";
import { vi } from "vitest";
import { PATIENTLY } from "./patience.ts";

const children = () => process.getActiveResourcesInfo().filter((resource) => resource === "ProcessWrap").length;

/**
 * Counts the child processes of this process, which other test files may have started.
 *
 * @returns Resolves once there are no more than now.
 */
export async function watchChildren(): Promise<() => Promise<void>> {
  // The bundler's process stays after its first use.
  await transform("");
  const before = children();
  return async () => {
    await vi.waitUntil(() => children() <= before, { ...PATIENTLY, interval: 5 });
  };
}
