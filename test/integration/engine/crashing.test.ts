import { expect, test, vi } from "vitest";
import { RECORDING_SECONDS } from "../../../shared/definition/topology.ts";
import { watchChildren } from "../../helpers/child-processes.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { deadLetters, startRun, startTestEngine, temporaryDirectory } from "../../helpers/test-engine.ts";

const childrenEnded = await watchChildren();

const REFILL_SECONDS = 2;
const TIMEOUT_SECONDS = REFILL_SECONDS + RECORDING_SECONDS + 5;

test("a task that ends or blocks its process costs only that process", async () => {
  using directory = temporaryDirectory();
  const engine = await startTestEngine("crashing", directory.path, (derived) => ({
    ...derived,
    // What crashed or hangs comes again after two seconds, more than an isolated attempt takes on a busy machine. The tasks end within their first turn.
    queue: { ...derived.queue, visibilityTimeoutSeconds: 2 },
    consumer: {
      ...derived.consumer,
      // As for every function: the invocation's attempts end before the time that it keeps for recording them. Otherwise
      // no isolated attempt could begin.
      timeoutSeconds: TIMEOUT_SECONDS,
      refillSeconds: REFILL_SECONDS,
      refillWaitingSeconds: 0.5,
      refillVisibilitySeconds: 2,
    },
  }));
  try {
    await startRun(engine, "crashing", "r1");
    await vi.waitUntil(async () => (await engine.runs.find("r1"))?.status === "completed", {
      ...PATIENTLY,
      interval: 50,
    });
    const counts = await engine.runs.counts(await engine.runs.get("r1"));
    expect(counts).toMatchObject({ produced: 63, succeeded: 62, dead: 1, deadByReason: { exhausted: 1 } });
    const dead = await deadLetters(engine);
    const expected = {
      item: "exits each time",
      dead: { reason: "exhausted", failures: Array(5).fill({ kind: "crashed" }) },
    };
    // If the message becomes visible while its dead letter is sent, which takes longer than two seconds on a busy machine, there is another one.
    expect(dead.length).toBeGreaterThan(0);
    expect(dead).toMatchObject(Array(dead.length).fill(expected));
    const failures = () => engine.activity.fleet.failures;
    await vi.waitUntil(() => failures().some((failure) => failure.includes("timed out")), PATIENTLY);
    expect(failures()).toContain("crashing-consumer crashed: exit code 3");
    // Only once. After that the attempts of the item ran isolated, and only their own processes ended.
    expect(failures().filter((failure) => failure.includes("exit code 4"))).toHaveLength(1);
    expect(failures()).toContain(`crashing-consumer timed out: the invocation took longer than ${TIMEOUT_SECONDS} s`);
  } finally {
    await engine.close();
  }
  await childrenEnded();
});
