import { describe, expect, test } from "vitest";
import type { Cursor } from "../../../shared/index.ts";
import { ProducerWorld, RUN } from "../../helpers/producer-world.ts";

const done = { tag: "done" };

/** A source of these pages. */
const pagesOf = (...pages: readonly (readonly unknown[])[]) => ({
  readPage: (cursor: Cursor = 0) => {
    const page = Number(cursor);
    return { items: pages[page] ?? [], next: page + 1 < pages.length ? page + 1 : undefined };
  },
});

describe("a slice whose queue has become full", () => {
  /** Continues a run of three pages, whose queue is full after the first. `act` is called while that page is sent. */
  async function fullAfterFirstPage(act: (world: ProducerWorld) => Promise<unknown>) {
    const world = new ProducerWorld({ source: pagesOf([1], [2], [3]) }, { maxBacklog: 1 });
    await world.start();
    world.sqs.before = async (action) => {
      if (action !== "send") return;
      world.sqs.depth = { visible: 1, inFlight: 0, delayed: 0 };
      await act(world);
    };
    return { world, verdict: await world.continue() };
  }

  test("waits for room", async () => {
    const { world, verdict } = await fullAfterFirstPage(async () => {});
    expect(verdict).toMatchObject({ tag: "wait" });
    expect(await world.run()).toMatchObject({ fullAt: { backlog: 1 }, checkpoint: { items: 1 } });
  });

  test("stops if another producer has advanced the run, which is no failure", async () => {
    const { world, verdict } = await fullAfterFirstPage(async (world) => {
      const run = await world.run();
      await world.runs.progress.checkpoint(run, { ...run.checkpoint, cursor: 2, pages: 2, items: 2 });
    });
    expect(verdict).toEqual({ tag: "wait", milliseconds: 1_000 });
    expect(await world.run()).toMatchObject({ failedSlices: 0, fullAt: undefined, checkpoint: { items: 2 } });
  });

  test("does not wait for room if the run was paused", async () => {
    const { world, verdict } = await fullAfterFirstPage((world) => world.runs.pause(RUN));
    expect(verdict).toEqual(done);
    expect(await world.run()).toMatchObject({ status: "paused", fullAt: undefined, checkpoint: { items: 1 } });
  });
});

test("a slice in which its run is cancelled sends the dead letters that a crashed producer has claimed", async () => {
  const world = new ProducerWorld({ source: pagesOf([1], [Number.NaN], [3]) });
  await world.start();
  // A producer has sent two pages, and dies before it has sent the dead letter of the second one.
  world.store.before = (operation, _, update) => {
    if (operation === "update" && update?.set?.checkpoints === 1) throw new Error("dies");
  };
  world.sqs.before = (action) => {
    if (action === "send" && world.items.length === 1) throw new Error("dies");
  };
  await world.continue();
  expect(world.deadLetters).toEqual([]);
  world.store.before = () => {};
  // The next producer sends the first page alone, during which the run is cancelled.
  world.sqs.before = async (action) => {
    if (action === "send") await world.runs.cancel(RUN);
  };
  expect(await world.continue(1, 2, { sliceEnd: world.now })).toEqual(done);
  expect(world.deadLetters).toMatchObject([{ page: 1, dead: { reason: "invalid item" } }]);
  expect(await world.runs.counts(await world.run())).toMatchObject({ produced: 2, dead: 1 });
});
