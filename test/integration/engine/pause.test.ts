import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { continueRun } from "../../../cli/runs/continue-run.ts";
import { startEntry } from "../../../shared/messages/control.ts";
import { watchChildren } from "../../helpers/child-processes.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { startRun, startTestEngine, temporaryDirectory } from "../../helpers/test-engine.ts";

const childrenEnded = await watchChildren();

test("a run completes while the messages of a paused run fill the queue, and no task of the paused run starts", async () => {
  using directory = temporaryDirectory();
  const engine = await startTestEngine("crowded", directory.path);
  const { runs, controlQueue, queue } = engine;
  const attemptsOf = (run: string) =>
    readFileSync(join(directory.path, "journal"), "utf8")
      .split("\n")
      .filter((line) => line === run).length;
  const countsOf = async (run: string) => await runs.counts(await runs.get(run));
  const completed = (run: string) =>
    vi.waitUntil(async () => (await runs.find(run))?.status === "completed", { ...PATIENTLY, interval: 50 });
  try {
    await startRun(engine, "crowded", "a");
    await vi.waitUntil(async () => (await runs.find("a")) !== undefined && (await countsOf("a")).succeeded > 0, {
      ...PATIENTLY,
      interval: 20,
    });
    await runs.pause("a");
    // Consumers notice it within 3 s: then no attempt of it is under way, and its messages are as many as the queue takes.
    await vi.waitUntil(
      async () => {
        const { pending } = await countsOf("a");
        const { visible, inFlight } = await queue.depth();
        return pending > 0 && visible + inFlight === pending && visible === 0 && pending;
      },
      { ...PATIENTLY, interval: 50 },
    );
    // By its schedule, beside the paused one, as overlap allows it.
    const requestedAt = new Date().toISOString();
    await controlQueue.sendControl(startEntry({ workflow: "crowded", run: "b", requestedAt, scheduled: true }));
    // Its 80 first tasks take four slots 4 s or longer.
    await vi.waitUntil(async () => (await runs.find("b")) !== undefined && (await countsOf("b")).succeeded >= 80, {
      ...PATIENTLY,
      interval: 50,
    });
    // All consumers have noticed the pause, and what they began before is recorded.
    await vi.waitUntil(async () => attemptsOf("a") === (await countsOf("a")).succeeded, { ...PATIENTLY, interval: 50 });
    const before = await countsOf("a");
    const attempts = attemptsOf("a");
    expect(before.pending).toBeGreaterThan(0);
    await completed("b");
    expect(await countsOf("b")).toMatchObject({ produced: 160, succeeded: 160, pending: 0 });
    expect(await countsOf("a")).toEqual(before);
    expect(attemptsOf("a")).toBe(attempts);
    expect((await runs.active.list()).map(({ id, status }) => [id, status])).toEqual([["a", "paused"]]);

    const resumed = await runs.reopen("a");
    if (resumed === undefined) throw new Error("it was not paused");
    await continueRun(controlQueue, resumed);
    await completed("a");
    expect(await countsOf("a")).toMatchObject({ produced: 160, succeeded: 160, dead: 0, pending: 0 });
    expect(attemptsOf("a")).toBe(160);
  } finally {
    await engine.close();
  }
  await childrenEnded();
});
