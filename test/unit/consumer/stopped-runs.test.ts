import { describe, expect, onTestFinished, test, vi } from "vitest";
import { PermanentError, RetryLater } from "../../../shared/index.ts";
import { envelopeBody } from "../../../shared/messages/envelope.ts";
import { ConsumerWorld, RUN } from "../../helpers/consumer-world.ts";

const PAGE = { run: RUN, partition: 0, page: 0, epoch: 1 };
const item = (index: number) => ({ ...PAGE, index, redriveGeneration: 0 });

const paused = async (items: readonly unknown[]) => {
  const world = await ConsumerWorld.of(items);
  await world.runs.pause(RUN);
  return world;
};

/** A run that is being cancelled, with the writes from then on. */
const cancelling = async (items: readonly unknown[]) => {
  const world = await ConsumerWorld.of(items);
  await world.runs.cancel(RUN);
  world.store.updates.length = 0;
  return world;
};

describe("the messages of a paused run", () => {
  test("are returned without an attempt, and each receive is recorded", async () => {
    const world = await paused(["a", "b"]);
    const task = vi.fn();
    expect([...(await world.consume({ task }))].sort()).toEqual(["0", "1"]);
    expect(task).not.toHaveBeenCalled();
    expect(world.sqs.visibilities).toEqual(
      expect.arrayContaining([
        { receiptHandle: "handle-0", seconds: 5 },
        { receiptHandle: "handle-1", seconds: 5 },
      ]),
    );
    const states = await world.ledger.itemStates([item(0), item(1)]);
    expect(states).toEqual([1, 2].map(() => expect.objectContaining({ receives: new Map([[1, "returned"]]) })));
    expect(await world.counts()).toMatchObject({ pending: 2 });
  });

  test("do not delay a redriven item of another run", async () => {
    const world = await ConsumerWorld.of(["a"]);
    await world.consume({ task: () => Promise.reject(new PermanentError("no")) });
    const redriven = world.raw(world.rawDeadLetters[0]?.body ?? "", { id: "redriven" });
    const requestedAt = "2026-01-02T00:00:00.000Z";
    const other = await world.runs.create({ id: "other", workflow: "test", requestedAt });
    await world.ledger.pages.open({ run: "other", partition: 0, page: 0 }, { size: 1, digest: "d" });
    await world.runs.progress.checkpoint(other, { cursor: undefined, skip: 0, pages: 1, items: 1, ended: true });
    await world.runs.pause("other");
    const header = { workflow: "test", run: "other", partition: 0, page: 0, epoch: 1, resent: false };
    const resting = world.raw(envelopeBody(header, 0, '"resting"'), { id: "resting" });
    const task = vi.fn();
    expect(await world.consume({ task }, [resting, redriven])).toEqual(["resting"]);
    expect(task.mock.calls.map(([name]) => name)).toEqual(["a"]);
    expect(await world.counts()).toMatchObject({ succeeded: 1, dead: 0, pending: 0 });
    expect(await world.runs.counts(await world.runs.get("other"))).toMatchObject({ pending: 1 });
  });

  test("may come any number of times, and run when the pause ends", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const world = await paused(["a"]);
    for (let receiveCount = 1; receiveCount <= 40; receiveCount++) {
      expect(await world.consume({}, [world.message(0, { receiveCount })])).toEqual(["0"]);
      vi.setSystemTime(Date.now() + (world.sqs.visibilities.at(-1)?.seconds ?? 0) * 1_000);
    }
    const hidden = world.sqs.visibilities.map(({ seconds }) => seconds);
    // Each message stays hidden for a quarter of the pause.
    expect(hidden.slice(0, 8)).toEqual([5, 5, 5, 5, 5, 7, 8, 10]);
    expect(hidden.slice(-12)).toEqual(Array(12).fill(600));
    await world.runs.reopen(RUN);
    const attempts: number[] = [];
    const task = (_: unknown, { attempt }: { attempt: number }) => void attempts.push(attempt);
    // The task runs in the consumer itself, so the item is no suspect.
    expect(await world.consume({ task }, [world.message(0, { receiveCount: 41 })])).toEqual([]);
    expect(attempts).toEqual([1]);
    expect(world.deadLetters).toEqual([]);
    expect(await world.status()).toBe("completed");
  });

  test("keep the attempts that failed before", async () => {
    const world = await ConsumerWorld.of(["a"]);
    await world.consume({ task: () => Promise.reject(new Error("no")) });
    await world.runs.pause(RUN);
    await world.consume({}, [world.message(0, { receiveCount: 2 })]);
    await world.runs.reopen(RUN);
    const attempts: number[] = [];
    await world.consume({ task: (_, { attempt }) => void attempts.push(attempt) }, [
      world.message(0, { receiveCount: 3 }),
    ]);
    expect(attempts).toEqual([2]);
  });

  test("are deleted if their item is settled, and dead-lettered if its death is decided", async () => {
    const world = await ConsumerWorld.of(["done", "dying", "pending"]);
    await world.consume({}, [world.message(0)]);
    await world.ledger.outcomes.claimDeath(item(1));
    await world.runs.pause(RUN);
    expect(await world.consume({}, world.messages({ receiveCount: 2 }))).toEqual(["2"]);
    expect(world.deadLetters).toMatchObject([{ item: "dying", dead: { reason: "unexplained" } }]);
    expect(await world.counts()).toMatchObject({ succeeded: 1, dead: 1, pending: 1 });
  });

  test("also come again if the ledger or SQS fails", async () => {
    const world = await paused(["a"]);
    world.sqs.before = () => Promise.reject(new Error("down"));
    expect(await world.consume({})).toEqual(["0"]);
    world.store.before = (operation) => operation === "update" && Promise.reject(new Error("down"));
    expect(await world.consume({})).toEqual(["0"]);
    expect(await world.counts()).toMatchObject({ pending: 1 });
  });
});

describe("the messages of a cancelled run", () => {
  test("are dropped without an attempt, in one write per page, and the run ends with exact counts", async () => {
    const world = await cancelling([..."abc"]);
    await world.ledger.pages.open({ run: RUN, partition: 0, page: 1 }, { size: 2, digest: "e" });
    const other = (index: number) => {
      const header = { workflow: "test", run: RUN, partition: 0, page: 1, epoch: 1, resent: false };
      return world.raw(envelopeBody(header, index, "1"), { id: `other ${index}` });
    };
    world.store.updates.length = 0;
    const task = vi.fn();
    const messages = [world.message(0), other(0), world.message(1), other(1), world.message(2)];
    expect(await world.consume({ task }, messages)).toEqual([]);
    expect(task).not.toHaveBeenCalled();
    expect(world.store.updates.filter(({ sk }) => sk === "page").map(({ pk }) => pk)).toEqual([
      `run#${RUN}#page#0`,
      `run#${RUN}#page#1`,
    ]);
    expect(await world.status()).toBe("cancelled");
    expect(await world.counts()).toMatchObject({ produced: 3, succeeded: 0, dead: 0, cancelled: 3, pending: 0 });
    expect(world.deadLetters).toEqual([]);
  });

  test("are cancelled once if they come twice", async () => {
    const world = await cancelling(["a", "b"]);
    await world.consume({}, [world.message(0), world.message(0)]);
    await world.consume({}, [world.message(0, { receiveCount: 2 }), world.message(1)]);
    expect(await world.counts()).toMatchObject({ cancelled: 2, pending: 0 });
    expect(await world.status()).toBe("cancelled");
  });

  test("do not change items that are settled", async () => {
    const world = await ConsumerWorld.of(["done", "dead", "queued"]);
    const task = (name: unknown) => (name === "dead" ? Promise.reject(new PermanentError("no")) : undefined);
    await world.consume({ task }, [world.message(0), world.message(1)]);
    await world.runs.cancel(RUN);
    // This includes the first delivery of a duplicate, which is not looked up.
    expect(
      await world.consume({}, [world.message(0), world.message(1, { receiveCount: 2 }), world.message(2)]),
    ).toEqual([]);
    expect(await world.status()).toBe("cancelled");
    expect(await world.counts()).toMatchObject({ succeeded: 1, dead: 1, cancelled: 1, pending: 0 });
  });

  test("come again if the death of one item is claimed, and the death is completed", async () => {
    const world = await cancelling(["a", "dying", "c"]);
    await world.ledger.outcomes.claimDeath(item(1));
    expect(await world.consume({})).toContain("1");
    expect(await world.counts()).toMatchObject({ cancelled: 2, dead: 0, pending: 1 });
    expect(await world.status()).toBe("cancelling");
    expect(await world.consume({}, world.messages({ receiveCount: 2 }))).toEqual([]);
    expect(await world.status()).toBe("cancelled");
    expect(await world.counts()).toMatchObject({ cancelled: 2, dead: 1, pending: 0 });
    expect(world.deadLetters).toMatchObject([{ item: "dying" }]);
  });

  test("come again if they cannot be recorded", async () => {
    const world = await cancelling(["a", "b"]);
    world.store.before = (operation) => operation === "update" && Promise.reject(new Error("down"));
    expect([...(await world.consume({}))].sort()).toEqual(["0", "1"]);
    world.store.before = () => {};
    expect(await world.consume({}, world.messages({ receiveCount: 2 }))).toEqual([]);
    expect(await world.counts()).toMatchObject({ cancelled: 2 });
  });

  test("are finished and count if their tasks run when the run is cancelled", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    const task = async (name: unknown) => void (name === "a" && (await world.runs.cancel(RUN)));
    expect(await world.consume({ task }, [world.message(0)])).toEqual([]);
    await world.consume({}, [world.message(1)]);
    expect(await world.status()).toBe("cancelled");
    expect(await world.counts()).toMatchObject({ succeeded: 1, cancelled: 1 });
  });
});

describe("a long wait of an item whose run is cancelled during its attempt", () => {
  const asksFor = (world: ConsumerWorld, seconds: number) => async () => {
    await world.runs.cancel(RUN);
    throw new RetryLater({ seconds });
  };

  test("ends at once: the item is cancelled, so the run ends", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    expect(await world.consume({ task: asksFor(world, 3_600) })).toEqual([]);
    expect(await world.status()).toBe("cancelled");
    expect(await world.counts()).toMatchObject({ succeeded: 0, dead: 0, cancelled: 2, pending: 0 });
    expect(world.sqs.visibilities).toEqual([]);
  });

  test("goes on if it is short, because its message soon comes again", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const now = Date.now();
    expect(await world.consume({ task: asksFor(world, 30) }, undefined, { now: () => now })).toEqual(["0"]);
    expect(await world.counts()).toMatchObject({ cancelled: 0, pending: 1 });
  });

  test("is settled once if the producer has cancelled the item before", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const task = async () => {
      throw new RetryLater({ hours: 3 });
    };
    expect(await world.consume({ task })).toEqual(["0"]);
    const run = await world.runs.cancel(RUN);
    if (run !== undefined) await world.runs.stopping.cancelWaiting(run, Date.now(), () => false);
    expect(await world.status()).toBe("cancelled");
    expect(await world.consume({ task: () => expect.unreachable() }, [world.message(0, { receiveCount: 2 })])).toEqual(
      [],
    );
    expect(await world.counts()).toMatchObject({ cancelled: 1, pending: 0 });
  });
});
