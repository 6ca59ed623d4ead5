import { beforeEach, describe, expect, test } from "vitest";
import { type Key, keyText, type Row, type Update } from "../../../shared/aws/table.ts";
import type { BlockGroupRow } from "../../../shared/ledger/block-groups.ts";
import type { BlockRow } from "../../../shared/ledger/block-row.ts";
import { groupKey, runKey } from "../../../shared/ledger/keys.ts";
import { deadSet } from "../../../shared/ledger/page-row.ts";
import { type Announcement, RollUp } from "../../../shared/ledger/roll-up.ts";
import { blockGroupKey, blockKey, pageKey, partitionKey } from "../../../shared/messages/item-address.ts";
import { FaultyStore } from "../../helpers/faulty-store.ts";
import { RUN } from "../../helpers/ledger-rig.ts";

const NOW = "1970-01-01T00:00:05.000Z";
const UNDIVIDED = { run: RUN, partition: 0 };
const PARTITION = { run: RUN, partition: 103 };
const dead = (count: number) => ({ dead: count, cancelled: 0, retried: 0, deadByReason: { exhausted: count } });
const NONE = { dead: 0, cancelled: 0, retried: 0, deadByReason: {} };

let store: FaultyStore;
let announced: Announcement[];
let rollUp: RollUp;
/** The keys of the rows that were written, in their order. */
let written: string[];

beforeEach(async () => {
  store = new FaultyStore();
  announced = [];
  rollUp = new RollUp(
    store,
    () => 5_000,
    async (announcement) => void announced.push(announcement),
  );
  await storeRow(runKey(RUN), {
    ...{ id: RUN, workflow: "w", requestedAt: NOW, status: "running", ended: true, pages: 2, items: 9 },
  });
});

const storeRow = (key: Key, set: object, add: Update["add"] = {}) => store.update(key, { set: { ...set }, add });

/** Does something, and returns the keys of the rows that it wrote. */
async function writesOf(act: () => Promise<void>): Promise<readonly string[]> {
  store.updates.length = 0;
  await act();
  written = store.updates.map(keyText);
  return written;
}

const rowOf = async (key: Key): Promise<Row> => {
  const { pk: _, sk: __, ...row } = (await store.get(key)) ?? { pk: "", sk: "" };
  return row;
};
const run = () => rowOf(runKey(RUN));
const texts = (...keys: Key[]) => keys.map(keyText);

const blockRow = (more: Partial<BlockRow> = {}): BlockRow => ({
  ...{ size: 2, full: new Set([0, 1]), notable: new Set(), totals: undefined, redriven: false, grouped: false },
  ...more,
});

const fromBlock = (block = 0, more: Partial<BlockRow> = {}, production = UNDIVIDED) =>
  writesOf(() => rollUp.fromBlock({ ...production, block }, blockRow(more)));

describe("From a block without deaths, cancellations and retries,", () => {
  test("a run of one block is completed with one write", async () => {
    await storeRow(runKey(RUN), { failure: "the source was gone for a while" });
    // The second write notes that the end was announced.
    expect(await fromBlock()).toEqual(texts(runKey(RUN), runKey(RUN)));
    expect(await run()).toMatchObject({ status: "completed", completedAt: NOW, totals: NONE, announced: true });
    expect(await run()).toMatchObject({ fullBlocks: new Set([0]) });
    expect(await run()).not.toHaveProperty("failure");
    expect(announced).toEqual([{ run: RUN, workflow: "w" }]);
  });

  test("nothing is written before all its pages are complete, or before its size is known", async () => {
    expect(await fromBlock(0, { full: new Set([0]) })).toEqual([]);
    expect(await fromBlock(0, { size: undefined })).toEqual([]);
  });

  test("a run that has not ended its source, or has more blocks, is not completed", async () => {
    for (const more of [{ ended: false }, { ended: true, pages: 1_001 }]) {
      await storeRow(runKey(RUN), more);
      expect(await fromBlock()).toEqual(texts(runKey(RUN), runKey(RUN)));
      expect(await run()).toMatchObject({ status: "running", fullBlocks: new Set([0]) });
      expect(await run()).not.toHaveProperty("completedAt");
    }
    expect(announced).toEqual([]);
  });

  test.each([
    ["cancelling", "cancelled"],
    ["failing", "failed"],
    ["paused", "completed"],
  ])("a run that is %s ends as %s", async (status, end) => {
    await storeRow(runKey(RUN), { status, failure: "too many items died" });
    await fromBlock();
    expect(await run()).toMatchObject({ status: end, completedAt: NOW });
    expect((await run()).failure).toBe(end === "completed" ? undefined : "too many items died");
    expect(announced).toHaveLength(1);
  });

  test("a later block of a run is entered into the run's row", async () => {
    await storeRow(runKey(RUN), { pages: 1_002 });
    expect(await fromBlock(1)).toEqual(texts(runKey(RUN)));
    expect(await run()).toMatchObject({ status: "running", fullBlocks: new Set([1]) });
    await fromBlock(0);
    expect(await run()).toMatchObject({ status: "completed", totals: NONE });
  });

  test("a block of a partition is entered into the partition's row, and completes no run", async () => {
    await storeRow(runKey(RUN), { lanes: 2, partitions: 200 });
    await storeRow(partitionKey(PARTITION), { pages: 2, ended: true });
    expect(await fromBlock(0, {}, PARTITION)).toEqual(texts(partitionKey(PARTITION), groupKey(RUN, 1)));
    expect(await rowOf(partitionKey(PARTITION))).toMatchObject({ fullBlocks: new Set([0]) });
    expect(await rowOf(groupKey(RUN, 1))).toEqual({ complete: new Set([2]) });
    expect(await run()).not.toHaveProperty("fullBlocks");
  });
});

describe("From a block with deaths or redriven items,", () => {
  test("its totals are written, and are those of a run of one block", async () => {
    await storeRow(
      pageKey({ ...UNDIVIDED, page: 1 }),
      { size: 2, digest: "d", epoch: 1 },
      { [deadSet("exhausted")]: [0, 1] },
    );
    const block = { ...UNDIVIDED, block: 0 };
    expect(await fromBlock(0, { notable: new Set([1]) })).toEqual(
      texts(blockKey(block), runKey(RUN), runKey(RUN), runKey(RUN)),
    );
    expect(await rowOf(blockKey(block))).toEqual({ totals: dead(2) });
    expect(await run()).toMatchObject({ status: "completed", totals: dead(2) });
  });

  test("totals that were written before are replaced", async () => {
    await fromBlock(0, { totals: dead(2) });
    expect(written[0]).toBe(keyText(blockKey({ ...UNDIVIDED, block: 0 })));
    expect(await rowOf(blockKey({ ...UNDIVIDED, block: 0 }))).toEqual({ totals: NONE });
  });

  test("a redrive marks the run, whose totals are then read from the rows of its blocks", async () => {
    await storeRow(blockKey({ ...UNDIVIDED, block: 0 }), { totals: dead(7) });
    expect(await fromBlock(0, { redriven: true })).toEqual(texts(runKey(RUN), runKey(RUN), runKey(RUN)));
    expect(await run()).toMatchObject({ status: "completed", redriven: true, totals: dead(7) });
  });

  test("a page with redriven items marks its block, and other pages do not", async () => {
    const page = { ...UNDIVIDED, page: 1_002 };
    const state = { size: 0, done: new Set(), dead: new Map(), cancelled: new Set(), retries: new Set() };
    await rollUp.fromPage(page, { ...state, epoch: 1, redriven: false } as never);
    const block = blockKey({ ...UNDIVIDED, block: 1 });
    expect(await rowOf(block)).toEqual({ full: new Set([2]) });
    await rollUp.fromPage(page, { ...state, epoch: 1, redriven: true } as never);
    expect(await rowOf(block)).toEqual({ full: new Set([2]), redriven: true });
  });
});

describe("From a group of blocks,", () => {
  const groupRow = (more: Partial<BlockGroupRow> = {}): BlockGroupRow => ({
    ...{ size: 2, complete: new Set([0, 1]), totals: undefined, redriven: false },
    ...more,
  });
  const fromGroup = (more: Partial<BlockGroupRow> = {}, production = UNDIVIDED) =>
    writesOf(() => rollUp.fromBlockGroup(production, 3, groupRow(more)));

  beforeEach(async () => {
    for (const [block, count] of [
      [3_000, 1],
      [3_001, 2],
      [3_002, 50],
      [2_999, 50],
    ] as const)
      await storeRow(blockKey({ ...UNDIVIDED, block }), { totals: dead(count) });
    await storeRow(runKey(RUN), { pages: 3_002_000 });
  });

  test("the totals of its blocks are written, and it is entered into the run's row", async () => {
    expect(await fromGroup()).toEqual(texts(blockGroupKey(UNDIVIDED, 3), runKey(RUN)));
    expect(await rowOf(blockGroupKey(UNDIVIDED, 3))).toEqual({ totals: dead(3) });
    expect(await run()).toMatchObject({ blockGroups: new Set([3]), status: "running" });
    expect(await run()).not.toHaveProperty("redriven");
  });

  test("nothing is written before all its blocks are complete, or before its size is known", async () => {
    expect(await fromGroup({ complete: new Set([0]) })).toEqual([]);
    expect(await fromGroup({ size: undefined })).toEqual([]);
  });

  test("totals that were written before stay, and a redrive marks the run", async () => {
    expect(await fromGroup({ totals: dead(9), redriven: true })).toEqual(texts(runKey(RUN)));
    expect(await run()).toMatchObject({ blockGroups: new Set([3]), redriven: true });
  });

  test("a group of a partition is entered into the partition's row", async () => {
    await storeRow(partitionKey(PARTITION), { pages: 3_002_000 });
    expect(await fromGroup({}, PARTITION)).toEqual(texts(blockGroupKey(PARTITION, 3), partitionKey(PARTITION)));
    expect(await rowOf(partitionKey(PARTITION))).toMatchObject({ blockGroups: new Set([3]) });
  });
});

describe("From a partition,", () => {
  const partitionRow = (more: object = {}): Row =>
    ({ pages: 1_002, ended: true, fullBlocks: new Set([0, 1]), ...more }) as unknown as Row;
  const fromPartition = (more: object = {}, totals?: ReturnType<typeof dead>) =>
    writesOf(() => rollUp.fromPartition(RUN, 103, partitionRow(more), totals));
  const group = () => rowOf(groupKey(RUN, 1));

  test("nothing is written before its source has ended, or before all its blocks are complete", async () => {
    expect(await fromPartition({ ended: false })).toEqual([]);
    expect(await fromPartition({ fullBlocks: new Set([0]) })).toEqual([]);
  });

  test("it is entered into its group with the totals of all its blocks", async () => {
    await storeRow(blockKey({ ...PARTITION, block: 0 }), { totals: dead(1) });
    await storeRow(blockKey({ ...PARTITION, block: 1 }), { totals: dead(2) });
    await storeRow(blockKey({ ...UNDIVIDED, block: 1 }), { totals: dead(50) });
    // These are the totals of one of its blocks.
    expect(await fromPartition({}, dead(2))).toEqual(texts(groupKey(RUN, 1)));
    expect(await group()).toEqual({ complete: new Set([2]), "totals 2": dead(3) });
  });

  test("the known totals of its only block are used, and none are written if nothing but successes happened", async () => {
    await fromPartition({ pages: 5, fullBlocks: new Set([0]) }, dead(4));
    expect(await group()).toEqual({ complete: new Set([2]), "totals 2": dead(4) });
    await store.update(groupKey(RUN, 1), { remove: ["totals 2"] });
    await fromPartition();
    expect(await group()).toEqual({ complete: new Set([2]) });
  });

  test("a redrive marks its group, and writes totals also if nothing else happened", async () => {
    await fromPartition({ redriven: true });
    expect(await group()).toEqual({ complete: new Set([2]), "totals 2": NONE, redriven: true });
  });

  test("a complete group is entered into the run's row, with the mark of a redrive", async () => {
    const row = { size: 2, complete: new Set([101, 102]), ended: new Map(), totals: new Map(), redriven: false };
    await storeRow(runKey(RUN), { lanes: 2, partitions: 150 });
    expect(await writesOf(() => rollUp.fromGroup(RUN, 1, { ...row, size: undefined }))).toEqual([]);
    expect(await writesOf(() => rollUp.fromGroup(RUN, 1, { ...row, size: 3 }))).toEqual([]);
    expect(await writesOf(() => rollUp.fromGroup(RUN, 1, row))).toEqual(texts(runKey(RUN)));
    expect(await run()).toMatchObject({ fullGroups: new Set([1]), status: "running" });
    expect(await run()).not.toHaveProperty("redriven");
    await rollUp.fromGroup(RUN, 0, { ...row, redriven: true });
    expect(await run()).toMatchObject({ fullGroups: new Set([0, 1]), status: "completed", redriven: true });
  });
});

describe("The end of a run", () => {
  test("has the totals of all its blocks", async () => {
    await storeRow(runKey(RUN), { pages: 1_002 }, { fullBlocks: [0, 1] });
    for (const block of [0, 1]) await storeRow(blockKey({ ...UNDIVIDED, block }), { totals: dead(1 + block) });
    await rollUp.fromRun(RUN, { ...(await run()) }, dead(2));
    expect(await run()).toMatchObject({ status: "completed", totals: dead(3) });
  });

  test("after a redrive has the totals of the blocks of the first group, and not of its row", async () => {
    const pages = 1_000_001;
    await storeRow(runKey(RUN), { pages }, { fullBlocks: Array.from({ length: 1_000 }, (_, block) => block) });
    await store.update(runKey(RUN), { add: { blockGroups: [0, 1] } });
    await storeRow(blockGroupKey(UNDIVIDED, 0), { totals: dead(5) });
    await storeRow(blockKey({ ...UNDIVIDED, block: 999 }), { totals: dead(7) });
    for (const [redriven, count] of [
      [undefined, 5],
      [true, 7],
    ] as const) {
      await store.update(runKey(RUN), { set: { redriven, status: "running" }, remove: ["completedAt"] });
      await rollUp.fromRun(RUN, await run());
      expect(await run()).toMatchObject({ totals: dead(count) });
    }
  });

  test("is not written if the status has changed since, or if another worker has written it", async () => {
    await store.update(runKey(RUN), { add: { fullBlocks: [0] } });
    const before = await run();
    await storeRow(runKey(RUN), { status: "cancelling" });
    await rollUp.fromRun(RUN, before, NONE);
    expect(await run()).toMatchObject({ status: "cancelling" });
    expect(announced).toEqual([]);
    await storeRow(runKey(RUN), { status: "running", completedAt: "2026-01-01T00:00:00.000Z" });
    await rollUp.fromRun(RUN, before, NONE);
    expect(await run()).toMatchObject({ status: "running", completedAt: "2026-01-01T00:00:00.000Z" });
  });

  test("of a run of many failures is a failure, and says so", async () => {
    await storeRow(runKey(RUN), { tolerance: { count: 3, minimum: 1 } });
    await store.update(runKey(RUN), { add: { fullBlocks: [0] } });
    await rollUp.fromRun(RUN, await run(), dead(4));
    expect(await run()).toMatchObject({ status: "failed", failure: expect.stringContaining("4"), completedAt: NOW });
  });

  test("is announced once, and only a redrive asks for the results again", async () => {
    await rollUp.tell(RUN);
    expect(announced).toEqual([]);
    const results = { version: 1, format: "jsonl", include: [] };
    await storeRow(runKey(RUN), { results, compactionsAsked: 0, compactionsDone: 0, completedAt: NOW });
    await rollUp.tell(RUN);
    await rollUp.tell(RUN);
    expect(announced).toEqual([{ run: RUN, workflow: "w" }]);
    await storeRow(runKey(RUN), { redriven: true });
    await rollUp.tell(RUN);
    expect(announced.slice(1)).toEqual([{ run: RUN, workflow: "w", compaction: 1 }]);
    await rollUp.tell("nobody");
    expect(announced).toHaveLength(2);
  });
});
