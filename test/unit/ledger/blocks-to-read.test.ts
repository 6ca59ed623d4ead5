import { describe, expect, test } from "vitest";
import { blocksToRead, completeBlocksOf, sumOfBlocks } from "../../../shared/ledger/block-groups.ts";
import { readRunRow } from "../../../shared/ledger/run-record.ts";
import { blockGroupKey, blockKey } from "../../../shared/messages/item-address.ts";
import { CountingStore } from "../../helpers/counting-store.ts";
import { RUN } from "../../helpers/ledger-rig.ts";

const PRODUCTION = { run: RUN, partition: 3 };
const PAGES_PER_GROUP = 1_000_000;
const totals = (dead: number) => ({ dead, cancelled: 0, retried: 0, deadByReason: { exhausted: dead } });
const upTo = (end: number, first = 0) => Array.from({ length: end - first }, (_, number) => first + number);

const addGroup = (store: CountingStore, number: number, row: object) =>
  store.update(blockGroupKey(PRODUCTION, number), { set: { ...row } });

describe("Which blocks must be read", () => {
  test("are all blocks, without a request, if there is one group", async () => {
    const store = new CountingStore();
    await addGroup(store, 0, { totals: totals(1) });
    for (const [pages, count] of [
      [0, 0],
      [1, 1],
      [PAGES_PER_GROUP, 1_000],
    ] as const)
      expect(await blocksToRead(store, PRODUCTION, pages)).toEqual({ totals: [], blocks: upTo(count) });
    expect(store.asked).toEqual([]);
  });

  test("are those of the groups without totals", async () => {
    const store = new CountingStore();
    await addGroup(store, 0, { totals: totals(1) });
    await addGroup(store, 2, { totals: totals(4) });
    expect(await blocksToRead(store, PRODUCTION, 3 * PAGES_PER_GROUP + 1)).toEqual({
      totals: [totals(1), totals(4)],
      blocks: [...upTo(2_000, 1_000), 3_000],
    });
    expect(store.asked).toEqual([4]);
  });

  test("are those of a group with redriven items, too, and those of the first group if the run has some", async () => {
    const store = new CountingStore();
    await addGroup(store, 0, { totals: totals(1) });
    await addGroup(store, 1, { totals: totals(2), redriven: true });
    await addGroup(store, 2, { totals: totals(4) });
    const pages = 3 * PAGES_PER_GROUP;
    expect(await blocksToRead(store, PRODUCTION, pages)).toEqual({
      totals: [totals(1), totals(4)],
      blocks: upTo(2_000, 1_000),
    });
    expect(await blocksToRead(store, PRODUCTION, pages, true)).toEqual({ totals: [totals(4)], blocks: upTo(2_000) });
  });

  test("are found with one read of all rows of groups", async () => {
    const store = new CountingStore();
    const { blocks } = await blocksToRead(store, PRODUCTION, 101 * PAGES_PER_GROUP);
    expect(blocks).toHaveLength(101_000);
    expect(store.asked).toEqual([101]);
  });
});

test("The totals of blocks are added to those of the groups, a hundred blocks with each request", async () => {
  const store = new CountingStore();
  for (const block of [5, 99, 100, 205]) {
    await store.update(blockKey({ ...PRODUCTION, block }), { set: { totals: totals(block) } });
  }
  // This block is of another partition, and the next one has no totals.
  await store.update(blockKey({ run: RUN, partition: 0, block: 7 }), { set: { totals: totals(1_000) } });
  await store.update(blockKey({ ...PRODUCTION, block: 8 }), { set: { size: 1 } });
  const known = { totals: [totals(10_000)], blocks: upTo(206) };
  expect(await sumOfBlocks(store, PRODUCTION, known)).toEqual(totals(10_000 + 5 + 99 + 100 + 205));
  expect(store.asked).toEqual([100, 100, 6]);
  store.asked.length = 0;
  expect(await sumOfBlocks(store, PRODUCTION, { totals: [totals(3)], blocks: [] })).toEqual(totals(3));
  expect(store.asked).toEqual([]);
});

test("The complete blocks of a run are those of its row and those of its groups", async () => {
  const store = new CountingStore();
  const complete = async (pages: number) => {
    const run = readRunRow({ pages, id: RUN, fullBlocks: new Set([0, 1]) });
    return [...(await completeBlocksOf(store, run))].sort((a, b) => a - b);
  };
  const group = (number: number) => blockGroupKey({ run: RUN, partition: 0 }, number);
  await store.update(group(1), { add: { complete: [0, 999] } });
  await store.update(group(2), { add: { complete: [3] } });
  // A run of one group has only the blocks of its row.
  expect(await complete(PAGES_PER_GROUP)).toEqual([0, 1]);
  expect(store.asked).toEqual([]);
  expect(await complete(PAGES_PER_GROUP + 1)).toEqual([0, 1, 1_000, 1_999]);
  expect(await complete(3 * PAGES_PER_GROUP)).toEqual([0, 1, 1_000, 1_999, 2_003]);
});
