import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Key, Update } from "../../../shared/aws/table.ts";
import { type Cursor, RetryLater } from "../../../shared/index.ts";
import { LanesWorld, partitioned } from "../../helpers/lanes-world.ts";
import { ProducerWorld, RUN } from "../../helpers/producer-world.ts";

const MINUTES = 60_000;
const done = { tag: "done" };
const isRun = (group: string) => group === RUN;
const isLane = (group: string) => group === `lane-0-${RUN}`;
const range = (length: number) => Array.from({ length }, (_, index) => index);

/** A source with a page of 120 items, which the producer sends in two parts. The service refuses the page after it. */
const refusedAfter = (wait: RetryLater) => ({
  readPage: (cursor: Cursor = 0) => {
    if (cursor === 1) throw wait;
    return { items: range(120), next: 1 };
  },
});

/** Makes the write of a page's row fail, after the next page of the source was refused. */
function failAtPage(world: ProducerWorld, page: number, act = () => {}) {
  world.store.before = async (operation, key, update) => {
    if (operation !== "update" || key?.sk !== "page" || update?.set?.digest === undefined) return;
    if (!key.pk.endsWith(`#${page}`)) return;
    await setImmediate();
    act();
    throw new Error("the ledger is away");
  };
}

describe("a slice that fails after the service has asked for a wait", () => {
  test("counts as failed, and the wait is recorded", async () => {
    const world = new ProducerWorld({ source: refusedAfter(new RetryLater({ minutes: 20 })) });
    await world.start();
    failAtPage(world, 1);
    expect(await world.continue()).toEqual({ tag: "wait", milliseconds: 500 });
    expect(await world.run()).toMatchObject({
      failedSlices: 1,
      sliceError: "the ledger is away",
      wait: { until: world.now + 20 * MINUTES },
    });
  });

  test("fails the run if the wait is too long, and no other slice follows", async () => {
    const world = new ProducerWorld({ source: refusedAfter(new RetryLater({ days: 30 })) });
    await world.start();
    failAtPage(world, 1);
    expect(await world.continue()).toEqual(done);
    expect(await world.run()).toMatchObject({
      status: "failed",
      failure: expect.stringMatching(/^the source asks to wait until /),
    });
    expect(world.logger.lines).not.toContain("error: the producer failed");
  });

  test("and starts the run fails the run if the wait is too long, and sends no continuation", async () => {
    const world = new ProducerWorld({ source: refusedAfter(new RetryLater({ days: 30 })) });
    failAtPage(world, 0);
    expect(await world.startWithPage()).toEqual(done);
    expect((await world.run()).status).toBe("failed");
    expect(world.hops).toEqual([]);
  });
});

test("a slice that is interrupted after the service has asked for a wait records the wait, and counts no failure", async () => {
  const world = new ProducerWorld({ source: refusedAfter(new RetryLater({ minutes: 20 })) });
  await world.start();
  const shutdown = new AbortController();
  failAtPage(world, 1, () => shutdown.abort());
  expect(await world.continue(1, 1, { shutdown: shutdown.signal })).toEqual(done);
  expect(await world.run()).toMatchObject({ failedSlices: 0, wait: { until: world.now + 20 * MINUTES } });
});

describe("a first page that is refused", () => {
  const refused = (wait: RetryLater) => ({
    readPage: () => {
      throw wait;
    },
  });

  test("is no failure of its start, which logs the wait alone", async () => {
    const world = new ProducerWorld({ source: refused(new RetryLater({ minutes: 1 })) });
    await world.startWithPage();
    expect(world.logger.lines).toEqual(["warn: the service asked the source to wait"]);
    expect(world.hops).toEqual([1]);
  });

  test("for too long fails the run, and sends no continuation", async () => {
    const world = new ProducerWorld({ source: refused(new RetryLater({ days: 30 })) });
    await world.startWithPage();
    expect((await world.run()).status).toBe("failed");
    expect(world.hops).toEqual([]);
  });
});

describe("a wait that cannot be recorded, because another producer has advanced the run,", () => {
  /** Calls `act` before a wait is written. */
  function beforeWait(world: ProducerWorld, act: () => Promise<unknown>) {
    let isFirst = true;
    world.store.before = async (operation: string, _?: Key, update?: Update) => {
      if (operation !== "update" || update?.set?.waitUntil === undefined || !isFirst) return;
      isFirst = false;
      await act();
    };
  }

  test("makes the producer look again after a second", async () => {
    const world = new ProducerWorld({ source: refusedAfter(new RetryLater({ minutes: 20 })) });
    await world.start();
    beforeWait(world, async () => {
      const run = await world.run();
      await world.runs.progress.checkpoint(run, { ...run.checkpoint, cursor: 2, pages: 3, items: 130 });
    });
    expect(await world.continue()).toEqual({ tag: "wait", milliseconds: 1_000 });
    expect(await world.run()).toMatchObject({ wait: undefined, checkpoint: { pages: 3, items: 130 } });
  });

  test("makes a lane look again after a second", async () => {
    const source = partitioned({ a: [1, 2, 3] });
    source.before = (_, from) => {
      if (from === 2) throw new RetryLater({ minutes: 20 });
    };
    const world = new LanesWorld({ source, producers: 1 });
    await world.start();
    await world.deliver(isRun);
    const partition = async () => await world.runs.progress.partition(await world.run(), { id: "a", number: 1 });
    beforeWait(world, async () => {
      const { checkpoint, ...record } = await partition();
      await world.runs.progress.checkpoint({ ...record, checkpoint }, { ...checkpoint, pages: 2, items: 3 });
    });
    expect(await world.deliver(isLane)).toMatchObject({ tag: "wait", milliseconds: 1_000 });
    expect(await partition()).toMatchObject({ wait: undefined, checkpoint: { items: 3 } });
  });

  test("makes the start of the lanes look again after a second", async () => {
    const partitions = () => {
      throw new RetryLater({ minutes: 20 });
    };
    const world = new LanesWorld({ source: { ...partitioned({}), partitions } });
    await world.start();
    beforeWait(world, async () => {
      const other = { until: world.now + 5 * MINUTES, since: world.now, count: 1, reason: "busy" };
      await world.runs.progress.recordWait(await world.run(), other, 0, []);
    });
    expect(await world.deliver(isRun)).toMatchObject({ tag: "wait", milliseconds: 1_000 });
    expect((await world.run()).wait).toMatchObject({ until: world.now + 5 * MINUTES });
  });
});

describe("a lane whose service asks for a wait", () => {
  /** A world whose second page is refused once. The first slice of its lane is over. */
  async function refusedOnce(wait: RetryLater) {
    let refuses = true;
    const source = partitioned({ a: range(3) });
    source.before = (_, from) => {
      if (from === 2 && refuses) {
        refuses = false;
        throw wait;
      }
    };
    const slept: number[] = [];
    const sleep = async (milliseconds: number) => {
      slept.push(milliseconds);
      world.now += milliseconds;
    };
    const world: LanesWorld = new LanesWorld({ source, producers: 1 }, { sleep });
    await world.start();
    await world.deliver(isRun);
    return { world, slept };
  }

  test("of a few seconds sleeps in the slice, and reads on with the same message", async () => {
    const { world, slept } = await refusedOnce(new RetryLater({ seconds: 5 }));
    expect(await world.deliver(isLane)).toMatchObject(done);
    expect(slept).toEqual([5_000]);
    expect(world.items).toEqual([0, 1, 2]);
  });

  test("and whose slice then fails records the wait", async () => {
    const source = { ...partitioned({ a: [] }), ...refusedAfter(new RetryLater({ minutes: 20 })) };
    const world = new LanesWorld({ source, producers: 1 });
    await world.start();
    await world.deliver(isRun);
    failAtPage(world, 1);
    expect(await world.deliver(isLane)).toMatchObject({ tag: "wait", milliseconds: 500 });
    expect(await world.runs.progress.partition(await world.run(), { id: "a", number: 1 })).toMatchObject({
      failedSlices: 1,
      wait: { until: world.now + 20 * MINUTES },
    });
  });

  test("that is too long, and whose slice then fails, fails its partition", async () => {
    const source = { ...partitioned({ a: [] }), ...refusedAfter(new RetryLater({ days: 30 })) };
    const world = new LanesWorld({ source, producers: 1 });
    await world.start();
    await world.deliver(isRun);
    failAtPage(world, 1);
    expect(await world.deliver(isLane)).toMatchObject(done);
    expect((await world.run()).failure).toMatch(/^partition "a": the source asks to wait until /);
    expect(world.logger.lines).not.toContain("error: the producer failed");
  });
});

test("the start of the lanes ends with a wait that is too long, and sends nothing more", async () => {
  const partitions = () => {
    throw new RetryLater({ days: 30 });
  };
  const world = new LanesWorld({ source: { ...partitioned({}), partitions } });
  await world.start();
  expect(await world.deliver(isRun)).toMatchObject(done);
  expect((await world.run()).status).toBe("failed");
  expect(world.pending).toEqual([]);
});

test("a queue that becomes full after the next page was refused makes the run wait for its source", async () => {
  const world = new ProducerWorld({ source: refusedAfter(new RetryLater({ minutes: 20 })) }, { maxBacklog: 50 });
  await world.start();
  world.sqs.before = (action) => {
    if (action === "send") world.sqs.depth = { visible: 50, inFlight: 0, delayed: 0 };
  };
  expect(await world.continue()).toEqual(done);
  expect(world.items).toHaveLength(50);
  expect(await world.run()).toMatchObject({ wait: { until: world.now + 20 * MINUTES }, fullAt: undefined });
});
