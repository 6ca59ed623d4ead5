import { expect, test, vi } from "vitest";
import { PATIENTLY } from "../../helpers/patience.ts";
import { prepareTestEngine, startRun, temporaryDirectory } from "../../helpers/test-engine.ts";

test("an engine delivers nothing before deliver(), because consumers would put back the messages of a paused run", async () => {
  using directory = temporaryDirectory();
  const engine = await prepareTestEngine("small", directory.path);
  await startRun(engine, "small", "r1");
  await engine.warm();
  expect(await engine.controlQueue.depth()).toMatchObject({ visible: 1, inFlight: 0 });

  engine.deliver();
  await vi.waitUntil(async () => (await engine.runs.find("r1"))?.completedAt !== undefined, PATIENTLY);
  await engine.close();
});
