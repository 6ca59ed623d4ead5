import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { watchChildren } from "../../helpers/child-processes.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { deadLetters, startRun, startTestEngine, temporaryDirectory } from "../../helpers/test-engine.ts";

const childrenEnded = await watchChildren();

test("environments that cannot start processes are replaced, and no item loses an attempt", async () => {
  using directory = temporaryDirectory();
  const engine = await startTestEngine("starved", directory.path, (derived) => ({
    ...derived,
    // What crashed comes again after two seconds.
    queue: { ...derived.queue, visibilityTimeoutSeconds: 2 },
    environments: 1,
    consumer: { ...derived.consumer, refillVisibilitySeconds: 2, refillWaitingSeconds: 0.5, refillSeconds: 2 },
  }));
  try {
    await startRun(engine, "starved", "r1");
    await vi.waitUntil(async () => (await engine.runs.find("r1"))?.status === "completed", {
      ...PATIENTLY,
      interval: 50,
    });
    expect(await engine.runs.counts(await engine.runs.get("r1"))).toMatchObject({
      produced: 8,
      succeeded: 8,
      dead: 0,
      retried: 0,
    });
    expect(await deadLetters(engine)).toEqual([]);
    const { failures } = engine.activity.fleet;
    expect(failures.filter((failure) => failure === "starved-consumer crashed: exit code 1")).toHaveLength(2);
    const log = readFileSync(join(directory.path, "starved", "logs", "consumer.log"), "utf8");
    for (const code of ["EMFILE", "ENOMEM"]) expect(log).toContain(`spawn ${code}`);
    expect(log).toContain("this environment takes no more messages and is replaced");
    expect(log).toContain('"EnvironmentsRetired":1');
  } finally {
    await engine.close();
  }
  await childrenEnded();
});
