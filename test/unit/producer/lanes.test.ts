import { describe, expect, test, vi } from "vitest";
import { type Cursor, items, PermanentError, RetryLater } from "../../../shared/index.ts";
import { lanesKey, partitionListKey, runKey } from "../../../shared/ledger/keys.ts";
import { partitionKey } from "../../../shared/messages/item-address.ts";
import { LanesWorld, partitioned } from "../../helpers/lanes-world.ts";
import { RUN } from "../../helpers/producer-world.ts";

const THREE = { a: ["a1", "a2", "a3"], b: [], c: ["c1"] };
const lane = (number: number) => (group: string) => group === `lane-${number}-${RUN}`;
const isRun = (group: string) => group === RUN;

describe("A run with partitions", () => {
  test.each([1, 2, 5])("reads each of them once with %i lanes, and completes", async (producers) => {
    const world = new LanesWorld({ source: partitioned(THREE), producers });
    await world.start();
    await world.drain();
    expect(world.items.toSorted()).toEqual(["a1", "a2", "a3", "c1"]);
    expect(world.messages.map(({ partition }) => partition).toSorted()).toEqual([1, 1, 1, 3]);
    expect(await world.run()).toMatchObject({
      status: "running",
      partitions: 3,
      checkpoint: { ended: true, items: 4 },
    });
    await world.succeed();
    expect(await world.run()).toMatchObject({ status: "completed", checkpoint: { items: 4, pages: 3 } });
    expect(await world.runs.counts(await world.run())).toMatchObject({ produced: 4, succeeded: 4, pending: 0 });
  });

  test("has exact counts while it works", async () => {
    const world = new LanesWorld({ source: partitioned(THREE), producers: 2 });
    await world.start();
    await world.deliver(isRun);
    await world.deliver(lane(1), { sliceEnd: 0 });
    await world.deliver(lane(1), { sliceEnd: 0 });
    const counts = async () => await world.runs.counts(await world.run());
    expect(await counts()).toMatchObject({ produced: 2, succeeded: 0, pending: 2 });
    await world.succeed();
    expect(await counts()).toMatchObject({ produced: 2, succeeded: 2, pending: 0 });
    expect((await world.run()).status).toBe("running");
  });

  test("does not end its production while another lane reads", async () => {
    const world = new LanesWorld({ source: partitioned({ a: [1, 2, 3], b: [] }), producers: 2 });
    await world.start();
    await world.deliver(isRun);
    // This slice ends after its first page.
    await world.deliver(lane(0), { sliceEnd: 0 });
    await world.deliver(lane(0), { sliceEnd: 0 });
    await world.deliver(lane(1));
    expect((await world.run()).checkpoint.ended).toBe(false);
    await world.drain();
    expect((await world.run()).checkpoint).toMatchObject({ ended: true, items: 3 });
  });

  test("keeps its row and the row of each partition small, whatever their number", async () => {
    const parts = Object.fromEntries(Array.from({ length: 250 }, (_, number) => [`part ${number}`, [number]]));
    const world = new LanesWorld({ source: partitioned(parts), producers: 3 });
    await world.start();
    await world.drain();
    await world.succeed();
    expect(world.items).toHaveLength(250);
    expect((await world.run()).status).toBe("completed");
    const row = await world.store.get(runKey(RUN));
    expect(row?.fullGroups).toEqual(new Set([0, 1, 2]));
    expect(row?.fullBlocks).toBeUndefined();
    expect(JSON.stringify(await world.store.get(lanesKey(RUN))).length).toBeLessThan(400);
  });

  test("has the ledger version of a run without partitions", async () => {
    const world = new LanesWorld({ source: partitioned(THREE) });
    await world.start();
    expect(await world.store.get(runKey(RUN))).toMatchObject({ version: 3, lanes: 4 });
    const other = new LanesWorld({ source: items([1]) });
    await other.start();
    expect(await other.store.get(runKey(RUN))).toMatchObject({ version: 3 });
    expect((await other.run()).lanes).toBeUndefined();
  });

  test("begins at the cursors of its list", async () => {
    const read: (Cursor | undefined)[] = [];
    const source = {
      partitions: () => [{ id: "a", cursor: { from: 12n ** 20n } as unknown as Cursor }, { id: "b" }],
      readPage(cursor: Cursor | undefined) {
        read.push(cursor);
        return { items: [] };
      },
    };
    const world = new LanesWorld({ source, producers: 1 });
    await world.start();
    await world.drain();
    expect(read).toEqual([{ from: 12n ** 20n }, undefined]);
  });
});

describe("A run that was resumed after a partition had failed", () => {
  /** A run that has failed because of its partition `a`, and the last message of its lane. */
  async function failed() {
    let isBroken = true;
    const source = partitioned({ a: ["a1"], b: ["b1"] });
    source.before = (partition) => {
      if (isBroken && partition === "a") throw new PermanentError("no rights");
    };
    const world = new LanesWorld({ source, producers: 1 });
    await world.start();
    await world.drain();
    expect((await world.run()).status).toBe("failed");
    const last = world.sqs.control.findLast(({ group }) => group !== RUN);
    if (last === undefined) throw new Error("no lane was started");
    const repair = () => {
      isBroken = false;
    };
    return { world, last, repair };
  }

  test("is not failed by an old message of a lane that SQS delivers again before the next round begins", async () => {
    const { world, last, repair } = await failed();
    repair();
    await world.resume();
    await world.handle(last, 2);
    expect((await world.run()).status).toBe("running");
    await world.drain();
    await world.succeed();
    expect(world.items.toSorted()).toEqual(["a1", "b1"]);
    expect((await world.run()).status).toBe("completed");
  });

  test("is not failed by a lane that read the run before it was resumed", async () => {
    const { world, last } = await failed();
    // A producer that read the run before the resume writes only now.
    const { find } = world.runs;
    await world.runs.reopen(RUN);
    const before = await world.run();
    vi.spyOn(world.runs, "find").mockImplementationOnce(async () => ({ ...before, resumedRound: undefined }));
    await world.handle(last, 2);
    expect((await find.call(world.runs, RUN))?.status).toBe("running");
  });

  test("fails again, and can be resumed again, if the partition still cannot be read", async () => {
    const { world, repair } = await failed();
    await world.resume();
    await world.drain();
    expect((await world.run()).status).toBe("failed");
    repair();
    await world.resume();
    await world.drain();
    await world.succeed();
    expect((await world.run()).status).toBe("completed");
  });
});

describe("The list of partitions", () => {
  test("is discarded if it was not sealed, and asked for again", async () => {
    const asked = vi
      .fn()
      .mockReturnValueOnce([{ id: "c" }, { id: "a" }])
      .mockReturnValue([{ id: "a" }]);
    const world = new LanesWorld({ source: { ...partitioned(THREE), partitions: asked }, producers: 1 });
    await world.start();
    world.store.before = (operation, key, update) => {
      if (operation === "update" && key?.sk === "lanes" && update?.set?.count !== undefined) throw new Error("dies");
    };
    await expect(world.deliver(isRun)).rejects.toThrow("dies");
    world.store.before = () => {};
    await world.drain();
    expect(asked).toHaveBeenCalledTimes(2);
    expect(world.items).toEqual(["a1", "a2", "a3"]);
    expect(await world.run()).toMatchObject({ partitions: 1 });
  });

  test("is not replaced by a producer that is late", async () => {
    const world = new LanesWorld({ source: partitioned(THREE), producers: 1 });
    await world.start();
    await world.deliver(isRun);
    const run = await world.run();
    await world.runs.lanes.seal(run, [{ id: "another" }]);
    expect(await world.runs.lanes.read(run)).toMatchObject({ count: 3, plan: 1 });
    await world.drain();
    expect(world.items).toHaveLength(4);
    // Its rows are there, and nobody reads them.
    expect(await world.store.get(partitionListKey(RUN, 2, 0))).toBeDefined();
  });

  test("that cannot be read is tried again, and fails the run after five slices", async () => {
    const partitions = () => {
      throw new Error("no answer");
    };
    const world = new LanesWorld({ source: { ...partitioned(THREE), partitions } });
    await world.start();
    await world.drain();
    expect(await world.run()).toMatchObject({
      status: "failed",
      failure: "the producer failed 5 times in a row: the source's function partitions threw: no answer",
    });
  });

  test("that is empty fails the run at once", async () => {
    const world = new LanesWorld({ source: { ...partitioned(THREE), partitions: () => [] } });
    await world.start();
    await world.deliver(isRun);
    expect((await world.run()).failure).toContain("returned no partition");
  });

  test("may wait: the run waits, and asks again", async () => {
    const partitions = vi
      .fn()
      .mockRejectedValueOnce(new RetryLater({ minutes: 3 }))
      .mockReturnValue([{ id: "a" }]);
    const world = new LanesWorld({ source: { ...partitioned(THREE), partitions } });
    await world.start();
    await world.deliver(isRun);
    expect((await world.run()).wait).toBeDefined();
    expect(world.items).toEqual([]);
    await world.drain();
    expect(world.items).toEqual(["a1", "a2", "a3"]);
    expect((await world.run()).wait).toBeUndefined();
  });

  test("of a source that has none any more, after a deploy, is one partition", async () => {
    const world = new LanesWorld({ source: partitioned(THREE), producers: 1 });
    await world.start();
    const source = { readPage: () => ({ items: ["all"] }) };
    const after = new LanesWorld({ source }, { ledger: world.ledger, runs: world.runs });
    await after.continueWith(1);
    await after.drain();
    expect(after.items).toEqual(["all"]);
    expect(await world.run()).toMatchObject({ partitions: 1, checkpoint: { ended: true } });
  });
});

describe("A partition that cannot be read", () => {
  test("fails after five slices, the others are read, and a resumed run reads it from its checkpoint", async () => {
    const source = partitioned({ a: [1, 2, 3], b: [4] });
    const reads: string[] = [];
    let isBroken = true;
    source.before = (id, from) => {
      reads.push(`${id} ${from}`);
      if (isBroken && id === "a" && from === 2) throw new Error("damaged");
    };
    const world = new LanesWorld({ source, producers: 1 });
    await world.start();
    await world.drain();
    expect(world.items).toEqual([1, 2, 4]);
    expect(await world.run()).toMatchObject({
      status: "failed",
      failure:
        'partition "a": the producer failed 5 times in a row: the source threw: damaged. The other partitions were read. ' +
        "sluice resume reads this partition again",
    });
    expect((await world.run()).completedAt).toBeUndefined();

    isBroken = false;
    reads.length = 0;
    await world.resume();
    await world.drain();
    expect(reads).toEqual(["a 2"]);
    await world.succeed();
    expect(await world.run()).toMatchObject({ status: "completed", checkpoint: { items: 4 } });
  });

  test("fails at once after a permanent error", async () => {
    const source = partitioned(THREE);
    source.before = (id) => {
      if (id !== "c") throw new PermanentError(`no rights for ${id}`);
    };
    const world = new LanesWorld({ source, producers: 2 });
    await world.start();
    await world.drain();
    expect(world.items).toEqual(["c1"]);
    expect((await world.run()).failure).toBe(
      '2 partitions could not be read. The first is partition "a": the source threw: no rights for a. sluice resume reads ' +
        "them again",
    );
  });

  test("stops the lanes when a hundred of them have failed", async () => {
    const parts = Object.fromEntries(Array.from({ length: 150 }, (_, number) => [`${number}`, [number]]));
    const source = partitioned(parts);
    source.before = () => {
      throw new PermanentError("no rights");
    };
    const world = new LanesWorld({ source, producers: 1 });
    await world.start();
    await world.drain();
    expect((await world.run()).failure).toContain("100 partitions could not be read");
    source.before = () => {};
    await world.resume();
    await world.drain();
    expect(new Set(world.items).size).toBe(150);
    expect((await world.run()).checkpoint).toMatchObject({ ended: true, items: 150 });
  });

  test("counts failures of its own: a page between them begins anew", async () => {
    const source = partitioned({ a: Array.from({ length: 20 }, (_, number) => number) });
    let reads = 0;
    source.before = () => {
      if (reads++ % 2 === 1) throw new Error("every second read");
    };
    const world = new LanesWorld({ source, producers: 1 });
    await world.start();
    await world.drain();
    expect(new Set(world.items).size).toBe(20);
    expect((await world.run()).status).toBe("running");
  });

  test("that asks for a wait hides the message of its lane, and the other lane goes on", async () => {
    const source = partitioned({ a: [1], b: [2] });
    let isBusy = true;
    source.before = (id) => {
      if (isBusy && id === "a") throw new RetryLater({ minutes: 3 });
    };
    const world = new LanesWorld({ source, producers: 2 });
    await world.start();
    await world.deliver(isRun);
    const verdict = await world.deliver(lane(0));
    expect(verdict?.tag).toBe("wait");
    await world.deliver(lane(1));
    expect(world.items).toEqual([2]);
    // It reads nothing before the wait ends, even if its message is received.
    isBusy = false;
    await world.deliver(lane(0));
    expect(world.items).toEqual([2]);
    world.now += 180_000;
    await world.drain();
    expect(world.items).toEqual([2, 1]);
  });
});

describe("A run with partitions and", () => {
  test.each([0, 1, 2, 3])("a limit has exactly the first items: %i more than one partition", async (more) => {
    const world = new LanesWorld({ source: partitioned(THREE), producers: 4, limit: 1 + more });
    await world.start();
    await world.drain();
    expect(world.items).toEqual(["a1", "a2", "a3", "c1"].slice(0, 1 + more));
    expect(await world.run()).toMatchObject({ lanes: 1, checkpoint: { ended: true, items: 1 + more } });
    await world.succeed();
    expect((await world.run()).status).toBe("completed");
  });

  test("--items has exactly the first items too", async () => {
    const world = new LanesWorld({ source: partitioned(THREE), producers: 4 });
    await world.start(2);
    await world.drain();
    expect(world.items).toEqual(["a1", "a2"]);
  });

  test("a limit reads no partition after one that failed, so a resumed run has exactly the first items", async () => {
    const source = partitioned(THREE);
    let isBroken = true;
    source.before = (id, from) => {
      if (isBroken && id === "a" && from === 2) throw new PermanentError("damaged");
    };
    const world = new LanesWorld({ source, limit: 3 });
    await world.start();
    await world.drain();
    expect(world.items).toEqual(["a1", "a2"]);
    expect(await world.run()).toMatchObject({
      status: "failed",
      failure:
        'partition "a": the source threw: damaged. The partitions after it were not read, because the run has a limit of ' +
        "items. sluice resume reads this partition again",
    });
    isBroken = false;
    await world.resume();
    await world.drain();
    expect(world.items).toEqual(["a1", "a2", "a3"]);
    await world.succeed();
    expect(await world.run()).toMatchObject({ status: "completed", checkpoint: { items: 3 } });
  });

  test("a producer that begins a round late changes nothing of it", async () => {
    const source = partitioned({ a: [1], b: [2], c: [3, 4, 5, 6] });
    source.before = (id) => {
      if (id === "a") throw new PermanentError("damaged");
    };
    const world = new LanesWorld({ source, producers: 1 });
    await world.start();
    await world.drain();
    const run = await world.run();
    const round = run.hop + 1;
    // The late producer has read the row of the lanes. Before it writes, another one begins the round, and its lane works.
    let isFirst = true;
    world.store.before = async (operation, key) => {
      if (operation !== "update" || key?.sk !== "lanes" || !isFirst) return;
      isFirst = false;
      await world.resume();
      await world.drain();
    };
    await world.runs.lanes.beginRound(run, round);
    const row = await world.runs.lanes.read(run);
    expect(row.again).toEqual([]);
    expect([...row.failed.keys()]).toEqual([1]);
  });

  test("a pause reads no page, and goes on when it is resumed", async () => {
    const world = new LanesWorld({ source: partitioned(THREE), producers: 2 });
    await world.start();
    await world.deliver(isRun);
    await world.runs.pause(RUN);
    await world.drain();
    expect(world.items).toEqual([]);
    await world.resume();
    await world.drain();
    expect(world.items.toSorted()).toEqual(["a1", "a2", "a3", "c1"]);
    await world.succeed();
    expect((await world.run()).status).toBe("completed");
  });

  test("a pause that ends before its lanes noticed it reads each page once", async () => {
    const world = new LanesWorld({ source: partitioned(THREE), producers: 2 });
    await world.start();
    await world.deliver(isRun);
    await world.deliver(lane(0), { sliceEnd: 0 });
    await world.runs.pause(RUN);
    await world.resume();
    await world.drain();
    expect(world.items.toSorted()).toEqual(["a1", "a2", "a3", "c1"]);
    expect((await world.run()).checkpoint).toMatchObject({ ended: true, items: 4 });
  });

  test("a cancellation takes no further partition, and counts what was sent", async () => {
    const world = new LanesWorld({ source: partitioned({ a: [1, 2, 3], b: [4], c: [5] }), producers: 1 });
    await world.start();
    await world.deliver(isRun);
    await world.deliver(lane(0), { sliceEnd: 0 });
    await world.deliver(lane(0), { sliceEnd: 0 });
    expect(world.items).toEqual([1, 2]);
    await world.runs.cancel(RUN);
    await world.drain();
    expect(world.items).toEqual([1, 2]);
    expect(await world.run()).toMatchObject({ status: "cancelling", checkpoint: { ended: true, items: 2 } });
    for (const { page, index } of world.messages) {
      const items = [{ index, redriveGeneration: 0 }];
      await world.ledger.outcomes.recordCancelled({ run: RUN, partition: 1, page, epoch: 1, items });
    }
    expect(await world.run()).toMatchObject({ status: "cancelled", totals: { cancelled: 2 } });
  });

  test("a cancellation before it has a list ends with no item", async () => {
    const world = new LanesWorld({ source: partitioned(THREE) });
    await world.start();
    await world.runs.cancel(RUN);
    await world.drain();
    expect(await world.run()).toMatchObject({ status: "cancelled", checkpoint: { items: 0 } });
  });

  test("a full queue shares the room among its lanes", async () => {
    const parts = { a: Array.from({ length: 40 }, (_, number) => number), b: [] };
    const world = new LanesWorld({ source: partitioned(parts), producers: 2 }, { maxBacklog: 10 });
    await world.start();
    await world.deliver(isRun);
    world.sqs.before = () => {
      world.sqs.depth = { visible: world.messages.length, inFlight: 0, delayed: 0 };
    };
    const verdict = await world.deliver(lane(0));
    expect(verdict?.tag).toBe("wait");
    expect(world.messages.length).toBeGreaterThanOrEqual(10);
    expect(world.messages.length).toBeLessThan(14);
    const row = await world.store.get(partitionKey({ run: RUN, partition: 1 }));
    expect(row).toMatchObject({ failedSlices: 0, fullAt: { backlog: world.messages.length } });
  });

  test("a late message of a lane changes nothing", async () => {
    const world = new LanesWorld({ source: partitioned(THREE), producers: 1 });
    await world.start();
    await world.deliver(isRun);
    const [late] = world.pending;
    await world.deliver(lane(0), { sliceEnd: 0 });
    await world.deliver(lane(0), { sliceEnd: 0 });
    const sent = world.items.length;
    expect(late && (await world.handle(late.entry))).toEqual({ tag: "done" });
    expect(world.items).toHaveLength(sent);
  });

  test("too many dead items stops all lanes", async () => {
    const source = partitioned({ a: [Number.NaN, Number.NaN, 1], b: [2] });
    const world = new LanesWorld({ source, producers: 1, toleratedFailures: { count: 1 } });
    await world.start();
    await world.drain();
    expect(await world.run()).toMatchObject({ status: expect.stringMatching(/^fail/), checkpoint: { ended: true } });
    expect(world.items).not.toContain(2);
  });
});
