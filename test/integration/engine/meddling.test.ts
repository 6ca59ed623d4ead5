import { expect, test, vi } from "vitest";
import { watchChildren } from "../../helpers/child-processes.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { deadLetters, startRun, startTestEngine, temporaryDirectory } from "../../helpers/test-engine.ts";

const childrenEnded = await watchChildren();

test("messages and errors of a task change only the outcome of that task", async () => {
  using directory = temporaryDirectory();
  const engine = await startTestEngine("meddling", directory.path);
  try {
    await startRun(engine, "meddling", "r1");
    await vi.waitUntil(async () => (await engine.runs.find("r1"))?.status === "completed", {
      ...PATIENTLY,
      interval: 50,
    });
    expect(await engine.runs.counts(await engine.runs.get("r1"))).toMatchObject({
      produced: 10,
      succeeded: 8,
      dead: 2,
      retried: 0,
    });
    const dead = (await deadLetters(engine)).map(({ item, dead: { failures } }) => [item, failures]);
    expect(new Map(dead as [string, unknown][])).toEqual(
      new Map([
        [
          "throws an error of another realm",
          [expect.objectContaining({ kind: "threw", name: "TypeError", message: "x" })],
        ],
        [
          "throws an error whose name throws",
          [expect.objectContaining({ kind: "threw", name: "Error", message: "readable" })],
        ],
      ]),
    );
    // No environment died, and nothing that was forged is shown.
    expect(engine.activity.fleet.failures).toEqual([]);
    expect(engine.activity.fleet.peakInFlight).toBeLessThanOrEqual(4);
    expect(engine.activity.fleet.succeeded).toBeLessThanOrEqual(8);
  } finally {
    await engine.close();
  }
  await childrenEnded();
});
