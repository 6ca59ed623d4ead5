import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Cursor, PageReader } from "../../../shared/index.ts";
import { ProducerWorld, RUN } from "../../helpers/producer-world.ts";

const PAGES = 5;

/** Five pages of three items. */
const source = (itemOf: (page: number, index: number) => unknown, pages = PAGES): PageReader => ({
  readPage: (cursor: Cursor = 0) => ({
    items: [0, 1, 2].map((index) => itemOf(Number(cursor), index)),
    next: Number(cursor) + 1 < pages ? Number(cursor) + 1 : undefined,
  }),
});
const plain = (page: number, index: number) => `${page}/${index}`;

let present: { itemOf: typeof plain; pages: number };
const changing: PageReader = {
  readPage: (cursor, context) => source(present.itemOf, present.pages).readPage(cursor, context),
};

/**
 * A run whose first `sent` pages are sent, of which an item of each page but the third and all of the third are settled. Then it was
 * paused, and the queue has lost its messages.
 */
async function afterLoss(sent = PAGES) {
  present = { itemOf: plain, pages: PAGES };
  const world = new ProducerWorld({ source: changing });
  await world.start();
  const time = { sliceEnd: Number.NEGATIVE_INFINITY };
  for (let hop = 1; hop <= sent; hop++) await world.continue(hop, 1, time);
  const success = (index: number) => ({ index, failures: 0, redriveGeneration: 0 });
  for (let page = 0; page < sent; page++) {
    const items = page === 2 ? [0, 1, 2].map(success) : [success(1)];
    await world.ledger.outcomes.recordSuccesses({ run: RUN, partition: 0, page, epoch: 1, items });
  }
  await world.runs.pause(RUN);
  world.sqs.sent.length = 0;
  await world.runs.resends.request(RUN);
  await world.runs.reopen(RUN);
  return world;
}

const pendingOf = (pages: readonly number[]) => pages.flatMap((page) => (page === 2 ? [] : [`${page}/0`, `${page}/2`]));

/** Continues the run until no continuation is sent any more. */
async function goOn(world: ProducerWorld, time = {}) {
  let { hop } = await world.run();
  for (let last = -1; hop !== last; ) {
    last = hop;
    await world.continue(hop + 1, 1, time);
    hop = Math.max(hop, ...world.hops) > hop + 1 ? hop + 1 : hop;
  }
}

async function settle(world: ProducerWorld) {
  for (const { page, index, epoch } of world.messages) {
    await world.ledger.outcomes.recordSuccesses({
      run: RUN,
      partition: 0,
      page,
      epoch,
      items: [{ index, failures: 0, redriveGeneration: 0 }],
    });
  }
}

describe("a run whose messages are lost", () => {
  test("has the pending items of its pages sent again, each once, and completes with exact counts", async () => {
    const world = await afterLoss();
    await goOn(world);
    expect(world.items).toEqual(pendingOf([0, 1, 2, 3, 4]));
    // The consumer asks the ledger before it runs an item.
    expect(world.messages.every(({ resent, epoch }) => resent === true && epoch === 1)).toBe(true);
    expect((await world.run()).resend).toBeUndefined();
    await settle(world);
    expect(await world.run()).toMatchObject({ status: "completed", checkpoint: { pages: PAGES, items: 15 } });
    expect(await world.runs.counts(await world.run())).toMatchObject({ produced: 15, succeeded: 15, pending: 0 });
  });

  test("continues from its checkpoint afterwards, if its source has not ended", async () => {
    const world = await afterLoss(3);
    await goOn(world);
    expect(world.items).toEqual([...pendingOf([0, 1]), "3/0", "3/1", "3/2", "4/0", "4/1", "4/2"]);
    await settle(world);
    expect((await world.run()).status).toBe("completed");
    expect(await world.runs.counts(await world.run())).toMatchObject({ produced: 15, succeeded: 15 });
  });

  test("is read again in slices, each from the end of the slice before", async () => {
    const world = await afterLoss();
    await goOn(world, { sliceEnd: Number.NEGATIVE_INFINITY });
    expect(world.items).toEqual(pendingOf([0, 1, 2, 3, 4]));
    expect(world.hops.length).toBeGreaterThanOrEqual(PAGES);
  });

  test("can be paused and cancelled while messages are sent again", async () => {
    for (const stop of ["pause", "cancel"] as const) {
      const world = await afterLoss();
      let sends = 0;
      world.sqs.before = async (action) => {
        if (action === "send" && ++sends === 2) await world.runs[stop](RUN);
      };
      await goOn(world);
      world.sqs.before = () => {};
      expect(world.items).toEqual(pendingOf([0, 1]));
      const run = await world.run();
      if (stop === "cancel") {
        // Items that were sent again are left to the consumers, because their tasks may be running.
        expect(run).toMatchObject({ status: "cancelling" });
        await goOn(world);
        await settle(world);
        expect((await world.run()).status).toBe("cancelled");
        const counts = { produced: 15, succeeded: 11, cancelled: 4, pending: 0 };
        expect(await world.runs.counts(await world.run())).toMatchObject(counts);
        continue;
      }
      expect(run).toMatchObject({ status: "paused", resend: { pages: 2, items: 6 } });
      await world.runs.reopen(RUN);
      await goOn(world);
      expect(world.items).toEqual(pendingOf([0, 1, 2, 3, 4]));
    }
  });

  test("loses no item if its producer dies before or after any operation", async () => {
    for (let death = 0; ; death++) {
      const world = await afterLoss(4);
      const { hop } = await world.run();
      let operations = 0;
      const die = () => {
        if (operations++ === death) throw new Error("died");
      };
      world.store.before = die;
      world.sqs.before = die;
      // The slice fails, or even its failure cannot be recorded.
      await world.continue(hop + 1).catch(() => {});
      const died = operations > death;
      world.store.before = () => {};
      world.sqs.before = () => {};
      await world.continue(hop + 1, 2);
      await goOn(world);
      expect(new Set(world.items)).toEqual(new Set([...pendingOf([0, 1, 2, 3]), "4/0", "4/1", "4/2"]));
      await settle(world);
      expect((await world.run()).status, `died at ${death}`).toBe("completed");
      expect(await world.runs.counts(await world.run())).toMatchObject({ produced: 15, succeeded: 15 });
      if (!died) break;
    }
  });

  test("is not read again if only the end of the resend was lost", async () => {
    const world = await afterLoss();
    world.store.before = (operation, _, update) => {
      if (operation === "update" && update?.remove?.includes("resend")) throw new Error("dies");
    };
    const { hop } = await world.run();
    await world.continue(hop + 1);
    world.store.before = () => {};
    expect((await world.run()).resend).toMatchObject({ pages: PAGES });
    const sent = world.items.length;
    present = {
      itemOf: () => {
        throw new Error("read again");
      },
      pages: PAGES,
    };
    await goOn(world);
    expect(world.items).toHaveLength(sent);
    expect((await world.run()).resend).toBeUndefined();
  });

  test("has the same pages again if its source yields a page without an item between them", async () => {
    const all: PageReader = {
      readPage: (cursor: Cursor = 0) => ({
        items: cursor === 1 ? [] : [`${cursor}`],
        next: Number(cursor) < 3 ? Number(cursor) + 1 : undefined,
      }),
    };
    const world = new ProducerWorld({ source: all });
    await world.start();
    await world.continue(1);
    expect(world.items).toEqual(["0", "2", "3"]);
    await world.runs.pause(RUN);
    world.sqs.sent.length = 0;
    await world.runs.resends.request(RUN);
    await world.runs.reopen(RUN);
    await goOn(world);
    expect(world.messages.map(({ page, epoch, item }) => [page, epoch, item])).toEqual([
      [0, 1, "0"],
      [1, 1, "2"],
      [2, 1, "3"],
    ]);
    expect((await world.run()).status).toBe("running");
  });

  test("fails after five slices that read no page, and not if each reads one", async () => {
    const world = await afterLoss();
    let reads = 0;
    let pagesPerSlice = 0;
    present = {
      itemOf: (page, index) => {
        if (index === 0 && reads++ % (pagesPerSlice + 1) === pagesPerSlice) throw new Error("broken");
        return plain(page, index);
      },
      pages: PAGES,
    };
    const { hop } = await world.run();
    const runAfter = async (slices: number) => {
      for (let slice = 1; slice <= slices; slice++) await world.continue(hop + 1, slice);
      return await world.run();
    };
    expect(await runAfter(4)).toMatchObject({ status: "running", failedSlices: 4 });
    pagesPerSlice = 1;
    reads = 0;
    expect(await runAfter(4)).toMatchObject({ status: "running", failedSlices: 1, resend: { pages: 4 } });
    pagesPerSlice = 0;
    expect(await runAfter(4)).toMatchObject({ status: "failed" });
  });

  describe("and whose source has changed", () => {
    const cancelled = async (world: ProducerWorld) => {
      await world.runs.cancel(RUN);
      await goOn(world);
    };

    test.each([
      [
        "an item is another",
        {
          itemOf: (page: number, index: number) => (page === 3 && index === 2 ? "new" : plain(page, index)),
          pages: PAGES,
        },
        [0, 1, 2, 4],
        2,
      ],
      ["its last pages are gone", { itemOf: plain, pages: 3 }, [0, 1, 2], 4],
    ])(
      "says how many items are missing if %s, and is cancelled with exact counts",
      async (_, change, found, missing) => {
        const world = await afterLoss();
        present = change;
        await goOn(world);
        expect(world.items).toEqual(pendingOf(found));
        const failed = await world.run();
        expect(failed).toMatchObject({ status: "failed", missing: true, resend: undefined });
        expect(failed.failure).toMatch(
          new RegExp(
            `^the messages of ${missing} pending items are lost, .* sluice cancel ${RUN}, which counts the items as cancelled$`,
          ),
        );
        await settle(world);
        expect(await world.runs.counts(await world.run())).toMatchObject({ succeeded: 15 - missing, pending: missing });
        await cancelled(world);
        expect((await world.run()).status).toBe("cancelled");
        expect(await world.runs.counts(await world.run())).toMatchObject({
          produced: 15,
          succeeded: 15 - missing,
          cancelled: missing,
          pending: 0,
        });
      },
    );

    test("continues once the source is restored", async () => {
      const world = await afterLoss();
      present = { itemOf: plain, pages: 3 };
      await goOn(world);
      present = { itemOf: plain, pages: PAGES };
      await world.runs.resends.request(RUN);
      await world.runs.reopen(RUN);
      await goOn(world);
      await settle(world);
      expect(await world.run()).toMatchObject({ status: "completed", failure: undefined });
    });

    test("does not matter if no item is pending", async () => {
      const world = await afterLoss();
      present = { itemOf: (page, index) => (page === 2 ? "new" : plain(page, index)), pages: PAGES };
      await goOn(world);
      await settle(world);
      expect((await world.run()).status).toBe("completed");
    });
  });

  test("has each pending item sent once, however its pages were cut by slices, limits and large items", async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 450 }), { minLength: 1, maxLength: 4 });
    const slices = fc.array(fc.boolean(), { minLength: 1, maxLength: 40 });
    const scenario = fc.record({
      sizes,
      slices,
      again: slices,
      limit: fc.option(fc.integer({ min: 1, max: 1_000 })),
      modulus: fc.integer({ min: 1, max: 7 }),
    });
    await fc.assert(
      fc.asyncProperty(scenario, async ({ sizes, slices, again, limit, modulus }) => {
        const ids = sizes.map((size, page) => Array.from({ length: size }, (_, index) => `${page}/${index}`));
        const world = new ProducerWorld({
          source: {
            readPage: (cursor: Cursor = 0) => {
              const page = Number(cursor);
              const next = page + 1 < ids.length ? page + 1 : undefined;
              // A chunk has only a few large items.
              return {
                items: (ids[page] ?? []).map((id, index) => ({ id, text: "x".repeat(index % 40 === 0 ? 500_000 : 0) })),
                next,
              };
            },
          },
          ...(limit !== null && { limit }),
        });
        const idsSent = () => world.messages.map(({ item }) => (item as { id: string }).id);
        await world.start();
        const goBy = async (lengths: readonly boolean[]) => {
          let { hop } = await world.run();
          for (const isShort of lengths) {
            const { checkpoint, resend } = await world.run();
            if (checkpoint.ended && resend === undefined) return;
            await world.continue(++hop, 1, isShort ? { sliceEnd: Number.NEGATIVE_INFINITY } : {});
          }
        };
        await goBy(slices);
        const { checkpoint } = await world.run();
        const sent = world.messages;
        expect(sent).toHaveLength(checkpoint.items);
        const isSettled = (index: number, page: number) => (index + page) % modulus === 0;
        for (const { page, index } of sent) {
          if (!isSettled(index, page)) continue;
          await world.ledger.outcomes.recordSuccesses({
            run: RUN,
            partition: 0,
            page,
            epoch: 1,
            items: [{ index, failures: 0, redriveGeneration: 0 }],
          });
        }
        const pending = sent
          .filter(({ index, page }) => !isSettled(index, page))
          .map(({ item }) => (item as { id: string }).id);
        if ((await world.run()).status === "completed") return;
        world.sqs.sent.length = 0;
        await world.runs.pause(RUN);
        await world.runs.resends.request(RUN);
        await world.runs.reopen(RUN);
        await goBy(again);
        await goBy([false, false]);
        const run = await world.run();
        expect(run).toMatchObject({ resend: undefined, failure: undefined });
        const rest = ids.flat().slice(checkpoint.items, Math.min(limit ?? Number.POSITIVE_INFINITY, ids.flat().length));
        expect(idsSent().sort()).toEqual([...pending, ...rest].sort());
      }),
      { numRuns: 12 },
    );
  });

  test("is not read again if the run has ended, or does not exist", async () => {
    const world = await afterLoss();
    await goOn(world);
    await settle(world);
    await world.runs.resends.request(RUN);
    await world.runs.resends.request("nobody");
    expect((await world.run()).resend).toBeUndefined();
    expect(await world.runs.find("nobody")).toBeUndefined();
  });
});
