import { beforeEach, describe, expect, test } from "vitest";
import { BlockSuccesses } from "../../../shared/ledger/block-successes.ts";
import { pageKey } from "../../../shared/messages/item-address.ts";
import { CountingStore } from "../../helpers/counting-store.ts";
import { ResultsWorld } from "../../helpers/results-world.ts";

const entry = (page: number, index: number, generation = 0) => ({ page, index, generation });
const judged = (successes: BlockSuccesses, page: number, index: number, generation = 0, epoch = 1) =>
  successes.judge({ page, index, generation, epoch });

let world: ResultsWorld;

beforeEach(async () => {
  world = await ResultsWorld.of([3, 3]);
});

/** What a reader sees now, and what a later slice of a compaction reads from the progress of the one before. */
async function readings(): Promise<readonly BlockSuccesses[]> {
  const address = { run: "run-1", partition: 0, block: 0 };
  const read = await BlockSuccesses.read(world.store, address, 2);
  return [read, BlockSuccesses.fromStored(address, JSON.parse(JSON.stringify(read.toStored())))];
}

describe("the row of a result", () => {
  test("counts if its item is done in its epoch and generation", async () => {
    await world.record(entry(0, 1));
    await world.record(entry(1, 2, 50));
    for (const successes of await readings()) {
      expect(successes.count).toBe(2);
      expect(judged(successes, 0, 1)).toBe("counts");
      expect(judged(successes, 1, 2, 50)).toBe("counts");
      expect(judged(successes, 1, 2)).toBe("never counts");
    }
  });

  test("counts in the lowest generation if its item is done in several, whichever was recorded first", async () => {
    await world.record(entry(0, 1, 2));
    await world.record(entry(0, 1, 0));
    await world.record(entry(0, 1, 1));
    for (const successes of await readings()) {
      expect(successes.count).toBe(1);
      expect([0, 1, 2].map((generation) => judged(successes, 0, 1, generation))).toEqual([
        "counts",
        "never counts",
        "never counts",
      ]);
    }
  });

  test("never counts if its generation died or was cancelled first", async () => {
    await world.die(entry(0, 2));
    await world.record(entry(0, 2));
    await world.ledger.outcomes.recordCancelled({
      ...{ run: "run-1", partition: 0, page: 1, epoch: 1 },
      items: [{ index: 0, redriveGeneration: 1 }],
    });
    for (const successes of await readings()) {
      expect(successes.count).toBe(0);
      expect(judged(successes, 0, 2)).toBe("never counts");
      expect(judged(successes, 1, 0, 1)).toBe("never counts");
    }
  });

  test("is open while its generation has not settled, or if its page was opened after the read", async () => {
    await world.die(entry(0, 0));
    for (const successes of await readings()) {
      expect(judged(successes, 0, 0, 1)).toBe("open");
      expect(judged(successes, 0, 1)).toBe("open");
      expect(judged(successes, 0, 1, 0, 2)).toBe("open");
      expect(judged(successes, 0, 1, 0, 0)).toBe("never counts");
      expect(judged(successes, 2, 0)).toBe("open");
    }
  });
});

test("the row of a result of a later epoch is open, although its item was done when the page was read", async () => {
  await world.record(entry(0, 1));
  for (const successes of await readings()) {
    expect(judged(successes, 0, 1)).toBe("counts");
    expect(judged(successes, 0, 1, 0, 2)).toBe("open");
  }
});

test("a page whose row has expired is an error that names the page", async () => {
  world.store.clear();
  await expect(readings()).rejects.toThrow("the ledger has no row of page 0 of run run-1");
});

test("a block of many pages is read with as few requests as DynamoDB allows, each page with its own number", async () => {
  const store = new CountingStore();
  const address = { run: "run-1", partition: 2, block: 3 };
  for (let page = 0; page < 150; page++) {
    await store.update(pageKey({ run: "run-1", partition: 2, page: 3_000 + page }), {
      set: { size: 200, epoch: 1 + page },
      add: { done: [page] },
    });
  }
  const successes = await BlockSuccesses.read(store, address, 150);
  expect(store.asked).toEqual([100, 50]);
  expect([successes.pages, successes.count]).toEqual([150, 150]);
  for (const page of [0, 99, 100, 149]) expect(judged(successes, page, page, 0, 1 + page)).toBe("counts");
  await expect(BlockSuccesses.read(store, address, 151)).rejects.toMatchObject({
    code: "RESULTS_INCOMPLETE",
    ids: { run: "run-1", page: 3_150 },
    message: expect.stringContaining("no row of page 3150 of run run-1"),
  });
});
