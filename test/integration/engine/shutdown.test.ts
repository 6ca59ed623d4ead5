import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { watchChildren } from "../../helpers/child-processes.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { startRun, startTestEngine, temporaryDirectory } from "../../helpers/test-engine.ts";

const childrenEnded = await watchChildren();

test("an engine that stops aborts the source's signal, and the next engine continues without a failure", async () => {
  using directory = temporaryDirectory();
  const markers = (start: string) => readdirSync(directory.path).filter((name) => name.startsWith(start));
  const first = await startTestEngine("slow-source", directory.path);
  try {
    await startRun(first, "slow-source", "r1");
    await vi.waitUntil(() => markers("reading-").length > 0, { ...PATIENTLY, interval: 20 });
    // The gate is closed, so only the signal can end the read. Without it, the read would end with the slice, after 60 s.
    await first.drain();
    expect(markers("aborted-")).toHaveLength(1);
    expect(await first.controlQueue.depth()).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
    expect(await first.runs.get("r1")).toMatchObject({ status: "running", failedSlices: 0 });
    expect(first.activity.fleet.failures).toEqual([]);
  } finally {
    await first.close();
  }
  writeFileSync(join(directory.path, "open"), "");
  const second = await startTestEngine("slow-source", directory.path);
  try {
    await vi.waitUntil(async () => (await second.runs.get("r1")).status === "completed", {
      ...PATIENTLY,
      interval: 50,
    });
    expect(await second.runs.counts(await second.runs.get("r1"))).toMatchObject({ produced: 50, succeeded: 50 });
  } finally {
    await second.close();
  }
  await childrenEnded();
});
