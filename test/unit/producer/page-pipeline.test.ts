import { setImmediate } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import type { Cursor } from "../../../shared/index.ts";
import { ProducerWorld, RUN } from "../../helpers/producer-world.ts";

const done = { tag: "done" };

/** A source of `count` pages. Each has one item: the page's number. */
const pages = (count: number) => ({
  readPage: async (cursor: Cursor = 0) => {
    const page = Number(cursor);
    return { items: [page], next: page + 1 < count ? page + 1 : undefined };
  },
});

/** Notes which page rows and checkpoints are written, in their order. */
function watchWrites(world: ProducerWorld, note: (what: string) => void): void {
  let taken = false;
  world.store.before = (operation, key) => {
    if (operation !== "update") return;
    if (key?.sk === "page") note(`page ${key.pk.split("#").at(-1)}`);
    // The first write of the run's row takes up the continuation.
    else if (key?.sk === "run" && taken) note("checkpoint");
    else taken ||= key?.sk === "run";
  };
}

test("the next page is written while a page is sent, and the one after it only after the checkpoint", async () => {
  const world = new ProducerWorld({ source: pages(4) });
  await world.start();
  const { promise: isWritten, resolve } = Promise.withResolvers<void>();
  const events: string[] = [];
  watchWrites(world, (what) => {
    events.push(what);
    if (what === "page 1") resolve();
  });
  world.sqs.before = async (action) => {
    if (action !== "send") return;
    // The messages of a page are sent only when the next page is written.
    if (!events.includes("sent 0")) await isWritten;
    events.push(`sent ${events.filter((what) => what.startsWith("sent")).length}`);
  };

  expect(await world.continue()).toEqual(done);

  expect(world.items.toSorted()).toEqual([0, 1, 2, 3]);
  expect(events.indexOf("page 1")).toBeLessThan(events.indexOf("sent 0"));
  expect(events.indexOf("page 2")).toBeGreaterThan(events.indexOf("checkpoint"));
  expect(events.filter((what) => what === "checkpoint")).toHaveLength(4);
});

test("after a page that could not be sent, no checkpoint is written, not even if the next page was sent", async () => {
  const world = new ProducerWorld({ source: pages(3) });
  await world.start();
  world.sqs.refuses = (body) => JSON.parse(body).page === 0;

  expect(await world.continue()).toMatchObject({ tag: "wait" });

  expect(world.items).toEqual([1]);
  expect((await world.run()).checkpoint).toMatchObject({ pages: 0, items: 0 });
  world.sqs.refuses = () => false;
  expect(await world.continue(1, 2)).toEqual(done);
  expect((await world.run()).checkpoint).toMatchObject({ pages: 3, items: 3, ended: true });
  expect(new Set(world.items)).toEqual(new Set([0, 1, 2]));
});

test("a page that cannot be sent while its source reads the next one ends the slice, and not the process", async () => {
  const failed = Promise.withResolvers<void>();
  const unhandled = vi.fn();
  process.on("unhandledRejection", unhandled);
  const world = new ProducerWorld({
    source: {
      readPage: async (cursor: Cursor = 0) => {
        if (cursor === 1) {
          await failed.promise;
          // Node reports a rejection without a handler when no microtask is left.
          await setImmediate();
        }
        return { items: [cursor], next: Number(cursor) + 1 };
      },
    },
  });
  await world.start();
  world.sqs.before = (action) => {
    if (action !== "send") return;
    failed.resolve();
    throw new Error("SQS is away");
  };
  try {
    expect(await world.continue()).toEqual({ tag: "wait", milliseconds: 500 });
    expect(unhandled).not.toHaveBeenCalled();
  } finally {
    process.off("unhandledRejection", unhandled);
  }
});

test("a producer that has sent a dead letter, and is overtaken before its checkpoint, stops without a failure", async () => {
  const world = new ProducerWorld({
    source: { readPage: async (cursor: Cursor = 0) => ({ items: [Number.NaN], next: Number(cursor) + 1 }) },
    toleratedFailures: { count: 10 },
  });
  await world.start();
  let isOvertaken = false;
  world.sqs.before = async (action) => {
    if (action !== "send" || isOvertaken) return;
    isOvertaken = true;
    const run = await world.run();
    await world.runs.progress.checkpoint(run, { ...run.checkpoint, cursor: 2, pages: 2, items: 2 });
  };
  expect(await world.continue()).toEqual({ tag: "wait", milliseconds: 1_000 });
  expect(world.deadLetters.length).toBeGreaterThan(0);
  expect(await world.run()).toMatchObject({ failedSlices: 0, sliceError: undefined });
});

test("a page without a dead letter asks nothing of the count of deaths", async () => {
  const world = new ProducerWorld({ source: pages(3), toleratedFailures: { count: 1 } });
  await world.start();
  const rows: unknown[] = [];
  world.store.before = (_, key) => void rows.push(key?.sk);
  await world.continue();
  expect(rows).toContain("page");
  expect(rows).not.toContain("deaths");
});

test("no request is under way when a slice ends in an error", async () => {
  const world = new ProducerWorld({
    source: {
      readPage: async (cursor: Cursor = 0) => {
        if (cursor === 2) throw new Error("no such page");
        return { items: [cursor], next: Number(cursor) + 1 };
      },
    },
  });
  await world.start();

  expect(await world.continue()).toMatchObject({ tag: "wait" });

  // The page that was sent before the error has its checkpoint.
  expect((await world.run()).checkpoint).toMatchObject({ pages: 2, items: 2, cursor: 2 });
});

describe("a run that is cancelled", () => {
  test("after its producer died while it sent two pages counts both", async () => {
    const world = new ProducerWorld({ source: pages(4) });
    await world.start();
    let writes = 0;
    world.store.before = (operation, key) => {
      // The first write takes up the run, the second is the checkpoint of the first page.
      if (operation === "update" && key?.sk === "run" && ++writes === 2) throw new Error("died");
    };
    await world.continue();
    world.store.before = () => {};
    expect(world.items).toEqual([0, 1]);
    await world.runs.cancel(RUN);

    expect(await world.continue(1, 2)).toEqual(done);

    expect(await world.run()).toMatchObject({ status: "cancelled", checkpoint: { pages: 2, items: 2, ended: true } });
    expect(await world.runs.counts(await world.run())).toMatchObject({ produced: 2, cancelled: 2, pending: 0 });
  });

  // The second producer finds a page written and the next one not, and closes that. Then the first one's checkpoint comes
  // before its own: so it falls to the first one, who finds the next page closed, to end the production.
  test("while a producer writes a checkpoint before the one that stops the run is ended by that producer", async () => {
    const atCheckpoint = Promise.withResolvers<void>();
    const firstIsDone = Promise.withResolvers<void>();
    const source = pages(4);
    const world: ProducerWorld = new ProducerWorld({
      source: {
        async readPage(cursor) {
          if (cursor === 1) await atCheckpoint.promise;
          return await source.readPage(cursor);
        },
      },
    });
    await world.start();
    let second: Promise<unknown> | undefined;
    let writes = 0;
    world.store.before = async (operation, key) => {
      if (second === undefined || operation !== "update" || key?.sk !== "run") return;
      // The second producer takes up the run, and reaches its checkpoint.
      if (++writes !== 2) return;
      atCheckpoint.resolve();
      await firstIsDone.promise;
    };
    world.sqs.before = async (action) => {
      if (action !== "send") return;
      await world.runs.cancel(RUN);
      second = world.continue(2);
      await atCheckpoint.promise;
    };

    expect(await world.continue()).toEqual(done);

    expect(await world.run()).toMatchObject({ status: "cancelled", checkpoint: { pages: 1, items: 1, ended: true } });
    firstIsDone.resolve();
    expect(await second).toEqual(done);
    expect(await world.run()).toMatchObject({ status: "cancelled", checkpoint: { pages: 1, items: 1, ended: true } });
    expect(await world.runs.counts(await world.run())).toMatchObject({ produced: 1, cancelled: 1, pending: 0 });
  });
});
