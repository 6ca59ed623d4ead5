import { describe, expect, test } from "vitest";
import type { Key, LedgerStore } from "../../../shared/aws/table.ts";
import {
  BLOCKS_PER_GROUP,
  blockGroupOf,
  groupKey,
  lanesKey,
  PAGES_PER_BLOCK,
  runKey,
} from "../../../shared/ledger/keys.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { overviewOf } from "../../../shared/ledger/run-overview.ts";
import { envelopeVersion, FIRST_GROUPED_PAGE } from "../../../shared/messages/envelope.ts";
import { blockGroupKey, blockKey, partitionKey } from "../../../shared/messages/item-address.ts";
import { CREATED, LedgerRig, RUN } from "../../helpers/ledger-rig.ts";

const PAGES = BLOCKS_PER_GROUP * PAGES_PER_BLOCK;
const UNDIVIDED = { run: RUN, partition: 0 } as const;
const NO_TOTALS = { dead: 0, cancelled: 0, retried: 0, deadByReason: {} };
const upTo = (count: number) => Array.from({ length: count }, (_, number) => number);

/** A run of which 1,000 blocks are produced and complete. The rows of its pages do not exist. */
async function afterFirstGroup(version = 3, complete = BLOCKS_PER_GROUP): Promise<LedgerRig> {
  const rig = new LedgerRig();
  await rig.runs.create(CREATED);
  await rig.store.update(runKey(RUN), {
    set: { version, checkpoints: 1, pages: PAGES, cursor: "1" },
    add: { fullBlocks: upTo(complete) },
  });
  return rig;
}

/** Opens pages of two items after the first group, and moves the checkpoint behind each of them. */
async function produce(rig: LedgerRig, pages: number, { ended = true } = {}): Promise<void> {
  for (const number of upTo(pages)) {
    const run = await rig.runs.get(RUN);
    const page = run.checkpoint.pages;
    await rig.ledger.pages.open({ ...UNDIVIDED, page }, { size: 2, digest: "d" });
    await rig.checkpointed(run, 2, { ended: ended && number === pages - 1 });
  }
}

const item = (rig: LedgerRig, page: number, index: number) => rig.item(index, { page: PAGES + page });

async function settle(rig: LedgerRig, pages: number): Promise<void> {
  for (const page of upTo(pages)) for (const index of [0, 1]) await rig.succeed(item(rig, page, index));
}

describe("A run of more than 1,000 blocks", () => {
  test("enters a later block into its group, and the group into its row", async () => {
    const rig = await afterFirstGroup();
    await produce(rig, 1);
    await rig.succeed(item(rig, 0, 0), 1);
    expect(await rig.status()).toBe("running");
    await rig.die(item(rig, 0, 1));
    const totals = { dead: 1, cancelled: 0, retried: 1, deadByReason: { exhausted: 1 } };
    expect(await rig.runs.get(RUN)).toMatchObject({ status: "completed", totals });
    const row = await rig.store.get(runKey(RUN));
    expect(row?.fullBlocks).toHaveProperty("size", BLOCKS_PER_GROUP);
    expect(row?.blockGroups).toEqual(new Set([1]));
    expect(await rig.store.get(blockGroupKey(UNDIVIDED, 1))).toEqual({
      ...blockGroupKey(UNDIVIDED, 1),
      ...{ size: 1, complete: new Set([0]), totals },
    });
    expect(rig.announcements).toEqual([RUN]);
  });

  test.each([1, 2])("goes on in its own row if code of ledger version %i began it", async (version) => {
    const rig = await afterFirstGroup(version);
    await produce(rig, 1);
    await settle(rig, 1);
    expect(await rig.status()).toBe("completed");
    const row = await rig.store.get(runKey(RUN));
    expect(row).toMatchObject({ version, fullBlocks: new Set(upTo(BLOCKS_PER_GROUP + 1)) });
    // The totals of the first 1,000 blocks are in a row of their own.
    expect(row?.blockGroups).toEqual(new Set([0]));
    expect(await rig.store.get(blockGroupKey(UNDIVIDED, 1))).toBeUndefined();
  });

  test("does not complete before a block of its first group is complete", async () => {
    const rig = await afterFirstGroup(3, BLOCKS_PER_GROUP - 1);
    await produce(rig, 1);
    await settle(rig, 1);
    expect(await rig.status()).toBe("running");
    const block = { ...UNDIVIDED, block: BLOCKS_PER_GROUP - 1 };
    await rig.store.update(blockKey(block), { set: { size: 0 } });
    await rig.ledger.pages.open({ ...UNDIVIDED, page: PAGES - 1 }, { size: 1, digest: "d" });
    await rig.succeed(rig.item(0, { page: PAGES - 1 }));
    expect(await rig.status()).toBe("completed");
    expect(await rig.store.get(blockGroupKey(UNDIVIDED, 0))).toMatchObject({ totals: NO_TOTALS });
    expect((await rig.store.get(runKey(RUN)))?.blockGroups).toEqual(new Set([0, 1]));
    const before = await rig.store.get(runKey(RUN));
    await rig.ledger.outcomes.rollUpAgain({ ...UNDIVIDED, page: PAGES - 1 });
    expect(await rig.store.get(runKey(RUN))).toEqual(before);
  });

  test("completes if the end of the source is known later", async () => {
    const rig = await afterFirstGroup();
    await produce(rig, 1, { ended: false });
    await settle(rig, 1);
    expect(await rig.status()).toBe("running");
    await rig.checkpointed(await rig.runs.get(RUN), 0, { ended: true });
    expect(await rig.status()).toBe("completed");
  });

  test("completes wherever its last consumer dies", async () => {
    for (let write = 0; ; write++) {
      const rig = await afterFirstGroup();
      await produce(rig, 1);
      await rig.succeed(item(rig, 0, 0));
      try {
        await rig.dyingAt(write, () => rig.succeed(item(rig, 0, 1)));
      } catch {
        expect(write).toBeGreaterThanOrEqual(5);
        return;
      }
      await rig.succeed(item(rig, 0, 1));
      expect(await rig.status()).toBe("completed");
      expect(await rig.counts()).toMatchObject({ succeeded: 2, pending: 0 });
      expect(new Set(rig.announcements)).toEqual(new Set([RUN]));
    }
  });

  test("completes wherever its producer dies at the end of the source", async () => {
    for (let write = 1; ; write++) {
      const rig = await afterFirstGroup();
      await rig.ledger.pages.open({ ...UNDIVIDED, page: PAGES }, { size: 1, digest: "d" });
      await rig.succeed(item(rig, 0, 0));
      const run = await rig.runs.get(RUN);
      try {
        await rig.dyingAt(write, () => rig.checkpointed(run, 1, { ended: true }));
      } catch {
        expect(write).toBeGreaterThanOrEqual(6);
        return;
      }
      await rig.runs.progress.closeAgain(await rig.runs.get(RUN));
      expect(await rig.status()).toBe("completed");
    }
  });

  test("counts a redriven item of a later group as pending until it settles", async () => {
    const rig = await afterFirstGroup();
    // These blocks need not be read page by page.
    for (const block of upTo(BLOCKS_PER_GROUP))
      await rig.store.update(blockKey({ ...UNDIVIDED, block }), { set: { totals: NO_TOTALS } });
    await produce(rig, 1);
    await rig.succeed(item(rig, 0, 0));
    await rig.die(item(rig, 0, 1));
    expect(await rig.counts()).toMatchObject({ succeeded: 1, dead: 1, pending: 0 });
    const redriven = { ...item(rig, 0, 1), redriveGeneration: 1 };
    await rig.ledger.outcomes.recordRedrives({ ...redriven, items: [redriven] });
    expect(await rig.counts()).toMatchObject({ succeeded: 1, dead: 0, pending: 1 });
    await rig.succeed(redriven);
    expect(await rig.counts()).toMatchObject({ succeeded: 2, dead: 0, pending: 0 });
  });

  test("cancels waiting items without a look at the blocks of a complete group", async () => {
    const rig = await afterFirstGroup();
    await produce(rig, 1);
    await rig.store.update(blockGroupKey(UNDIVIDED, 0), { set: { totals: NO_TOTALS } });
    let pages = 0;
    const isOver = () => ++pages > 1;
    expect(await rig.runs.stopping.cancelWaiting(await rig.runs.get(RUN), 0, isOver)).toBe(true);
    expect(pages).toBe(1);
  });

  test("sends messages that older code puts back from its first grouped page on", () => {
    expect(FIRST_GROUPED_PAGE).toBe(PAGES);
    expect(envelopeVersion({ page: PAGES - 1 })).toBe(1);
    expect(envelopeVersion({ page: PAGES })).toBe(5);
    expect(envelopeVersion({ page: PAGES, partition: 3 })).toBe(5);
  });
});

test("A partition of more than 1,000 blocks enters a later block into its group", async () => {
  const rig = new LedgerRig();
  const run = await rig.runs.create({ ...CREATED, lanes: 1 });
  const partition = { id: "a", number: 1 };
  await rig.runs.progress.partition(run, partition);
  await rig.store.update(partitionKey({ run: RUN, partition: 1 }), {
    set: { pages: PAGES },
    add: { fullBlocks: upTo(BLOCKS_PER_GROUP) },
  });
  await rig.ledger.pages.open({ run: RUN, partition: 1, page: PAGES }, { size: 1, digest: "d" });
  await rig.checkpointed(await rig.runs.progress.partition(run, partition), 1, { ended: true });
  await rig.runs.progress.endPartitions(run, 1);
  await rig.succeed(rig.item(0, { partition: 1, page: PAGES }));
  expect(await rig.status()).toBe("completed");
  const row = await rig.store.get(partitionKey({ run: RUN, partition: 1 }));
  expect(row).toMatchObject({ blockGroups: new Set([1]), fullBlocks: new Set(upTo(BLOCKS_PER_GROUP)) });
});

/** A store that counts the requests and the rows that are read. */
function counting(store: LedgerStore) {
  const counted = { requests: 0, rows: 0 };
  const count = <Result>(rows: number, result: Promise<Result>): Promise<Result> => {
    counted.requests++;
    counted.rows += rows;
    return result;
  };
  const counter: LedgerStore = {
    get: (key: Key) => count(1, store.get(key)),
    getMany: (keys: readonly Key[]) => count(keys.length, store.getMany(keys)),
    newest: (...query) => count(query[1], store.newest(...query)),
    update: (...update) => count(1, store.update(...update)),
  };
  return {
    counted,
    ledger: new Ledger(
      counter,
      () => 0,
      async () => {},
    ),
  };
}

describe("How much is read:", () => {
  test("to count the items of a run of 10⁹, and to complete it", async () => {
    const rig = new LedgerRig();
    await rig.runs.create(CREATED);
    const pages = 5_000_000;
    const last = pages - 1;
    const items = 200 * pages;
    await rig.store.update(runKey(RUN), {
      set: { checkpoints: 1, pages, items, ended: true },
      add: { fullBlocks: upTo(BLOCKS_PER_GROUP), blockGroups: [1, 2, 3] },
    });
    const totals = { dead: 7, cancelled: 0, retried: 2, deadByReason: { exhausted: 7 } };
    for (const group of [0, 1, 2, 3]) await rig.store.update(blockGroupKey(UNDIVIDED, group), { set: { totals } });
    await rig.store.update(blockGroupKey(UNDIVIDED, 4), {
      set: { size: BLOCKS_PER_GROUP },
      add: { complete: upTo(BLOCKS_PER_GROUP - 1) },
    });
    for (const place of upTo(BLOCKS_PER_GROUP)) {
      const block = 4 * BLOCKS_PER_GROUP + place;
      const full = upTo(block === 4_999 ? PAGES_PER_BLOCK - 1 : PAGES_PER_BLOCK);
      await rig.store.update(blockKey({ ...UNDIVIDED, block }), {
        set: { size: PAGES_PER_BLOCK, grouped: true },
        add: { full },
      });
    }
    await rig.ledger.pages.open({ ...UNDIVIDED, page: last }, { size: 200, digest: "d" });

    const { counted, ledger } = counting(rig.store);
    const run = await ledger.runs.get(RUN);
    expect(await ledger.runs.counts(await overviewOf(ledger.store, run))).toMatchObject({
      produced: items,
      dead: 28,
      pending: 200,
    });
    expect(counted.requests).toBeLessThanOrEqual(15);
    expect(counted.rows).toBeLessThanOrEqual(1_010);

    for (const index of upTo(199)) await rig.succeed(rig.item(index, { page: last }));
    Object.assign(counted, { requests: 0, rows: 0 });
    await ledger.outcomes.recordSuccesses({
      ...UNDIVIDED,
      page: last,
      epoch: 1,
      items: [{ index: 199, redriveGeneration: 0, failures: 0 }],
    });
    expect(await rig.runs.get(RUN)).toMatchObject({ status: "completed", totals: { dead: 28, retried: 8 } });
    expect(counted.requests).toBeLessThanOrEqual(35);
    // A message that comes again sums up nothing again.
    Object.assign(counted, { requests: 0, rows: 0 });
    await ledger.outcomes.rollUpAgain({ ...UNDIVIDED, page: last });
    expect(counted.requests).toBeLessThanOrEqual(6);
    // Once the totals are in the run's row, nothing more is read.
    Object.assign(counted, { requests: 0, rows: 0 });
    expect(await ledger.runs.counts(await ledger.runs.get(RUN))).toMatchObject({ succeeded: items - 28, pending: 0 });
    expect(counted).toEqual({ requests: 1, rows: 1 });
    expect(blockGroupOf(4_999)).toBe(4);
  });

  test("to count the items of a run of 10,000 partitions, and to complete it", async () => {
    const rig = new LedgerRig();
    await rig.runs.create({ ...CREATED, lanes: 2 });
    await rig.store.update(runKey(RUN), { set: { partitions: 10_000 } });
    await rig.store.update(lanesKey(RUN), { set: { count: 10_000, next: 10_001, round: 1, "lane 0": 0, "lane 1": 0 } });
    for (const group of upTo(100)) {
      const ended = Object.fromEntries(upTo(100).map((place) => [`ended ${place}`, { pages: 3, items: 500 }]));
      await rig.store.update(groupKey(RUN, group), { set: ended, add: { complete: upTo(100) } });
    }
    const { counted, ledger } = counting(rig.store);
    const run = await ledger.runs.get(RUN);
    const counts = await ledger.runs.counts(await overviewOf(ledger.store, run));
    expect(counts).toMatchObject({ produced: 5_000_000, succeeded: 5_000_000, pending: 0 });
    // The run, and twice the lanes and the groups.
    expect(counted.requests).toBeLessThanOrEqual(9);
    expect(counted.rows).toBeLessThanOrEqual(210);
    Object.assign(counted, { requests: 0, rows: 0 });
    await ledger.runs.progress.endPartitions(run, 10_000);
    expect(await rig.status()).toBe("completed");
    // The size of each group, and its entry in the run.
    expect(counted.requests).toBeLessThanOrEqual(210);
    expect(counted.rows).toBeLessThanOrEqual(410);
  });
});
