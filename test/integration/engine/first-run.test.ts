import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { redrive } from "../../../shared/dead-letters/redrive.ts";
import { watchChildren } from "../../helpers/child-processes.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { deadLetters, startRun, startTestEngine, temporaryDirectory } from "../../helpers/test-engine.ts";

const childrenEnded = await watchChildren();

const patiently = { ...PATIENTLY, interval: 20 };

test("a run on the engine succeeds except for its dead letters, and a redrive settles these after the fix", async () => {
  using directory = temporaryDirectory();
  const engine = await startTestEngine("fixable", directory.path);
  try {
    await startRun(engine, "fixable", "r1");
    await vi.waitUntil(async () => (await engine.runs.find("r1"))?.status === "completed", patiently);
    const counts = async () => await engine.runs.counts(await engine.runs.get("r1"));
    expect(await counts()).toMatchObject({ produced: 20, succeeded: 15, dead: 5, pending: 0 });

    writeFileSync(join(directory.path, "fixed"), "");
    const sent = await redrive({ ...engine, select: () => true, exactCounts: true });
    expect(sent).toMatchObject({ moved: 5, refused: {} });
    await vi.waitUntil(async () => (await counts()).pending === 0, patiently);
    expect(await counts()).toMatchObject({ produced: 20, succeeded: 19, dead: 1 });
    expect(await deadLetters(engine)).toMatchObject([
      { item: 19, dead: { reason: "exhausted", failures: Array(4).fill({ name: "TypeError" }) } },
    ]);
  } finally {
    await engine.close();
  }
  await childrenEnded();
});
