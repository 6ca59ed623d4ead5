import { describe, expect, test } from "vitest";
import { type Cursor, RetryLater } from "../../../shared/index.ts";
import { ProducerWorld, RUN } from "../../helpers/producer-world.ts";

const PAGES = 5;
const ONE_PAGE = { sliceEnd: Number.NEGATIVE_INFINITY };
const HOUR = 3_600_000;

/** A run of five pages of an item, of which the first `sent` are sent. The queue has lost their messages. */
async function afterLoss(sent: number, before: (page: number) => void = () => {}) {
  let isLost = false;
  const readPage = (cursor: Cursor = 0) => {
    const page = Number(cursor);
    if (isLost) before(page);
    return { items: [page], next: page + 1 < PAGES ? page + 1 : undefined };
  };
  const world = new ProducerWorld({ source: { readPage } });
  await world.start();
  for (let hop = 1; hop <= sent; hop++) await world.continue(hop, 1, ONE_PAGE);
  await world.runs.pause(RUN);
  isLost = true;
  await world.runs.resends.request(RUN);
  await world.runs.reopen(RUN);
  world.sqs.sent.length = 0;
  return world;
}

/** Continues the run with the next continuation. */
const goOn = async (world: ProducerWorld, time = {}) => await world.continue((await world.run()).hop + 1, 1, time);

describe("a run whose lost messages are sent again", () => {
  test("sends no message twice if only the end of the resend was lost, and its source goes on", async () => {
    const world = await afterLoss(3);
    world.store.before = (operation, _, update) => {
      if (operation === "update" && update?.remove?.includes("resend")) throw new Error("dies");
    };
    await goOn(world);
    expect(world.items).toEqual([0, 1, 2]);
    world.store.before = () => {};
    await goOn(world);
    expect(world.items).toEqual([0, 1, 2, 3, 4]);
  });

  test("does not miss the items of a page that has no checkpoint yet, which the next slice sends", async () => {
    const world = await afterLoss(3);
    // A producer has opened the next page, and died.
    await world.ledger.pages.open({ run: RUN, partition: 0, page: 3 }, { size: 1, digest: "d" });
    await goOn(world);
    expect(world.items).toEqual([0, 1, 2, 3, 4]);
    expect(await world.run()).toMatchObject({ status: "running", checkpoint: { ended: true, items: PAGES } });
  });

  test("waits if the service asks for it while a page is read ahead, and goes on after the wait", async () => {
    let isBusy = true;
    const world = await afterLoss(PAGES, (page) => {
      if (page === 1 && isBusy) throw new RetryLater({ hours: 1 });
    });
    await goOn(world, ONE_PAGE);
    expect(world.items).toEqual([0]);
    expect((await world.run()).wait).toMatchObject({ until: world.now + HOUR });
    isBusy = false;
    await goOn(world);
    expect(world.items).toEqual([0]);
    world.now += HOUR;
    await goOn(world);
    expect(world.items).toEqual([0, 1, 2, 3, 4]);
  });

  test("keeps the wait of a page that was read ahead if it is paused, and is not read too early", async () => {
    let isBusy = true;
    const world = await afterLoss(PAGES, (page) => {
      if (page === 1 && isBusy) throw new RetryLater({ hours: 1 });
    });
    world.sqs.before = async (action) => {
      if (action === "send") await world.runs.pause(RUN);
    };
    await goOn(world);
    world.sqs.before = () => {};
    isBusy = false;
    expect(await world.run()).toMatchObject({ status: "paused", wait: { until: world.now + HOUR } });
    await world.runs.reopen(RUN);
    await goOn(world);
    expect(world.items).toEqual([0]);
    world.now += HOUR;
    await goOn(world);
    expect(world.items).toEqual([0, 1, 2, 3, 4]);
  });
});
