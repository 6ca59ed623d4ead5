import { expect, test, vi } from "vitest";
import { watchChildren } from "../../helpers/child-processes.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { startRun, startTestEngine, temporaryDirectory } from "../../helpers/test-engine.ts";

const childrenEnded = await watchChildren();

// The producer of this workflow pauses each time its queue is full. It then sees counts that are up to 2 s old.
test("a run completes with exact counts on queues that are as strict as those of AWS", async () => {
  vi.stubEnv("SLUICE_LOCAL_SQS", "random-order,lagging-counts,fifo-throughput");
  using directory = temporaryDirectory();
  const engine = await startTestEngine("crowded", directory.path);
  try {
    await startRun(engine, "crowded", "r1");
    await vi.waitUntil(async () => (await engine.runs.find("r1"))?.status === "completed", {
      ...PATIENTLY,
      interval: 50,
    });
    expect(await engine.runs.counts(await engine.runs.get("r1"))).toMatchObject({
      produced: 160,
      succeeded: 160,
      dead: 0,
      pending: 0,
    });
  } finally {
    await engine.close();
    vi.unstubAllEnvs();
  }
  await childrenEnded();
});
