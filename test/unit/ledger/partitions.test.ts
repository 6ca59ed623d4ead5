import { beforeEach, describe, expect, test } from "vitest";
import { groupKey, lanesKey, runKey } from "../../../shared/ledger/keys.ts";
import { blocksOf } from "../../../shared/ledger/run-blocks.ts";
import { overviewOf } from "../../../shared/ledger/run-overview.ts";
import type { RecordedWait, RunRecord } from "../../../shared/ledger/run-record.ts";
import type { NewRun } from "../../../shared/ledger/run-states.ts";
import { blockKey, pageKey, partitionKey } from "../../../shared/messages/item-address.ts";
import { CREATED, LedgerRig, RUN } from "../../helpers/ledger-rig.ts";

let rig: LedgerRig;
beforeEach(() => {
  rig = new LedgerRig();
});

const run = async () => await rig.runs.get(RUN);
const item = (partition: number, index = 0, page = 0) => rig.item(index, { partition, page });
const rowOf = async (partition: number) => await rig.store.get(partitionKey({ run: RUN, partition }));

/** A run with a sealed list of partitions, whose lanes may begin. */
async function divided(partitions: number, more: Partial<NewRun> = {}): Promise<RunRecord> {
  const created = await rig.runs.create({ ...CREATED, lanes: 2, ...more });
  const list = Array.from({ length: partitions }, (_, place) => ({ id: `part ${place + 1}` }));
  await rig.runs.lanes.seal(created, list);
  await rig.runs.lanes.beginRound(created, 1);
  return await run();
}

/** Lets a lane take its next partition. Returns the partition's number, or 0 if none is left. */
async function take(lane = 0, failure?: string): Promise<number> {
  const latest = await run();
  const row = await rig.runs.lanes.takeNext(latest, lane, await rig.runs.lanes.read(latest), failure);
  return row.reading[lane] ?? 0;
}

async function recordOf(number: number): Promise<RunRecord> {
  return await rig.runs.progress.partition(await run(), { id: `part ${number}`, number });
}

/** Opens pages of these sizes in a partition, and writes a checkpoint after each. */
async function produce(number: number, sizes: readonly number[], { ended = true } = {}): Promise<RunRecord> {
  let record = await recordOf(number);
  for (const [place, size] of sizes.entries()) {
    const page = { run: RUN, partition: number, page: record.checkpoint.pages };
    if (size > 0) await rig.ledger.pages.open(page, { size, digest: "first" });
    record = await rig.checkpointed(record, size, { ended: ended && place === sizes.length - 1 });
  }
  return record;
}

/** The lane takes each partition in turn and reads it, and then the production of the run ends. */
async function produceAll(sizes: readonly (readonly number[])[]): Promise<void> {
  await divided(sizes.length);
  for (const of of sizes) await produce(await take(), of);
  expect(await take()).toBe(0);
  await rig.runs.progress.endPartitions(await run(), sizes.length);
}

describe("a run with partitions", () => {
  test("is completed when all items of all partitions are settled", async () => {
    await produceAll([[2, 1], [0], [1]]);
    expect(await rig.counts()).toMatchObject({ produced: 4, succeeded: 0, pending: 4 });
    await rig.succeed(item(1, 0), 3);
    await rig.succeed(item(1, 1));
    await rig.die(item(1, 0, 1), 2);
    expect(await rig.counts()).toMatchObject({ produced: 4, succeeded: 2, dead: 1, retried: 5, pending: 1 });
    expect(await rig.status()).toBe("running");
    await rig.succeed(item(3));
    expect(await run()).toMatchObject({
      status: "completed",
      checkpoint: { pages: 3, items: 4, ended: true },
      totals: { dead: 1, cancelled: 0, retried: 5, deadByReason: { exhausted: 1 } },
    });
    expect(rig.announcements).toEqual([RUN]);
    expect(await rig.counts()).toMatchObject({ produced: 4, succeeded: 3, dead: 1, retried: 5, pending: 0 });
  });

  test("is completed at the end of its production if all items were settled before", async () => {
    await divided(2);
    await take();
    await produce(1, [1]);
    await rig.succeed(item(1));
    await take();
    await produce(2, [1]);
    await rig.succeed(item(2));
    expect(await rig.status()).toBe("running");
    await rig.runs.progress.endPartitions(await run(), 2);
    expect(await rig.status()).toBe("completed");
  });

  test("is completed at the end of its production if it has no partition", async () => {
    await divided(0);
    await rig.runs.progress.endPartitions(await run(), 0);
    expect(await run()).toMatchObject({ status: "completed", checkpoint: { pages: 0, items: 0, count: 1 } });
  });

  test("stores totals of those partitions only in which something other than a success happened", async () => {
    await produceAll([[2], [1], [1], [1]]);
    await rig.succeed(item(1, 0));
    await rig.succeed(item(1, 1));
    await rig.succeed(item(2), 1);
    await rig.die(item(3));
    const names = async () => Object.keys((await rig.store.get(groupKey(RUN, 0))) ?? {});
    expect((await names()).filter((name) => name.startsWith("totals"))).toEqual(["totals 1", "totals 2"]);
    expect(await rowOf(1)).not.toHaveProperty("redriven");
    expect(await rig.store.get(groupKey(RUN, 0))).not.toHaveProperty("redriven");
    expect(await rig.store.get(blockKey({ run: RUN, partition: 1, block: 0 }))).not.toHaveProperty("totals");
  });

  test("cancels in one partition only what is pending there", async () => {
    await produceAll([[2], [2]]);
    await rig.ledger.outcomes.recordCancelled({ ...item(1), items: [item(1, 0), item(1, 1)] });
    expect(await rig.store.get(groupKey(RUN, 0))).toHaveProperty("totals 0");
    expect(await rig.counts()).toMatchObject({ cancelled: 2, pending: 2 });
  });

  test("has 100 partitions in a group, and each group knows its size", async () => {
    const latest = await divided(250);
    await rig.runs.progress.endPartitions(latest, 250);
    const sizes = [];
    for (const group of [0, 1, 2]) sizes.push((await rig.store.get(groupKey(RUN, group)))?.size);
    expect(sizes).toEqual([100, 100, 50]);
    expect((await run()).checkpoint).toMatchObject({ ended: true, count: 1 });
    expect(await rig.status()).toBe("running");
  });

  test("ends its production once, also if its end is noted again", async () => {
    await produceAll([[1], [1]]);
    const before = await run();
    await produce(2, [1], { ended: false });
    await rig.runs.progress.endPartitions(before, 2);
    expect((await run()).checkpoint).toEqual(before.checkpoint);
    expect((await run()).checkpointAt).toBe(0);
  });

  test("has the totals of a partition of several blocks", async () => {
    await divided(1);
    await take();
    const record = await recordOf(1);
    for (const page of [0, 999, 1_000, 1_500]) {
      await rig.ledger.pages.open({ run: RUN, partition: 1, page }, { size: 1, digest: "d" });
    }
    await rig.runs.progress.checkpoint(record, { cursor: undefined, skip: 0, pages: 1_501, items: 4, ended: true });
    await rig.runs.progress.endPartitions(await run(), 1);
    await rig.die(item(1, 0, 0));
    await rig.die(item(1, 0, 999));
    await rig.die(item(1, 0, 1_000));
    expect(await rig.counts()).toMatchObject({ produced: 4, dead: 3, pending: 1 });
    const size = async (block: number) => (await rig.store.get(blockKey({ run: RUN, partition: 1, block })))?.size;
    expect([await size(0), await size(1)]).toEqual([1_000, 501]);
    expect((await rig.store.get(blockKey({ run: RUN, partition: 1, block: 0 })))?.totals).toBeUndefined();
  });

  test("does not note a partition as ended whose blocks a producer closes again before its end", async () => {
    await divided(1);
    const record = await produce(await take(), [1], { ended: false });
    await rig.runs.progress.closeAgain(record);
    expect(await rig.store.get(groupKey(RUN, 0))).toBeUndefined();
  });

  test("loses nothing if a worker dies before any write of the last outcome", async () => {
    for (let write = 1; write < 5; write++) {
      rig = new LedgerRig();
      await produceAll([[1], [1]]);
      await rig.die(item(1));
      await rig.dyingAt(write, async () => await rig.succeed(item(2), 1));
      expect(await rig.status()).toBe("running");
      await rig.ledger.outcomes.rollUpAgain({ run: RUN, partition: 2, page: 0 });
      expect(await run()).toMatchObject({ status: "completed", totals: { dead: 1, retried: 1 } });
      expect(rig.announcements).toEqual([RUN]);
    }
  });

  test("loses nothing if a producer dies before any write of the last checkpoint or of the end", async () => {
    for (let write = 1; write < 8; write++) {
      rig = new LedgerRig();
      await divided(1);
      await take();
      const record = await produce(1, [1], { ended: false });
      await rig.succeed(item(1), 1);
      const end = async () => {
        await rig.checkpointed(record, 0, { ended: true });
        await take();
        await rig.runs.progress.endPartitions(await run(), 1);
        throw new Error("the process died");
      };
      await rig.dyingAt(write, end);
      await rig.runs.progress.closeAgain(await recordOf(1));
      await take();
      await rig.runs.progress.endPartitions(await run(), 1);
      expect(await run(), `write ${write}`).toMatchObject({ status: "completed", totals: { retried: 1 } });
    }
  });
});

describe("a redriven item of a partition", () => {
  const redriven = { redriveGeneration: 1 };

  test("is pending until it settles again, and only its partition is counted again", async () => {
    await produceAll([[1], [1]]);
    await rig.die(item(1));
    await rig.die(item(2));
    expect(await rig.counts()).toMatchObject({ dead: 2, pending: 0 });
    await rig.ledger.outcomes.recordRedrives({ ...item(1), items: [{ index: 0, ...redriven }] });
    expect(await rowOf(1)).toMatchObject({ redriven: true });
    expect(await rowOf(2)).not.toHaveProperty("redriven");
    expect(await rig.store.get(groupKey(RUN, 0))).toMatchObject({ redriven: true });
    expect(await rig.counts()).toMatchObject({ dead: 1, pending: 1, succeeded: 0 });
    await rig.succeed({ ...item(1), ...redriven });
    expect(await rig.counts()).toMatchObject({ dead: 1, pending: 0, succeeded: 1 });
  });

  test("counts as it ended if the run was not completed before", async () => {
    await produceAll([[1], [1]]);
    await rig.die(item(1));
    await rig.ledger.outcomes.recordRedrives({ ...item(1), items: [{ index: 0, ...redriven }] });
    await rig.succeed({ ...item(1), ...redriven });
    await rig.succeed(item(2));
    expect(await rig.status()).toBe("completed");
    expect(await run()).toMatchObject({ redriven: true });
    expect(await rig.counts()).toMatchObject({ succeeded: 2, dead: 0, pending: 0 });
  });

  test("marks rows of its own partition if the ledger learns of the redrive from its end", async () => {
    await produceAll([[1], [1]]);
    await rig.die(item(1));
    // The redrive died before it told the ledger.
    await rig.succeed({ ...item(1), ...redriven });
    await rig.succeed(item(2));
    expect(await rig.status()).toBe("completed");
    expect(await rig.counts()).toMatchObject({ succeeded: 2, dead: 0, pending: 0 });
  });

  test("of a run that the ledger does not know leaves no row", async () => {
    await rig.ledger.outcomes.recordRedrives({ ...item(1), items: [{ index: 0, ...redriven }] });
    expect(await rig.store.get(pageKey(item(1)))).toBeUndefined();
    expect(await rig.store.get(groupKey(RUN, 0))).toBeUndefined();
  });
});

describe("the row of a partition", () => {
  const part = { id: "part 1", number: 1 };

  test("begins at the cursor of its partition, and is written once", async () => {
    await divided(1);
    const first = await rig.runs.progress.partition(await run(), { ...part, cursor: { from: 7 } });
    expect(first).toMatchObject({
      partition: { id: "part 1", number: 1 },
      checkpoint: { count: 0, cursor: { from: 7 }, skip: 0, pages: 0, items: 0, ended: false },
      failedSlices: 0,
    });
    const again = await rig.runs.progress.partition(await run(), { ...part, cursor: { from: 8 } });
    expect(again.checkpoint.cursor).toEqual({ from: 7 });
  });

  test("that two producers write at once has the cursor of the first", async () => {
    const latest = await divided(1);
    const [one, other] = await Promise.all([
      rig.runs.progress.partition(latest, { ...part, cursor: "a" }),
      rig.runs.progress.partition(latest, { ...part, cursor: "b" }),
    ]);
    expect([one.checkpoint.cursor, other.checkpoint.cursor]).toEqual(["a", "a"]);
  });

  test("counts a slice as failed until its checkpoint, and a new round begins from zero", async () => {
    const latest = await divided(1);
    const failed = async (round: number) =>
      (await rig.runs.progress.takeUpPartition(latest, part, round, 0)).failedSlices;
    expect([await failed(1), await failed(1), await failed(1)]).toEqual([0, 1, 2]);
    expect([await failed(2), await failed(2)]).toEqual([0, 1]);
    await produce(1, [1], { ended: false });
    expect(await failed(2)).toBe(0);
    await produce(1, [1]);
    expect(await failed(2)).toBe(0);
    // A partition that has ended is read no more, so nothing is counted.
    expect(await rowOf(1)).toMatchObject({ failedSlices: 0, ended: true });
  });

  test("takes back a slice that was interrupted, unless it wrote a checkpoint", async () => {
    const latest = await divided(1);
    await rig.runs.progress.takeUpPartition(latest, part, 1, 0);
    const second = await rig.runs.progress.takeUpPartition(latest, part, 1, 0);
    await rig.runs.progress.releaseSlice(second);
    expect(await rowOf(1)).toMatchObject({ failedSlices: 1 });
    await rig.runs.progress.releaseSlice(second);
    expect(await rowOf(1)).toMatchObject({ failedSlices: 1 });
    expect((await run()).failedSlices).toBe(0);
  });

  test("holds a wait of its source, during which no slice is counted", async () => {
    const latest = await divided(1);
    const wait: RecordedWait = { until: 9_000, since: 1_000, count: 2, reason: "busy" };
    const record = await rig.runs.progress.takeUpPartition(latest, part, 1, 0);
    expect(await rig.runs.progress.recordWait(record, wait, 3, ["slow"])).toBe(true);
    const waiting = await rig.runs.progress.takeUpPartition(latest, part, 1, 8_999);
    expect(waiting).toMatchObject({ wait, failedSlices: 3, checkpoint: { count: 1 } });
    expect(await rowOf(1)).toMatchObject({ failedSlices: 3 });
    expect((await run()).wait).toBeUndefined();
    expect((await run()).warnings).toEqual(["slow"]);
    // The answer of the first write may have been lost. Another wait is another producer's.
    expect(await rig.runs.progress.recordWait(record, wait, 3, [])).toBe(true);
    expect(await rig.runs.progress.recordWait(record, { ...wait, until: 9_001 }, 3, [])).toBe(false);
    // A resumed run keeps the end of the wait, and counts waits from zero.
    const resumed = await rig.runs.progress.takeUpPartition(latest, part, 2, 8_999);
    expect(resumed).toMatchObject({ wait: { until: 9_000, since: undefined, count: 0 }, failedSlices: 0 });
    expect(await rowOf(1)).toMatchObject({ failedSlices: 0, round: 2 });
    // The next page ends the wait.
    await produce(1, [1], { ended: false });
    expect((await recordOf(1)).wait).toBeUndefined();
  });

  test("is not changed by a producer that is late", async () => {
    await divided(1);
    const record = await produce(1, [1], { ended: false });
    await produce(1, [2], { ended: false });
    expect(await rig.runs.progress.checkpoint(record, rig.after(record, 5))).toBeUndefined();
    expect(await rowOf(1)).toMatchObject({ items: 3, pages: 2, checkpoints: 2 });
  });

  test("accepts a checkpoint whose answer was lost", async () => {
    await divided(1);
    const record = await produce(1, [1], { ended: false });
    const next = rig.after(record, 2, { ended: true });
    expect(await rig.runs.progress.checkpoint(record, next)).toMatchObject({ checkpoint: { items: 3 } });
    expect(await rig.runs.progress.checkpoint(record, next)).toMatchObject({
      partition: part,
      checkpoint: { items: 3 },
    });
    expect(await rig.runs.progress.checkpoint(record, { ...next, ended: false })).toBeUndefined();
  });

  test("has its failures and its full queue, and its run has its warnings", async () => {
    await divided(1);
    const record = await produce(1, [1], { ended: false });
    await rig.runs.progress.recordPartitionSlice(record, 4, "é".repeat(9_000), ["first"]);
    expect(await recordOf(1)).toMatchObject({ failedSlices: 4 });
    expect((await recordOf(1)).sliceError).toBe(`${"é".repeat(4_096)}… (9000 characters)`);
    await rig.runs.progress.checkpoint(record, rig.after(record, 1), ["first", "second"]);
    expect(await run()).toMatchObject({ warnings: ["first", "second"], failedSlices: 0, sliceError: undefined });
    expect(await rowOf(1)).not.toHaveProperty("warnings");
    await rig.runs.progress.recordPartitionSlice(await recordOf(1), 2, "again", []);
    const sample = { at: 5, produced: 6, backlog: 7 };
    await rig.runs.progress.recordFull(RUN, sample, 1);
    expect(await recordOf(1)).toMatchObject({ failedSlices: 0, fullAt: sample, sliceError: undefined });
    expect((await run()).fullAt).toBeUndefined();
  });
});

describe("the overview of a run with partitions", () => {
  const overview = async () => await overviewOf(rig.store, await run());

  test("is the record itself before the run has partitions, and after its production", async () => {
    const plain = await rig.runs.create(CREATED);
    expect(await overviewOf(rig.store, plain)).toBe(plain);
    rig = new LedgerRig();
    await produceAll([[1]]);
    const ended = await run();
    expect(await overviewOf(rig.store, ended)).toBe(ended);
  });

  test("of a list that is not sealed has the run's own wait and failures", async () => {
    const created = await rig.runs.create({ ...CREATED, lanes: 2 });
    const wait: RecordedWait = { until: 9_000, since: 1_000, count: 1, reason: "busy" };
    await rig.runs.progress.recordWait(created, wait, 2, []);
    const shown = await overview();
    expect(shown).toMatchObject({ wait, failedSlices: 2, checkpoint: { pages: 0, items: 0, count: 0 } });
    expect(shown.partitionsRead).toBeUndefined();
  });

  test("sums up what was read, and shows the latest page, the fullest queue and the worst failure", async () => {
    await divided(4);
    await take(0);
    await produce(1, [2, 1]);
    await take(0);
    await take(1);
    await produce(2, [4], { ended: false });
    const third = await produce(3, [8], { ended: false });
    await rig.runs.progress.recordFull(RUN, { at: 5, produced: 0, backlog: 1 }, 2);
    await rig.runs.progress.recordFull(RUN, { at: 7, produced: 0, backlog: 2 }, 3);
    await rig.runs.progress.recordPartitionSlice(third, 3, "broken", []);
    await rig.store.update(partitionKey({ run: RUN, partition: 2 }), { set: { checkpointAt: 60 } });
    await rig.store.update(partitionKey({ run: RUN, partition: 3 }), { set: { checkpointAt: 50 } });
    expect(await overview()).toMatchObject({
      checkpoint: { pages: 4, items: 15, count: 3 },
      checkpointAt: 60,
      fullAt: { at: 7, backlog: 2 },
      failedSlices: 3,
      sliceError: "broken",
      partitionsRead: 1,
      wait: undefined,
    });
  });

  test("waits if each lane waits, until the first of them goes on", async () => {
    await divided(3);
    await take(0);
    await take(1);
    const wait = (until: number): RecordedWait => ({ until, since: 1, count: 1, reason: `until ${until}` });
    await rig.runs.progress.recordWait(await recordOf(2), wait(7_000), 0, []);
    expect((await overview()).wait).toBeUndefined();
    await rig.runs.progress.recordWait(await recordOf(1), wait(8_000), 0, []);
    expect((await overview()).wait).toEqual(wait(7_000));
    expect((await overview()).failedSlices).toBe(0);
  });

  test("waits if a lane waits and the other lanes have nothing to read", async () => {
    await divided(1);
    await take(0);
    const wait: RecordedWait = { until: 7_000, since: 1, count: 1, reason: "busy" };
    await rig.runs.progress.recordWait(await recordOf(1), wait, 0, []);
    expect((await overview()).wait).toEqual(wait);
  });

  test("does not wait if a lane waits and another one reads", async () => {
    await divided(2);
    await take(0);
    await take(1);
    await rig.runs.progress.recordWait(await recordOf(1), { until: 7_000, count: 1, reason: "busy" }, 0, []);
    await produce(2, [1], { ended: false });
    expect((await overview()).wait).toBeUndefined();
  });

  test("shows when the latest page was sent, whichever lane sent it", async () => {
    await divided(2);
    for (const lane of [0, 1]) {
      await produce(await take(lane), [1], { ended: false });
      const key = partitionKey({ run: RUN, partition: lane + 1 });
      await rig.store.update(key, { set: { checkpointAt: 50 + lane } });
    }
    expect((await overview()).checkpointAt).toBe(51);
  });

  test("does not wait if no lane reads", async () => {
    await divided(3);
    expect(await overview()).toMatchObject({ wait: undefined, failedSlices: 0, partitionsRead: 0 });
  });
});

describe("the blocks of a run", () => {
  test("are those of its pages, in their order", async () => {
    await rig.produced([1], { ended: false });
    expect(await blocksOf(rig.store, await run())).toEqual([{ run: RUN, partition: 0, block: 0, pages: 1 }]);
  });

  test("with partitions are those of each partition in turn", async () => {
    await divided(3);
    await take();
    await rig.runs.progress.checkpoint(await recordOf(1), {
      ...{ cursor: undefined, skip: 0, pages: 1_002, items: 5, ended: true },
    });
    await take();
    await take(1);
    await produce(3, [1]);
    await produce(2, [1], { ended: false });
    expect(await blocksOf(rig.store, await run())).toEqual([
      { run: RUN, partition: 1, block: 0, pages: 1_000 },
      { run: RUN, partition: 1, block: 1, pages: 2 },
      { run: RUN, partition: 2, block: 0, pages: 1 },
      { run: RUN, partition: 3, block: 0, pages: 1 },
    ]);
  });
});

describe("a run with partitions that is stopped", () => {
  const cancel = async () => {
    await rig.runs.cancel(RUN);
    const latest = await run();
    await rig.runs.stopping.endProduction(latest, async () => {});
  };

  test("ends with the partitions that its lanes have taken, and with the pages that were opened", async () => {
    await divided(5);
    await produce(await take(0), [1]);
    await take(0);
    await take(1);
    await produce(2, [2], { ended: false });
    // This page was opened, and no checkpoint has passed it.
    await rig.ledger.pages.open({ run: RUN, partition: 2, page: 1 }, { size: 3, digest: "d" });
    await cancel();
    expect(await run()).toMatchObject({ partitions: 3, checkpoint: { ended: true, pages: 3, items: 6 } });
    expect(await rig.counts()).toMatchObject({ produced: 6, cancelled: 3, pending: 3 });
    expect(await take(0)).toBe(0);
    expect(await rig.status()).toBe("cancelling");
    await rig.succeed(item(1));
    await rig.ledger.outcomes.recordCancelled({ ...item(2), items: [item(2, 0), item(2, 1)] });
    expect(await rig.status()).toBe("cancelled");
    expect(await rig.counts()).toMatchObject({ succeeded: 1, cancelled: 5, pending: 0 });
  });

  test("ends with nothing if its list was not sealed", async () => {
    await rig.runs.create({ ...CREATED, lanes: 2 });
    await cancel();
    expect(await run()).toMatchObject({ status: "cancelled", partitions: 0, checkpoint: { ended: true, items: 0 } });
    // A list that comes late changes nothing.
    await rig.runs.lanes.seal(await run(), [{ id: "late" }]);
    expect(await rig.runs.lanes.read(await run())).toMatchObject({ count: 0, stopped: true });
  });

  test("has the items cancelled whose messages are lost: those from one place on", async () => {
    await produceAll([[1, 1], [1, 1], [1]]);
    await rig.runs.cancel(RUN);
    await rig.runs.stopping.cancelPending(await run(), { partition: 2, page: 1 });
    const states = [];
    for (const [partition, page] of [
      [1, 0],
      [1, 1],
      [2, 0],
      [2, 1],
      [3, 0],
    ] as const)
      states.push(await rig.stateOf(item(partition, 0, page)));
    expect(states).toEqual(["pending", "pending", "pending", "settled", "settled"]);
    await rig.runs.stopping.cancelPending(await run(), { partition: 0, page: 0 });
    expect(await rig.status()).toBe("cancelled");
    expect(await rig.counts()).toMatchObject({ cancelled: 5, pending: 0 });
  });

  test("has the deaths completed that a producer had claimed", async () => {
    await divided(1);
    await take();
    const page = { run: RUN, partition: 1, page: 0 };
    await rig.ledger.pages.open(page, { size: 2, digest: "d" });
    await rig.ledger.attempts.recordDeadLetter(item(1), "invalid item", "letter");
    await rig.ledger.outcomes.claimDeath(item(1));
    await rig.runs.cancel(RUN);
    await rig.runs.stopping.endProduction(await run(), async ({ item: dead, reason, deadLetter }) => {
      expect({ dead, reason, deadLetter }).toEqual({ dead: item(1), reason: "invalid item", deadLetter: "letter" });
      await rig.ledger.outcomes.recordDeath(dead, reason, 0);
    });
    expect(await rig.status()).toBe("cancelled");
    expect(await rig.counts()).toMatchObject({ produced: 2, cancelled: 1, dead: 1 });
  });
});

describe("the lanes of a run", () => {
  test("share the partitions of the list, and end when none is left", async () => {
    await divided(3);
    expect([await take(0), await take(1), await take(1), await take(0), await take(1)]).toEqual([1, 2, 3, 0, 0]);
  });

  test("take the partition that another producer of the lane has taken in between", async () => {
    const latest = await divided(3);
    const row = await rig.runs.lanes.read(latest);
    expect((await rig.runs.lanes.takeNext(latest, 0, row)).reading).toEqual([1, 0]);
    expect((await rig.runs.lanes.takeNext(latest, 0, row)).reading).toEqual([1, 0]);
    // The other lane moved on since this row was read, so the write is refused and repeated.
    expect((await rig.runs.lanes.takeNext(latest, 1, row)).reading).toEqual([1, 2]);
  });

  test("take no continuation that is older than one that was taken", async () => {
    const latest = await divided(1);
    expect(await rig.runs.lanes.takeUp(latest, 1, 5)).toMatchObject({ count: 1 });
    expect(await rig.runs.lanes.takeUp(latest, 1, 5)).toMatchObject({ count: 1 });
    expect(await rig.runs.lanes.takeUp(latest, 1, 4)).toBeUndefined();
    expect(await rig.runs.lanes.takeUp(latest, 0, 1)).toMatchObject({ count: 1 });
  });

  test("read failed partitions again in the next round, and each once", async () => {
    await divided(3);
    await take(0);
    await take(1);
    expect(await take(0, "broken")).toBe(3);
    expect(await take(1, "x".repeat(2_000))).toBe(0);
    const lanes = await rig.runs.lanes.read(await run());
    expect([...lanes.failed]).toEqual([
      [1, "broken"],
      [2, expect.stringMatching(/^x{900,999}/)],
    ]);
    await rig.runs.lanes.beginRound(await run(), 2);
    expect(await rig.runs.lanes.read(await run())).toMatchObject({ round: 2, again: [1, 2], failed: new Map() });
    // A producer that is late begins no round again.
    await take(1);
    expect(await rig.runs.lanes.beginRound(await run(), 2)).toMatchObject({ again: [2], reading: [3, 1] });
    expect(await rig.runs.lanes.beginRound(await run(), 1)).toMatchObject({ round: 2 });
    expect([await take(0), await take(1)]).toEqual([2, 0]);
    expect(await rig.store.get(lanesKey(RUN))).not.toHaveProperty("again 1");
  });

  test("begin a round after more failures than one write can change", async () => {
    await divided(110, { lanes: 1 });
    await take();
    for (let failures = 0; failures < 90; failures++) await take(0, `failure ${failures}`);
    const row = await rig.runs.lanes.beginRound(await run(), 2);
    expect(row.again).toHaveLength(90);
    expect(row.failed.size).toBe(0);
  });

  test("are not changed by a round that another producer has begun in between", async () => {
    await divided(2);
    await take();
    await take(0, "broken");
    const latest = await run();
    const late = rig.runs.lanes.beginRound(latest, 2);
    await rig.store.update(lanesKey(RUN), { set: { round: 2 } });
    await late;
    expect([...(await rig.runs.lanes.read(latest)).failed.keys()]).toEqual([1]);
  });

  test("note the number of partitions once in the run's row, and end the run's own wait", async () => {
    const created = await rig.runs.create({ ...CREATED, lanes: 2 });
    await rig.runs.lanes.noteSealed(RUN);
    expect((await run()).partitions).toBeUndefined();
    await rig.runs.progress.recordWait(created, { until: 5, since: 1, count: 1, reason: "busy" }, 4, []);
    await rig.runs.progress.recordSlice(created, 4, "broken", []);
    await rig.runs.lanes.seal(created, [{ id: "a", cursor: 5 }, { id: "b" }]);
    expect(await run()).toMatchObject({ partitions: 2, failedSlices: 0, wait: undefined, sliceError: undefined });
    expect(await rig.store.get(runKey(RUN))).not.toHaveProperty("waits");
    await rig.runs.progress.recordSlice(created, 3, "broken", []);
    await rig.runs.lanes.noteSealed(RUN);
    expect((await run()).failedSlices).toBe(3);
    const row = await rig.runs.lanes.read(created);
    expect(await rig.runs.lanes.partition(created, row, 1)).toEqual({ id: "a", cursor: 5, number: 1 });
    expect(await rig.runs.lanes.partition(created, row, 2)).toEqual({ id: "b", number: 2 });
    await expect(rig.runs.lanes.partition(created, row, 3)).rejects.toThrow("partition 3 of run run vanished");
    await expect(rig.runs.lanes.partition(created, row, 101)).rejects.toThrow("partition 101 of run run vanished");
  });

  test("find each partition of a long list", async () => {
    const latest = await divided(1_150);
    const row = await rig.runs.lanes.read(latest);
    for (const number of [1, 100, 101, 1_000, 1_001, 1_150])
      expect(await rig.runs.lanes.partition(latest, row, number)).toEqual({ id: `part ${number}`, number });
  });

  test("know how many items all partitions have", async () => {
    await divided(3);
    await take(0);
    await produce(1, [2]);
    await take(0);
    await take(1);
    await produce(2, [3], { ended: false });
    expect(await rig.runs.lanes.produced(await run())).toBe(5);
  });
});
