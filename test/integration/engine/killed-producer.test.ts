import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { watchChildren } from "../../helpers/child-processes.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { prepareTestEngine, startRun, startTestEngine, temporaryDirectory } from "../../helpers/test-engine.ts";

const childrenEnded = await watchChildren();

test("another producer follows a killed one within half a minute, with the timeouts as deployed", async () => {
  using directory = temporaryDirectory();
  const readers = () =>
    readdirSync(directory.path).flatMap((name) => (name.startsWith("reading-") ? [Number(name.slice(8))] : []));
  const engine = await startTestEngine("slow-source", directory.path, (derived) => {
    expect(derived.producer.visibilitySeconds).toBe(30);
    expect(derived.controlQueue.visibilityTimeoutSeconds).toBe(180);
    return derived;
  });
  try {
    await startRun(engine, "slow-source", "r1");
    const [killed = 0] = await vi.waitUntil(() => readers().length > 0 && readers(), { ...PATIENTLY, interval: 20 });
    process.kill(-killed, "SIGKILL");
    // Without renewals, the message would stay hidden for 180 s.
    const { sqs, names } = engine.services;
    const visibleAt = sqs.store.nextVisibleAt(names.controlQueue) ?? Number.NaN;
    expect(visibleAt - Date.now()).toBeLessThanOrEqual(30_000);

    await vi.waitUntil(() => readers().some((pid) => pid !== killed), { ...PATIENTLY, interval: 50 });
    expect(engine.activity.fleet.failures).toEqual(["slow-source-producer crashed: signal SIGKILL"]);

    writeFileSync(join(directory.path, "open"), "");
    await vi.waitUntil(async () => (await engine.runs.find("r1"))?.status === "completed", {
      ...PATIENTLY,
      interval: 50,
    });
    const counts = await engine.runs.counts(await engine.runs.get("r1"));
    expect(counts).toMatchObject({ produced: 50, succeeded: 50, dead: 0, pending: 0 });
  } finally {
    await engine.close();
  }
  await childrenEnded();
});

test("the control message of a producer that ended with its engine is visible to the next engine", async () => {
  using directory = temporaryDirectory();
  const isReading = () => readdirSync(directory.path).some((name) => name.startsWith("reading-"));
  const first = await startTestEngine("slow-source", directory.path);
  await startRun(first, "slow-source", "r1");
  await vi.waitUntil(isReading, { ...PATIENTLY, interval: 20 });
  expect(await first.controlQueue.depth()).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
  await first.close();
  const second = await prepareTestEngine("slow-source", directory.path);
  try {
    expect(await second.controlQueue.depth()).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
  } finally {
    await second.close();
  }
  await childrenEnded();
});
