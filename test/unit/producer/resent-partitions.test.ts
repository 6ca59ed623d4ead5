import { describe, expect, test } from "vitest";
import { LanesWorld, partitioned } from "../../helpers/lanes-world.ts";
import { RUN } from "../../helpers/producer-world.ts";

const PARTS = { a: ["a1", "a2", "a3", "a4"], b: [] as string[], c: ["c1", "c2", "c3"], d: ["d1"] };
const ONE_PAGE = { sliceEnd: Number.NEGATIVE_INFINITY };

/**
 * A run that has sent `deliveries` slices of one page, of which the first item of each page is settled. Then it was paused,
 * and the queue has lost its messages.
 */
async function afterLoss(deliveries: number, source = partitioned(PARTS)) {
  const world = new LanesWorld({ source, producers: 1 });
  await world.start();
  await world.deliver();
  for (let delivery = 0; delivery < deliveries; delivery++) await world.deliver(() => true, ONE_PAGE);
  for (const { partition = 0, page, index } of world.messages.filter(({ index }) => index === 0)) {
    const items = [{ index, failures: 0, redriveGeneration: 0 }];
    await world.ledger.outcomes.recordSuccesses({ run: RUN, partition, page, epoch: 1, items });
  }
  await world.runs.pause(RUN);
  const lost = world.messages.filter(({ index }) => index > 0).map(({ item }) => item);
  world.sqs.sent.length = 0;
  await world.runs.resends.request(RUN);
  await world.resume();
  return { world, lost };
}

describe("A run with partitions whose messages are lost", () => {
  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    "sends its pending items again after %i slices, and goes on",
    async (deliveries) => {
      const { world, lost } = await afterLoss(deliveries);
      for (let each = 0; (await world.run()).resend !== undefined; each++) {
        expect(each).toBeLessThan(10);
        await world.deliver((group) => group === RUN, ONE_PAGE);
      }
      expect(world.items).toEqual(lost);
      await world.drain();
      await world.succeed();
      const run = await world.run();
      expect(run).toMatchObject({ status: "completed", checkpoint: { items: 8 } });
      expect(await world.runs.counts(run)).toMatchObject({ produced: 8, succeeded: 8 });
    },
  );

  test("and has a limit cuts the last page as before", async () => {
    const source = partitioned({ a: ["a1", "a2", "a3"], b: ["b1", "b2", "b3"] });
    const world = new LanesWorld({ source, limit: 4 });
    await world.start();
    await world.drain();
    expect(world.items).toEqual(["a1", "a2", "a3", "b1"]);
    await world.runs.pause(RUN);
    world.sqs.sent.length = 0;
    await world.runs.resends.request(RUN);
    await world.resume();
    await world.drain();
    expect(world.items).toEqual(["a1", "a2", "a3", "b1"]);
    await world.succeed();
    expect(await world.run()).toMatchObject({ status: "completed", checkpoint: { items: 4 } });
  });

  test("does not begin another partition after the end of its slice", async () => {
    const source = partitioned({ a: ["a1", "a2"], b: ["b1", "b2"], c: ["c1", "c2"] });
    const { world } = await afterLoss(9, source);
    const reads: string[] = [];
    source.before = (id) => reads.push(id);
    await world.deliver((group) => group === RUN, ONE_PAGE);
    expect(reads).toEqual(["a"]);
    await world.deliver((group) => group === RUN, ONE_PAGE);
    expect(reads).toEqual(["a", "b"]);
    await world.drain();
    expect(reads).toEqual(["a", "b", "c"]);
    expect(world.items).toEqual(["a2", "b2", "c2"]);
  });

  test("does not begin another partition after a pause", async () => {
    const source = partitioned({ a: ["a1", "a2"], b: ["b1", "b2"] });
    const { world } = await afterLoss(9, source);
    source.before = async () => {
      await world.runs.pause(RUN);
    };
    await world.drain();
    expect(world.items).toEqual(["a2"]);
    source.before = () => {};
    await world.resume();
    await world.drain();
    expect(world.items).toEqual(["a2", "b2"]);
  });

  test("fails if the source no longer yields some of them, and can then be cancelled", async () => {
    const parts = { ...PARTS };
    const { world } = await afterLoss(9, partitioned(parts));
    parts.c = ["c1", "another", "c3"];
    await world.drain();
    expect(world.items).toEqual(["a2", "a4"]);
    expect(await world.run()).toMatchObject({
      status: "failed",
      missing: true,
      failure: expect.stringContaining("the messages of 1 pending items are lost"),
    });
    await world.runs.cancel(RUN);
    await world.continueWith((await world.run()).hop + 1);
    await world.drain();
    expect(await world.run()).toMatchObject({ status: "cancelled", totals: { cancelled: 3 } });
  });

  test("is cancelled during the resend: items that have no message yet are cancelled, and no others", async () => {
    const { world } = await afterLoss(9);
    await world.deliver((group) => group === RUN, ONE_PAGE);
    expect(world.items).toEqual(["a2"]);
    await world.runs.cancel(RUN);
    await world.continueWith((await world.run()).hop + 1);
    await world.drain();
    expect(await world.run()).toMatchObject({ status: "cancelling" });
    const items = [{ index: 1, redriveGeneration: 0 }];
    await world.ledger.outcomes.recordCancelled({ run: RUN, partition: 1, page: 0, epoch: 1, items });
    expect(await world.run()).toMatchObject({ status: "cancelled", totals: { cancelled: 3 } });
  });
});
