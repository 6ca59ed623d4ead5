import { vi } from "vitest";

/** Resolves once this process has no more child processes than so many; the bundler keeps one of its own. */
export async function childrenEnded(besides = 1): Promise<void> {
  const children = () => process.getActiveResourcesInfo().filter((resource) => resource === "ProcessWrap").length;
  await vi.waitUntil(() => children() <= besides, { interval: 5, timeout: 60_000 });
}
