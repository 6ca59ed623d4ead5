import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { continueRun } from "../../../cli/runs/continue-run.ts";
import { startEntry } from "../../../shared/messages/control.ts";
import { watchChildren } from "../../helpers/child-processes.ts";
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
    vi.waitUntil(async () => (await runs.find(run))?.status === "completed", { interval: 50, timeout: 150_000 });
  try {
    await startRun(engine, "crowded", "a");
    await vi.waitUntil(async () => (await runs.find("a")) !== undefined && (await countsOf("a")).succeeded > 0, {
      interval: 20,
      timeout: 100_000,
    });
    await runs.pause("a");
    // Consumers notice it within 3 s: then no attempt of it is under way, and its messages are as many as the queue takes.
    await vi.waitUntil(
      async () => {
        const { pending } = await countsOf("a");
        const { visible, inFlight } = await queue.depth();
        return pending > 0 && visible + inFlight === pending && visible === 0 && pending;
      },
      { interval: 50, timeout: 100_000 },
    );
    // By its schedule, beside the paused one, as overlap allows it.
    const requestedAt = new Date().toISOString();
    await controlQueue.sendControl(startEntry({ workflow: "crowded", run: "b", requestedAt, scheduled: true }));
    // Its 80 first tasks take four slots 4 s, in which all consumers have noticed the pause.
    await vi.waitUntil(async () => (await runs.find("b")) !== undefined && (await countsOf("b")).succeeded >= 80, {
      interval: 50,
      timeout: 150_000,
    });
    const before = await countsOf("a");
    expect(before.pending).toBeGreaterThanOrEqual(20);
    const attempts = attemptsOf("a");
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
