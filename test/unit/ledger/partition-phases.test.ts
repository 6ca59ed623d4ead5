import { beforeEach, describe, expect, test } from "vitest";
import type { Key } from "../../../shared/aws/table.ts";
import { toStoredText } from "../../../shared/base/exact-json.ts";
import { groupKey, lanesKey, partitionListKey } from "../../../shared/ledger/keys.ts";
import { type PartitionChoice, partitionStates } from "../../../shared/ledger/partition-states.ts";
import { partitionKey } from "../../../shared/messages/item-address.ts";
import { RUN } from "../../helpers/ledger-rig.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";

class CountingStore extends MemoryStore {
  readonly asked: (readonly Key[])[] = [];

  override async getMany(keys: readonly Key[]) {
    this.asked.push(keys);
    return await super.getMany(keys);
  }
}

let store: CountingStore;
const PLAN = 2;

/**
 * A run with 203 partitions and two lanes. Partitions 101 and 103 are settled, 102 is read, 1 failed, 104 and 203 are
 * being read, and 2 is to be read again.
 */
beforeEach(async () => {
  store = new CountingStore();
  await lanes({ "lane 0": 104, "lane 1": 203, "failed 1": "no rights", "again 2": true });
  await store.update(groupKey(RUN, 1), {
    set: {
      ...{ "ended 0": { pages: 3, items: 30 }, "ended 1": { pages: 2, items: 20 }, "ended 2": { pages: 1, items: 10 } },
    },
    add: { complete: [0, 2] },
  });
  for (const group of [0, 1]) await names(group, 100);
  await names(2, 3);
  await store.update(partitionKey({ run: RUN, partition: 104 }), {
    set: { pages: 7, items: 70, failedSlices: 2, sliceError: "no answer" },
  });
  await store.update(partitionKey({ run: RUN, partition: 203 }), {
    set: { pages: 5, items: 50, failedSlices: 0, sliceError: "an earlier error" },
  });
  // This partition failed after four pages.
  await store.update(partitionKey({ run: RUN, partition: 1 }), {
    set: { pages: 4, items: 40, failedSlices: 9, sliceError: "an earlier error" },
  });
});

const lanes = (row: object) => store.update(lanesKey(RUN), { set: { count: 203, plan: PLAN, next: 204, ...row } });

/** Writes a part of the list of partitions. */
async function names(group: number, count: number): Promise<void> {
  const list = Array.from({ length: count }, (_, place) => ({ id: `name ${100 * group + place + 1}` }));
  await store.update(partitionListKey(RUN, PLAN, group), { set: { partitions: toStoredText(list) } });
}

const read = (choice: Partial<PartitionChoice> = {}, partitions?: number) =>
  partitionStates(store, { id: RUN, lanes: 2, limit: undefined, partitions }, { offset: 0, limit: 300, ...choice });

const numbers = async (choice: Partial<PartitionChoice>, partitions?: number) =>
  (await read(choice, partitions)).rows.map(({ number }) => number);

describe("The phase of a partition", () => {
  test("follows from the rows of the lanes and of the groups", async () => {
    const { total, phases } = await read();
    expect(total).toBe(203);
    expect(phases).toEqual({ waiting: 196, reading: 3, failed: 1, read: 1, settled: 2 });
    expect(await numbers({ phases: ["settled"] })).toEqual([101, 103]);
    expect(await numbers({ phases: ["read"] })).toEqual([102]);
    expect(await numbers({ phases: ["failed"] })).toEqual([1]);
    expect(await numbers({ phases: ["reading"] })).toEqual([2, 104, 203]);
    expect(await numbers({ phases: ["failed", "settled"] })).toEqual([1, 101, 103]);
  });

  test("is `left out` if the run ended before the partition was taken", async () => {
    // 200 partitions belong to the run.
    expect((await read({}, 200)).phases).toMatchObject({ waiting: 194, "left out": 2, reading: 3 });
    expect(await numbers({ phases: ["left out"] }, 200)).toEqual([201, 202]);
    expect((await read({}, 203)).phases).not.toHaveProperty("left out");
    await lanes({ stopped: true });
    expect((await read()).phases).toMatchObject({ "left out": 196, reading: 3, failed: 1 });
  });
});

describe("The row of a partition", () => {
  test("has the name, the progress and the problem", async () => {
    const { matching, rows } = await read({ phases: ["reading", "failed", "read", "settled"] });
    expect(matching).toBe(7);
    expect(rows.map(({ number, id, pages, items, problem }) => [number, id, pages, items, problem])).toEqual([
      [1, "name 1", 4, 40, "no rights"],
      [2, "name 2", 0, 0, null],
      [101, "name 101", 3, 30, null],
      [102, "name 102", 2, 20, null],
      [103, "name 103", 1, 10, null],
      [104, "name 104", 7, 70, "no answer"],
      [203, "name 203", 5, 50, null],
    ]);
  });

  test("has its number as its name if the list is gone, and no problem without a text", async () => {
    store.delete(partitionListKey(RUN, PLAN, 1));
    await store.update(partitionKey({ run: RUN, partition: 104 }), { remove: ["sliceError"] });
    expect((await read({ phases: ["reading"] })).rows).toMatchObject([
      { id: "name 2" },
      { id: "104", problem: null },
      { id: "name 203" },
    ]);
  });

  test("is one of those that were chosen", async () => {
    expect(await numbers({ offset: 99, limit: 3 })).toEqual([100, 101, 102]);
    expect(await numbers({ offset: 201, limit: 10 })).toEqual([202, 203]);
    const { matching, rows } = await read({ phases: ["waiting"], offset: 195, limit: 10 });
    expect([matching, rows.map(({ id }) => id)]).toEqual([196, ["name 202"]]);
  });

  test("costs no request for a partition that is not shown, and none for one that no lane has taken or that has ended", async () => {
    await read({ offset: 100, limit: 4 });
    const [groups, ...others] = store.asked;
    expect(groups).toEqual([0, 1, 2].map((group) => groupKey(RUN, group)));
    expect(others).toEqual([[partitionListKey(RUN, PLAN, 1)], [partitionKey({ run: RUN, partition: 104 })]]);
  });
});
