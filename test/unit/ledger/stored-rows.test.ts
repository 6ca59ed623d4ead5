import { describe, expect, test } from "vitest";
import type { Row } from "../../../shared/aws/table.ts";
import {
  accountedAttribute,
  beganAttribute,
  deadLetterAttribute,
  failureAttribute,
  finalAttribute,
  readAttemptsRow,
  receiveAttribute,
  suspectAttribute,
  waitCountAttribute,
  waitsAttribute,
} from "../../../shared/ledger/attempts-row.ts";
import { completeBlockCount, isFirstGroupComplete, readBlockGroupRow } from "../../../shared/ledger/block-groups.ts";
import { epochAttribute, pageEntry, readBlockRow } from "../../../shared/ledger/block-row.ts";
import { endedAttribute, partitionEntry, readGroupRow, totalsAttribute } from "../../../shared/ledger/group-row.ts";
import {
  blockCount,
  blockGroupCount,
  blockGroupOf,
  blockOf,
  blocksInGroup,
  groupCount,
  groupKey,
  groupOf,
  lanesKey,
  partitionListKey,
  runKey,
  runListKey,
} from "../../../shared/ledger/keys.ts";
import {
  againAttribute,
  failedAttribute,
  hasNext,
  hopAttribute,
  isAtRest,
  laneAttribute,
  openPartitions,
  readLanesRow,
} from "../../../shared/ledger/lanes-row.ts";
import { productionOfPartitions } from "../../../shared/ledger/partition-production.ts";
import { blockGroupKey, partitionKey } from "../../../shared/messages/item-address.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";

// A deploy in the middle of a run meets rows of the code before it. So keys and names of attributes must not change.

const totals = (dead: number) => ({ dead, cancelled: 0, retried: 0, deadByReason: {} });

describe("the keys of rows", () => {
  test("are these", () => {
    expect(runKey("r")).toEqual({ pk: "run#r", sk: "run" });
    expect(lanesKey("r")).toEqual({ pk: "run#r", sk: "lanes" });
    expect(groupKey("r", 2)).toEqual({ pk: "run#r#group#2", sk: "group" });
    expect(partitionListKey("r", 1, 2)).toEqual({ pk: "run#r#partitions#1#2", sk: "list" });
    expect(blockGroupKey({ run: "r", partition: 0 }, 2)).toEqual({ pk: "run#r#blocks#2", sk: "blocks" });
    expect(blockGroupKey({ run: "r", partition: 7 }, 2)).toEqual({ pk: "run#r#partition#7#blocks#2", sk: "blocks" });
    expect(runListKey("r", "2026")).toEqual({ pk: "runs", sk: "2026#r" });
  });

  test("put 1,000 pages into a block, 1,000 blocks into a group, and 100 partitions into a group", () => {
    expect([0, 999, 1_000].map(blockGroupOf)).toEqual([0, 0, 1]);
    expect([0, 1, 1_000, 1_001].map(blockGroupCount)).toEqual([0, 1, 1, 2]);
    expect([blocksInGroup(0, 1_500), blocksInGroup(1, 1_500)]).toEqual([1_000, 500]);
    expect([0, 999, 1_000].map(blockOf)).toEqual([0, 0, 1]);
    expect([0, 1, 1_000, 1_001].map(blockCount)).toEqual([0, 1, 1, 2]);
    expect([1, 100, 101].map(groupOf)).toEqual([0, 0, 1]);
    expect([0, 1, 100, 101].map(groupCount)).toEqual([0, 1, 1, 2]);
  });
});

describe("the row of an item's attempts", () => {
  test("has these attributes", () => {
    expect([
      failureAttribute(1, 2),
      receiveAttribute(1, 2),
      beganAttribute(1, 2),
      finalAttribute(1),
      waitsAttribute(1),
      waitCountAttribute(1),
      accountedAttribute(1),
      suspectAttribute(1),
      deadLetterAttribute(1),
    ]).toEqual([
      "failure 1.2",
      "receive 1.2",
      "began 1.2",
      "final 1",
      "waits 1",
      "wait count 1",
      "accounted 1",
      "suspect 1",
      "dead letter 1",
    ]);
  });

  test("is read for one redrive generation", () => {
    const row = {
      "failure 1.3": { message: "third" },
      "failure 1.1": { message: "first" },
      "failure 0.9": { message: "of another generation" },
      "receive 1.2": "returned",
      "receive 1.3": "alone",
      "began 1.3": 77,
      "final 1": "exhausted",
      "waits 1": { until: 5 },
      "accounted 1": 4,
      "suspect 1": true,
      "dead letter 1": "{}",
    } as unknown as Row;
    expect(readAttemptsRow(row, 1)).toEqual({
      failures: [{ message: "first" }, { message: "third" }],
      final: "exhausted",
      receives: new Map([
        [3, "failed"],
        [1, "failed"],
        [2, "returned"],
      ]),
      began: new Map([[3, 77]]),
      accountedTo: 4,
      suspect: true,
      waits: { until: 5 },
      deadLetter: "{}",
    });
    const empty = { failures: [], final: undefined, receives: new Map() };
    for (const none of [undefined, {}]) {
      const read = readAttemptsRow(none, 1);
      expect(read).toEqual(empty);
      expect(Object.keys(read)).toEqual(Object.keys(empty));
    }
  });
});

describe("the row of a group of blocks", () => {
  test("says which blocks are complete", () => {
    const row: Row = { size: 3, complete: new Set([0, 2]), totals: totals(1), redriven: true };
    expect(readBlockGroupRow(row)).toEqual(row);
    expect(readBlockGroupRow({})).toEqual({ size: undefined, complete: new Set(), totals: undefined, redriven: false });
  });

  test("is counted in the row of its run or partition", () => {
    // 3,200 blocks are in four groups. The first group is the set in the row itself, and the last group has 200 blocks.
    const row: Row = { fullBlocks: new Set([0, 1]), blockGroups: new Set([1, 3]) };
    expect(completeBlockCount(row, 3_200)).toBe(2 + 1_000 + 200);
    expect(completeBlockCount({}, 3_200)).toBe(0);
    // The totals of the first group are written.
    expect(completeBlockCount({ ...row, blockGroups: new Set([0, 1, 3]) }, 3_200)).toBe(2 + 1_000 + 200);
    const numbers = (count: number) => new Set(Array.from({ length: count }, (_, number) => number));
    expect(isFirstGroupComplete({ fullBlocks: numbers(1_000) })).toBe(true);
    expect(isFirstGroupComplete({ fullBlocks: numbers(1_000), blockGroups: new Set([0]) })).toBe(false);
    expect(isFirstGroupComplete({ fullBlocks: numbers(999) })).toBe(false);
    // In a run of an earlier version, all blocks are in this set.
    expect(isFirstGroupComplete({ fullBlocks: new Set([...numbers(999), 1_000]) })).toBe(false);
  });
});

describe("the row of a block", () => {
  test("says which pages are complete in their epoch", () => {
    expect([pageEntry(1_007, 1), pageEntry(1_007, 3), epochAttribute(1_007)]).toEqual([7, 2_007, "epoch of 7"]);
    const row = {
      size: 9,
      // Page 1,009 is none of the block, and page 1,008 is complete in an earlier epoch only.
      full: new Set([0, 7, 8, 9, 1_007]),
      notable: new Set([8]),
      "epoch of 7": 2,
      "epoch of 8": 2,
      totals: totals(1),
      redriven: true,
      grouped: true,
    } as unknown as Row;
    expect(readBlockRow(row, 1)).toEqual({
      size: 9,
      full: new Set([1_000, 1_007]),
      notable: new Set(),
      totals: totals(1),
      redriven: true,
      grouped: true,
    });
    expect(readBlockRow({ full: new Set([5, 1_005]) } as unknown as Row, 0)).toEqual({
      size: undefined,
      full: new Set([5]),
      notable: new Set(),
      totals: undefined,
      redriven: false,
      grouped: false,
    });
  });
});

describe("the row of a group of partitions", () => {
  test("names partitions by their place in the group", () => {
    expect(endedAttribute(102, { pages: 3, items: 30 })).toEqual({ "ended 1": { pages: 3, items: 30 } });
    expect(totalsAttribute(200, totals(1))).toEqual({ "totals 99": totals(1) });
    expect([1, 100, 101].map(partitionEntry)).toEqual([0, 99, 0]);
    const row = {
      size: 4,
      complete: new Set([1, 3]),
      "ended 1": { pages: 3, items: 30 },
      "totals 3": totals(2),
      redriven: true,
    } as unknown as Row;
    expect(readGroupRow(row, 1)).toEqual({
      size: 4,
      complete: new Set([102, 104]),
      ended: new Map([[102, { pages: 3, items: 30 }]]),
      totals: new Map([[104, totals(2)]]),
      redriven: true,
    });
    expect(readGroupRow({}, 0)).toEqual({
      size: undefined,
      complete: new Set(),
      ended: new Map(),
      totals: new Map(),
      redriven: false,
    });
  });
});

describe("the row of the lanes", () => {
  const read = (row: object, lanes = 3) => readLanesRow(row as Row, { lanes });

  test("says what each lane reads, and what has failed", () => {
    expect([laneAttribute(1), hopAttribute(1), failedAttribute(7), againAttribute(7)]).toEqual([
      "lane 1",
      "hop 1",
      "failed 7",
      "again 7",
    ]);
    const row = {
      count: 20,
      plan: 2,
      next: 12,
      stopped: true,
      round: 3,
      "lane 0": 9,
      "lane 2": 11,
      "failed 10": "no",
      "failed 2": "none",
      "again 10": true,
      "again 3": true,
    };
    expect(read(row)).toEqual({
      count: 20,
      plan: 2,
      next: 12,
      stopped: true,
      round: 3,
      reading: [9, 0, 11],
      failed: new Map([
        [2, "none"],
        [10, "no"],
      ]),
      mostFailed: 100,
      again: [3, 10],
    });
    expect([...read(row).failed.keys()]).toEqual([2, 10]);
    expect(openPartitions(read(row))).toEqual([2, 3, 9, 10, 11]);
    expect(read({}, 1)).toEqual({
      count: undefined,
      plan: 0,
      next: 1,
      stopped: false,
      round: 0,
      reading: [0],
      failed: new Map(),
      again: [],
      mostFailed: 100,
    });
  });

  test("says for a run with a limit that no lane takes a partition after one that failed", () => {
    const limited = (row: object) => readLanesRow(row as Row, { lanes: 1, limit: 10 });
    expect(hasNext(limited({ count: 2, next: 2 }))).toBe(true);
    expect(hasNext(limited({ count: 2, next: 2, "failed 1": "no" }))).toBe(false);
    expect(hasNext(limited({ count: 2, next: 2, "again 1": true }))).toBe(true);
  });

  test("says whether a lane can take another partition", () => {
    expect(hasNext(read({}))).toBe(false);
    expect(hasNext(read({ count: 5, next: 5 }))).toBe(true);
    expect(hasNext(read({ count: 5, next: 6 }))).toBe(false);
    expect(hasNext(read({ count: 5, next: 5, stopped: true }))).toBe(false);
    expect(hasNext(read({ count: 5, next: 6, stopped: true, "again 2": true }))).toBe(true);
    const failed = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`failed ${index + 1}`, "no"]));
    expect(hasNext(read({ count: 500, next: 200, ...failed(99) }))).toBe(true);
    expect(hasNext(read({ count: 500, next: 200, ...failed(100) }))).toBe(false);
  });

  test("says whether the lanes have nothing to do", () => {
    expect(isAtRest(read({ count: 5, next: 6 }))).toBe(true);
    expect(isAtRest(read({ count: 5, next: 6, "lane 1": 4 }))).toBe(false);
    expect(isAtRest(read({ count: 5, next: 5 }))).toBe(false);
  });
});

describe("how far the partitions of a run were read", () => {
  const run = { id: "r", lanes: 2, partitions: 150 };

  async function stored(): Promise<MemoryStore> {
    const store = new MemoryStore();
    const set = (key: { pk: string; sk: string }, attributes: object) =>
      store.update(key, { set: attributes as Record<string, string> });
    await set(lanesKey("r"), {
      count: 150,
      next: 130,
      "lane 0": 120,
      "lane 1": 3,
      "failed 110": "no",
      "failed 111": "no",
    });
    await set(groupKey("r", 0), {
      "ended 0": { pages: 1, items: 10 },
      "ended 2": { pages: 2, items: 20 },
      "totals 0": totals(1),
    });
    await store.update(groupKey("r", 0), { add: { complete: [0] } });
    await set(groupKey("r", 1), {
      "ended 0": { pages: 4, items: 40 },
      "ended 4": { pages: 5, items: 50 },
      "totals 0": totals(2),
      "totals 4": totals(3),
      redriven: true,
    });
    await store.update(groupKey("r", 1), { add: { complete: [0, 4] } });
    await set(partitionKey({ run: "r", partition: 101 }), { pages: 4, items: 40, redriven: true });
    await set(partitionKey({ run: "r", partition: 105 }), { pages: 5, items: 50 });
    await set(partitionKey({ run: "r", partition: 110 }), { pages: 7, items: 70 });
    await set(partitionKey({ run: "r", partition: 120 }), { pages: 6, items: 60 });
    return store;
  }

  test("is found in the groups and in the partitions that are being read", async () => {
    const found = await productionOfPartitions(await stored(), run);
    expect(found.open).toEqual([
      { partition: 110, pages: 7, items: 70 },
      { partition: 120, pages: 6, items: 60 },
      // It has ended, and not all of its items are settled.
      { partition: 3, pages: 2, items: 20 },
      // It is complete, and some of its items were redriven.
      { partition: 101, pages: 4, items: 40 },
    ]);
    expect(found.totals).toEqual([totals(1), totals(3)]);
    expect([found.produced, found.pages]).toEqual([250, 25]);
    expect(found.lanes.next).toBe(130);
  });

  test("is listed by partition", async () => {
    expect((await productionOfPartitions(await stored(), run)).all).toEqual([
      { partition: 1, pages: 1, items: 10 },
      { partition: 3, pages: 2, items: 20 },
      { partition: 101, pages: 4, items: 40 },
      { partition: 105, pages: 5, items: 50 },
      { partition: 110, pages: 7, items: 70 },
      { partition: 120, pages: 6, items: 60 },
    ]);
  });

  test("is nothing before the lanes have begun", async () => {
    const none = await productionOfPartitions(new MemoryStore(), { id: "r", lanes: undefined, partitions: undefined });
    expect(none).toMatchObject({ open: [], all: [], totals: [], produced: 0, pages: 0 });
  });
});
