import { describe, expect, test } from "vitest";
import { groupKey, lanesKey, runKey } from "../../../shared/ledger/keys.ts";
import { productionOfPartitions } from "../../../shared/ledger/partition-production.ts";
import { blockGroupKey, blockKey, pageKey, partitionKey } from "../../../shared/messages/item-address.ts";
import { CREATED, LedgerRig, RUN } from "../../helpers/ledger-rig.ts";

const dead = (count: number) => ({ dead: count, cancelled: 0, retried: 0, deadByReason: { exhausted: count } });

describe("A count of a run", () => {
  test("uses the totals of its blocks and of its groups of blocks, unless items were redriven", async () => {
    const rig = new LedgerRig();
    await rig.runs.create(CREATED);
    const [blocks, production] = [1_002, { run: RUN, partition: 0 }];
    await rig.store.update(runKey(RUN), { set: { pages: blocks * 1_000, items: 100 } });
    await rig.store.update(blockGroupKey(production, 0), { set: { totals: dead(5) } });
    await rig.store.update(blockKey({ ...production, block: 1_000 }), { set: { size: 1_000, totals: dead(7) } });
    await rig.store.update(blockKey({ ...production, block: 1_001 }), {
      set: { size: 1_000, totals: dead(50), redriven: true },
    });
    expect(await rig.counts()).toEqual({ produced: 100, succeeded: 88, pending: 0, ...dead(12) });
  });
});

describe("How far partitions were read", () => {
  test("follows from the rows of their groups, of which one has a redriven partition", async () => {
    const rig = new LedgerRig();
    const run = await rig.runs.create({ ...CREATED, lanes: 2 });
    await rig.store.update(lanesKey(RUN), { set: { count: 4, next: 5, "lane 0": 0, "lane 1": 0 } });
    const ended = (place: number) => ({ [`ended ${place}`]: { pages: 1 + place, items: 10 * place } });
    await rig.store.update(groupKey(RUN, 0), {
      set: { ...ended(0), ...ended(1), ...ended(2), redriven: true, "totals 2": dead(3) } as never,
      add: { complete: [1, 2] },
    });
    await rig.store.update(partitionKey({ run: RUN, partition: 2 }), { set: { redriven: true } });
    const production = await productionOfPartitions(rig.store, { ...run, partitions: 4 });
    expect(production).toMatchObject({ produced: 30, pages: 6, ended: 3, totals: [dead(3)] });
    // The items of the first partition are not all settled, and the second one has redriven items.
    expect(production.open).toEqual([
      { partition: 1, pages: 1, items: 0 },
      { partition: 2, pages: 2, items: 10 },
    ]);
  });
});

describe("The end of a run that is stopped", () => {
  test("closes the first page that was not opened, once", async () => {
    const rig = new LedgerRig();
    await rig.produced([2], { ended: false });
    await rig.runs.cancel(RUN);
    const end = async () => await rig.runs.stopping.endProduction(await rig.runs.get(RUN), async () => {});
    await end();
    expect(await rig.runs.get(RUN)).toMatchObject({ checkpoint: { count: 2, pages: 1, items: 2, ended: true } });
    expect(await rig.store.get(pageKey(rig.item(0, { page: 1 })))).toMatchObject({ size: 0 });
    await end();
    expect(await rig.runs.get(RUN)).toMatchObject({ checkpoint: { count: 2, ended: true } });
    expect(await rig.store.get(pageKey(rig.item(0, { page: 2 })))).toBeUndefined();
  });
});
