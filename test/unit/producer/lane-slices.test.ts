import { describe, expect, test } from "vitest";
import { type Cursor, RetryLater, SourceError } from "../../../shared/index.ts";
import { laneEntry, parseControlMessage } from "../../../shared/messages/control.ts";
import { LanesWorld, partitioned } from "../../helpers/lanes-world.ts";
import { RUN } from "../../helpers/producer-world.ts";

const done = { tag: "done" };
const lane = (number: number) => (group: string) => group === `lane-${number}-${RUN}`;
const isRun = (group: string) => group === RUN;

/** A run whose lanes are started. `sent` returns the control messages since then. */
async function started(
  source: ReturnType<typeof partitioned>,
  { producers = 1, ...more }: Partial<ConstructorParameters<typeof LanesWorld>[0]> = {},
  options: ConstructorParameters<typeof LanesWorld>[1] = {},
) {
  const world = new LanesWorld({ source, producers, ...more }, options);
  await world.start();
  await world.deliver(isRun);
  const before = world.sqs.control.length;
  const sent = () => world.sqs.control.slice(before).map(({ body }) => parseControlMessage(body));
  return { world, sent };
}

describe("A message of a lane", () => {
  test("of a run that the ledger does not know is dropped", async () => {
    const { world, sent } = await started(partitioned({ a: [1] }));
    expect(await world.handle(laneEntry({ run: "none", workflow: "test", lane: 0, hop: 1 }))).toEqual(done);
    expect(sent()).toEqual([]);
  });

  test("of a run that has ended announces the end again, if the announcement was lost", async () => {
    const { world, sent } = await started(partitioned({ a: [1] }));
    const [late] = world.pending;
    await world.drain();
    world.announces = true;
    world.store.before = (operation, _, update) => {
      if (operation === "update" && update?.set?.announced === true) throw new Error("dies");
    };
    await expect(world.succeed()).rejects.toThrow("dies");
    world.store.before = () => {};
    const announced = () => sent().filter(({ type }) => type === "complete").length;
    expect(announced()).toBe(1);
    expect(late && (await world.handle(late.entry))).toEqual(done);
    expect(announced()).toBe(2);
    expect(late && (await world.handle(late.entry))).toEqual(done);
    expect(announced()).toBe(2);
  });

  test("of a run that is paused is dropped without an announcement", async () => {
    const { world, sent } = await started(partitioned({ a: [1] }));
    await world.runs.pause(RUN);
    world.announces = true;
    expect(await world.deliver(lane(0))).toMatchObject(done);
    expect(sent()).toEqual([]);
  });
});

describe("A slice of a lane", () => {
  const FOUR = { a: [1, 2, 3, 4, 5, 6] };

  test("that lost its message leaves the rest to another producer", async () => {
    const source = partitioned(FOUR);
    const lost = new AbortController();
    const { world, sent } = await started(source);
    source.before = () => lost.abort();
    expect(await world.deliver(lane(0), { lost: lost.signal })).toMatchObject({ tag: "left" });
    expect(sent()).toEqual([]);
  });

  test("of a run that is paused sends no continuation", async () => {
    const source = partitioned(FOUR);
    const { world, sent } = await started(source);
    source.before = () => world.runs.pause(RUN);
    expect(await world.deliver(lane(0))).toMatchObject(done);
    expect(sent()).toEqual([]);
    expect((await world.run()).checkpoint.ended).toBe(false);
  });

  test("of a run that is cancelled continues the run, which ends the production of all partitions", async () => {
    const source = partitioned(FOUR);
    const { world, sent } = await started(source);
    const { hop } = await world.run();
    source.before = () => world.runs.cancel(RUN);
    expect(await world.deliver(lane(0))).toMatchObject(done);
    expect(sent()).toMatchObject([{ type: "continue", run: RUN, hop: hop + 1 }]);
  });

  test("whose time is over sends the lane's next continuation", async () => {
    const { world, sent } = await started(partitioned(FOUR));
    expect(await world.deliver(lane(0), { sliceEnd: 0 })).toMatchObject(done);
    expect(sent()).toMatchObject([{ type: "lane", lane: 0 }]);
  });

  test("whose process ends counts no failure, and another producer continues at once", async () => {
    const source = partitioned(FOUR);
    const shutdown = new AbortController();
    const { world } = await started(source);
    source.before = () => {
      shutdown.abort();
      return new Promise(() => {});
    };
    expect(await world.deliver(lane(0), { sliceEnd: 0 })).toMatchObject(done);
    const record = async () => await world.runs.progress.partition(await world.run(), { id: "a", number: 1 });
    expect(await world.deliver(lane(0), { shutdown: shutdown.signal })).toMatchObject({ tag: "wait", milliseconds: 0 });
    expect((await record()).failedSlices).toBe(0);
    expect(world.logger.lines.filter((line) => line.startsWith("error"))).toEqual([]);
  });

  test("that another producer has overtaken looks again after a second", async () => {
    const source = partitioned(FOUR);
    const { world } = await started(source);
    let isFirst = true;
    source.before = async () => {
      if (!isFirst) return;
      isFirst = false;
      const record = await world.runs.progress.partition(await world.run(), { id: "a", number: 1 });
      await world.runs.progress.checkpoint(record, { cursor: 4, skip: 0, pages: 0, items: 0, ended: false });
    };
    expect(await world.deliver(lane(0))).toMatchObject({ tag: "wait", milliseconds: 1_000 });
  });

  test("fails its partition if the slices before it were lost", async () => {
    const { world } = await started(partitioned({ a: [1], b: [2] }));
    await world.deliver(lane(0), { sliceEnd: 0 });
    const run = await world.run();
    for (let lost = 0; lost < 5; lost++)
      await world.runs.progress.takeUpPartition(run, { id: "a", number: 1 }, run.hop);
    await world.drain();
    expect(world.items).toEqual([2]);
    expect((await world.run()).failure).toMatch(
      /^partition "a": the producer failed 5 times in a row: it crashed, ran out of time or lost its control message\. /,
    );
  });

  test("fails its partition with the reason of an earlier slice, if the later ones were lost", async () => {
    const source = partitioned({ a: [1] });
    source.before = () => {
      throw new Error("no answer");
    };
    const { world } = await started(source);
    await world.deliver(lane(0));
    await world.deliver(lane(0));
    const run = await world.run();
    for (let lost = 0; lost < 3; lost++)
      await world.runs.progress.takeUpPartition(run, { id: "a", number: 1 }, run.hop);
    await world.drain();
    expect((await world.run()).failure).toContain("failed 5 times in a row: the source threw: no answer");
  });

  test("that asks for a wait after its last page is read ahead records the wait", async () => {
    const source = partitioned(FOUR);
    const { world } = await started(source);
    source.before = (_, from) => {
      if (from === 2) throw new RetryLater({ minutes: 3 });
    };
    await world.deliver(lane(0), { sliceEnd: 0 });
    const verdict = await world.deliver(lane(0), { sliceEnd: 0 });
    expect(verdict).toMatchObject({ tag: "wait", milliseconds: 180_000 });
    const { wait, failedSlices } = await world.runs.progress.partition(await world.run(), { id: "a", number: 1 });
    expect([wait?.until, failedSlices]).toEqual([world.now + 180_000, 0]);
  });

  test("that asks for a wait that is too long fails its partition, and the others are read", async () => {
    const source = partitioned({ a: [1], b: [2] });
    source.before = (id) => {
      if (id === "a") throw new RetryLater({ days: 30 });
    };
    const { world } = await started(source);
    await world.drain();
    expect(world.items).toEqual([2]);
    expect((await world.run()).failure).toMatch(/^partition "a": the source asks to wait until /);
  });

  test.each(["signal", "lost", "shutdown"] as const)(
    "begins no further partition after its %s has fired",
    async (which) => {
      const source = partitioned({ a: [1], b: [2] });
      const reads: string[] = [];
      source.before = (id) => reads.push(id);
      const stop = new AbortController();
      const { world, sent } = await started(source);
      world.store.before = (operation, key, update) => {
        const isTaken = operation === "update" && key?.sk === "lanes" && update?.set?.["lane 0"] === 2;
        if (isTaken) stop.abort();
      };
      expect(await world.deliver(lane(0), { [which]: stop.signal })).toMatchObject(done);
      expect(reads).toEqual(["a"]);
      expect(sent()).toMatchObject([{ type: "lane", lane: 0 }]);
      world.store.before = () => {};
      await world.drain();
      expect(world.items).toEqual([1, 2]);
    },
  );

  test("begins no further partition at the end of its time", async () => {
    const source = partitioned({ a: [1], b: [2] });
    const { world, sent } = await started(source);
    world.store.before = (operation, key, update) => {
      if (operation === "update" && key?.sk === "lanes" && update?.set?.["lane 0"] === 2) world.now = 9_000;
    };
    world.now = 8_999;
    await world.deliver(lane(0), { sliceEnd: 9_000 });
    expect(world.items).toEqual([1]);
    expect(sent()).toMatchObject([{ type: "lane", lane: 0 }]);
  });

  test("passes the partition to the source as the source returned it", async () => {
    const seen: unknown[] = [];
    const source = {
      ...partitioned({}),
      partitions: () => [{ id: "a", cursor: "first" }, { id: "b" }],
      readPage(_: Cursor | undefined, { partition }: { readonly partition?: unknown }) {
        seen.push(partition);
        return { items: [] };
      },
    };
    const { world } = await started(source as unknown as ReturnType<typeof partitioned>);
    await world.drain();
    expect(seen).toEqual([{ id: "a", cursor: "first" }, { id: "b" }]);
    expect(seen.map((each) => Object.keys(each as object))).toEqual([["id", "cursor"], ["id"]]);
  });

  test("of a run without a limit reads how far all partitions were read at the end of the source only", async () => {
    const { world } = await started(partitioned({ a: [1, 2, 3], b: [4], c: [5] }));
    let reads = 0;
    world.store.before = (operation) => {
      if (operation === "getMany") reads++;
    };
    await world.deliver(lane(0), { sliceEnd: 0 });
    expect(reads).toBe(0);
    await world.deliver(lane(0));
    expect(world.items).toEqual([1, 2, 3, 4, 5]);
    expect(reads).toBe(1);
  });

  test("reads nothing of the partitions after the last item of a limit", async () => {
    const source = partitioned({ a: [1, 2], b: [3], c: [4] });
    const reads: string[] = [];
    source.before = (id) => reads.push(id);
    const { world } = await started(source, { limit: 2 });
    await world.drain();
    expect(reads).toEqual(["a"]);
    expect(await world.run()).toMatchObject({ checkpoint: { ended: true, items: 2 } });
  });

  describe("with other lanes beside it", () => {
    const many = () => ({ a: Array.from({ length: 20 }, (_, number) => number), b: [] });
    /** Reads with a page every `milliseconds`, while the other lanes fill the queue. Returns how many items were sent. */
    async function sentBeforeFull(producers: number, milliseconds: number) {
      const source = partitioned(many());
      const { world } = await started(source, { producers }, { maxBacklog: 1_000 });
      source.before = () => {
        world.now += milliseconds;
        world.sqs.depth = { visible: 1_000, inFlight: 0, delayed: 0 };
      };
      await world.deliver(lane(0));
      return world.items.length;
    }

    test("asks how full the queue is when two seconds have passed", async () => {
      // The first page is sent while the second one is read.
      expect(await sentBeforeFull(2, 1_001)).toBe(0);
      expect(await sentBeforeFull(2, 1_000)).toBe(2);
      expect(await sentBeforeFull(2, 50)).toBe(20);
    });

    test("need not ask if it is the only lane", async () => {
      expect(await sentBeforeFull(1, 10_000)).toBe(20);
    });

    test("assumes that they have produced as much, for the pace of the consumers", async () => {
      const source = partitioned(many());
      const { world } = await started(source, { producers: 2 }, { maxBacklog: 8 });
      world.sqs.before = () => {
        world.sqs.depth = { visible: world.items.length, inFlight: 0, delayed: 0 };
      };
      await world.deliver(lane(0));
      const { fullAt } = await world.runs.progress.partition(await world.run(), { id: "a", number: 1 });
      expect(fullAt).toMatchObject({ produced: 2 * world.items.length, backlog: world.items.length });
    });
  });
});

describe("The start of the lanes", () => {
  const THREE = { a: [1, 2, 3], b: [], c: [4] };

  test("asks for the list of partitions once, even if the run is paused and resumed", async () => {
    let asked = 0;
    const partitions = () => {
      asked++;
      return [{ id: "a" }, { id: "c" }];
    };
    const source = { ...partitioned(THREE), partitions };
    const world = new LanesWorld({ source, producers: 2 });
    await world.start();
    await world.deliver(isRun);
    await world.runs.pause(RUN);
    await world.resume();
    await world.drain();
    expect(asked).toBe(1);
    expect(world.items.toSorted()).toEqual([1, 2, 3, 4]);
  });

  test("begins as many lanes as there are partitions, and at least one", async () => {
    for (const [count, lanes] of [
      [0, 1],
      [1, 1],
      [2, 2],
      [9, 4],
    ] as const) {
      const parts = Object.fromEntries(Array.from({ length: Math.max(1, count) }, (_, number) => [`${number}`, []]));
      const world = new LanesWorld({ source: partitioned(parts), producers: 4 });
      await world.start();
      if (count === 0) await world.runs.lanes.seal(await world.run(), []);
      await world.deliver(isRun);
      expect(world.pending.map(({ entry }) => entry.group)).toEqual(
        Array.from({ length: lanes }, (_, number) => `lane-${number}-${RUN}`),
      );
      await world.drain();
      expect(await world.run()).toMatchObject({ status: "completed" });
    }
  });

  test("only rolls up if the production has ended, and its producer died", async () => {
    const { world } = await started(partitioned({ a: [] }));
    world.store.before = (operation, _, update) => {
      if (operation === "update" && update?.set?.size !== undefined) throw new Error("dies");
    };
    await expect(world.drain()).rejects.toThrow("dies");
    world.store.before = () => {};
    expect(await world.run()).toMatchObject({ status: "running", checkpoint: { ended: true } });
    world.pending.length = 0;
    await world.continueWith((await world.run()).hop + 1);
    await world.deliver(isRun);
    expect(world.pending).toEqual([]);
    expect(await world.run()).toMatchObject({ status: "completed" });
  });

  test("is left to another producer if the message was lost", async () => {
    const lost = new AbortController();
    const partitions = async () => {
      lost.abort();
      return [{ id: "a" }];
    };
    const world = new LanesWorld({ source: { ...partitioned(THREE), partitions } });
    await world.start();
    expect(await world.deliver(isRun, { lost: lost.signal })).toMatchObject({ tag: "left" });
    expect((await world.run()).partitions).toBeUndefined();
    expect(world.pending.map(({ entry }) => entry.group)).toEqual([RUN]);
  });

  test("gives the source a signal and a function for warnings", async () => {
    const partitions = async ({ warn, signal }: { warn: (message: string) => void; signal: AbortSignal }) => {
      expect(signal.aborted).toBe(false);
      warn("an old list");
      throw new Error("no answer");
    };
    const world = new LanesWorld({ source: { ...partitioned(THREE), partitions } });
    await world.start();
    await world.deliver(isRun);
    expect(await world.run()).toMatchObject({ warnings: ["an old list"], failedSlices: 1 });
  });

  test("fails its slice if the source does not answer in time", async () => {
    const stop = new AbortController();
    const partitions = () => {
      stop.abort();
      return new Promise<never>(() => {});
    };
    const world = new LanesWorld({ source: { ...partitioned(THREE), partitions } });
    await world.start();
    await world.deliver(isRun, { signal: stop.signal });
    expect(await world.run()).toMatchObject({
      failedSlices: 1,
      sliceError: "the source did not return its partitions in time",
    });
    // The signal of this slice has fired before it begins.
    await world.deliver(isRun, { signal: stop.signal });
    expect(await world.run()).toMatchObject({ failedSlices: 2 });
  });

  test("counts no failure if the process ends, and another producer continues at once", async () => {
    const shutdown = new AbortController();
    let signal: AbortSignal | undefined;
    const partitions = (context: { signal: AbortSignal }) => {
      signal = context.signal;
      setImmediate(() => shutdown.abort());
      return new Promise<never>(() => {});
    };
    const world = new LanesWorld({ source: { ...partitioned(THREE), partitions } });
    await world.start();
    const verdict = await world.deliver(isRun, { shutdown: shutdown.signal });
    expect(verdict).toMatchObject({ tag: "wait", milliseconds: 0 });
    expect(signal?.aborted).toBe(true);
    expect((await world.run()).failedSlices).toBe(0);
  });

  test("tells apart what the source threw", async () => {
    const failureOf = async (thrown: unknown) => {
      const partitions = () => {
        throw thrown;
      };
      const world = new LanesWorld({ source: { ...partitioned(THREE), partitions } });
      await world.start();
      await world.deliver(isRun);
      const { status, failure, sliceError } = await world.run();
      return { status, text: failure ?? sliceError };
    };
    const own = "the list has changed";
    expect(await failureOf(new SourceError(own, { permanent: true }))).toEqual({ status: "failed", text: own });
    expect(await failureOf(new SourceError(own))).toEqual({ status: "running", text: own });
    expect(await failureOf(new Error(own))).toEqual({
      status: "running",
      text: `the source's function partitions threw: ${own}`,
    });
    expect(await failureOf(new RetryLater({ days: 30 }))).toMatchObject({
      status: "failed",
      text: expect.stringContaining("the source asks to wait until"),
    });
  });

  test("waits as long as the source asks, and begins then", async () => {
    let isBusy = true;
    const partitions = () => {
      if (isBusy) throw new RetryLater({ minutes: 5 });
      return [{ id: "a" }];
    };
    const world = new LanesWorld({ source: { ...partitioned(THREE), partitions }, producers: 1 });
    await world.start();
    expect(await world.deliver(isRun)).toMatchObject(done);
    expect(await world.run()).toMatchObject({ wait: { until: world.now + 300_000 }, failedSlices: 0 });
    expect(world.pending.map(({ entry }) => entry.group)).toEqual([`wait-${RUN}`]);
    isBusy = false;
    world.now += 300_000;
    await world.drain();
    expect(world.items).toEqual([1, 2, 3]);
    expect((await world.run()).wait).toBeUndefined();
  });
});
