import { describe, expect, test, vi } from "vitest";
import { topology } from "../../../shared/definition/topology.ts";
import { defineWorkflow } from "../../../shared/index.ts";
import { runKey } from "../../../shared/ledger/keys.ts";
import { ConsumerWorld, RUN } from "../../helpers/consumer-world.ts";
import { workflowOptions } from "../../helpers/workflow-options.ts";

/** A message as a later version may write it. */
const newer = (world: ConsumerWorld, changes: { receiveCount?: number; sentAt?: number } = {}) =>
  world.raw(JSON.stringify({ sluice: 6, workflow: "test", partition: 5, what: "nobody here knows" }), {
    id: "newer",
    ...changes,
  });

describe("a consumer that meets a newer envelope", () => {
  test("returns it, processes the other messages, and writes nothing about it", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    const task = vi.fn();
    expect(await world.consume({ task }, [newer(world), ...world.messages()])).toEqual(["newer"]);
    expect(task).toHaveBeenCalledTimes(2);
    expect(world.sqs.visibilities).toEqual([{ receiptHandle: "handle-newer", seconds: 5 }]);
    expect(world.rawDeadLetters).toEqual([]);
    expect(world.metrics.counts).toEqual({ succeeded: 2, newerVersion: 1 });
    expect(world.logger.lines).toContain(
      "warn: returned messages to the queue, because a newer version of Sluice wrote them",
    );
    const without = await ConsumerWorld.of(["a", "b"]);
    await without.consume({ task }, without.messages());
    expect(world.store.updates).toEqual(without.store.updates);
    expect(await world.counts()).toMatchObject({ succeeded: 2, dead: 0, pending: 0 });
  });

  test("logs it once, however many messages there are", async () => {
    const world = await ConsumerWorld.of(["a"]);
    await world.consume(
      {},
      Array.from({ length: 5 }, () => newer(world)),
    );
    expect(world.logger.lines.filter((line) => line.includes("newer version"))).toHaveLength(1);
    expect(world.metrics.counts).toEqual({ newerVersion: 5 });
  });

  test("hides it for longer each time, so that SQS does not move it to the dead-letter queue", async () => {
    const { maxReceiveCount } = topology(defineWorkflow(workflowOptions({}))).queue;
    const world = await ConsumerWorld.of(["a"]);
    const hidden = async (receiveCount: number) => {
      world.sqs.visibilities.length = 0;
      await world.consume({}, [newer(world, { receiveCount, sentAt: Date.now() })]);
      return world.sqs.visibilities[0]?.seconds ?? 0;
    };
    expect(await hidden(2)).toBeLessThanOrEqual(10);
    expect(await hidden(8)).toBeGreaterThanOrEqual(300);
    expect(await hidden(maxReceiveCount - 1)).toBe(11 * 3_600);
    expect(await hidden(maxReceiveCount)).toBe(11 * 3_600);
    expect(world.rawDeadLetters).toEqual([]);
  });

  test("does not delete it while it refills its slots", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const refill = { until: Date.now() + 60_000, waitingMilliseconds: 10_000, visibilityTimeoutSeconds: 60 };
    expect(await world.consume({}, [newer(world), ...world.messages()], { refill })).toEqual(["newer"]);
    expect(world.sqs.deleted).toEqual(["handle-0"]);
  });
});

test("the messages of a run that a newer version began are returned, and no receive is recorded", async () => {
  const world = await ConsumerWorld.of(["a", "b"]);
  await world.store.update(runKey(RUN), { set: { version: 4 } });
  world.store.updates.length = 0;
  const task = vi.fn();
  expect(await world.consume({ task }, world.messages({ receiveCount: 2 }))).toEqual(["0", "1"]);
  expect(task).not.toHaveBeenCalled();
  expect(world.store.updates).toEqual([]);
  expect(world.sqs.visibilities.map(({ seconds }) => seconds)).toEqual([9, 9]);
  expect(world.metrics.counts).toEqual({ newerVersion: 2 });
  expect(world.rawDeadLetters).toEqual([]);
});

test("a run without a version is processed as one of version 1", async () => {
  const world = await ConsumerWorld.of(["a"]);
  expect((await world.store.get(runKey(RUN)))?.version).toBe(3);
  await world.store.update(runKey(RUN), { remove: ["version"] });
  expect(await world.consume({}, world.messages({ receiveCount: 2 }))).toEqual([]);
  expect(await world.status()).toBe("completed");
});
