import { beforeEach, describe, expect, test } from "vitest";
import type { Row } from "../../../shared/aws/table.ts";
import { groupKey, runKey } from "../../../shared/ledger/keys.ts";
import { deadSet, generationEntry, readPageRow } from "../../../shared/ledger/page-row.ts";
import type { ItemAddress } from "../../../shared/messages/item-address.ts";
import { blockGroupKey, blockKey, pageKey, partitionKey } from "../../../shared/messages/item-address.ts";
import { CREATED, FAILURE, LedgerRig, RUN } from "../../helpers/ledger-rig.ts";

const PAGE = { run: RUN, partition: 0, page: 0 };

let rig: LedgerRig;
beforeEach(() => {
  rig = new LedgerRig();
});

const row = async (): Promise<Row | undefined> => await rig.store.get(pageKey(PAGE));
const open = async (digest: string) => await rig.ledger.pages.open(PAGE, { size: 4, digest });
const succeed = (item: ItemAddress) => rig.succeed(item, 2);
const cancel = (item: ItemAddress) => rig.ledger.outcomes.recordCancelled({ ...item, items: [item] });
const claim = (item: ItemAddress) => rig.ledger.outcomes.claimDeath(item);
const die = (item: ItemAddress) => rig.ledger.outcomes.recordDeath(item, "permanent", 1);
const redrive = (item: ItemAddress) =>
  rig.ledger.outcomes.recordRedrives({ ...item, items: [{ index: item.index, redriveGeneration: 1 }] });
const RECORDS = { succeed, cancel, claim, die, redrive };

describe("An outcome of an item whose page was sent again with another content", () => {
  test.each(Object.entries(RECORDS))("changes nothing in the row of the page (%s)", async (_, record) => {
    await rig.produced([4], { ended: false });
    // A checkpoint has not passed the second page, so its content may change.
    const page = { ...PAGE, page: 1 };
    await rig.ledger.pages.open(page, { size: 4, digest: "first" });
    await rig.ledger.pages.open(page, { size: 4, digest: "second" });
    const before = await rig.store.get(pageKey(page));
    expect(await record(rig.item(1, { page: 1 }))).not.toBe(true);
    expect(await rig.store.get(pageKey(page))).toEqual(before);
  });

  test("is dropped with everything that was recorded before", async () => {
    await open("first");
    await succeed(rig.item(0));
    await die(rig.item(1));
    await cancel(rig.item(2));
    await claim(rig.item(3));
    await rig.runs.create({ id: RUN, workflow: "w", requestedAt: "2026-11-22T08:15:30.000Z" });
    await redrive(rig.item(1));
    expect(Object.keys((await row()) ?? {})).toEqual(expect.arrayContaining(["done", "dying", "cancelled", "retries"]));
    await open("second");
    expect(await row()).toEqual({ ...pageKey(PAGE), size: 4, digest: "second", epoch: 2 });
  });
});

describe("An outcome of an item of an unknown page", () => {
  test.each(Object.entries(RECORDS))("makes no row (%s)", async (_, record) => {
    expect(await record(rig.item(1))).not.toBe(true);
    expect(await row()).toBeUndefined();
    expect(await rig.ledger.pages.countPending(PAGE)).toBe(0);
  });
});

describe("A page that is opened", () => {
  test("has no settled item", async () => {
    const opened = await open("first");
    expect(opened).toMatchObject({ epoch: 1, resent: false });
    expect(opened?.isSettled(0)).toBe(false);
    expect((await open("second"))?.isSettled(0)).toBe(false);
  });
});

describe("A page of a partition", () => {
  const page = { run: RUN, partition: 2, page: 0 };

  test("is not opened with another content after the checkpoint of its partition has passed it", async () => {
    const run = await rig.runs.create({ ...CREATED, lanes: 1 });
    const record = await rig.runs.progress.partition(run, { id: "part 2", number: 2 });
    await rig.ledger.pages.open(page, { size: 4, digest: "first" });
    expect(await rig.ledger.pages.open(page, { size: 4, digest: "second" })).toMatchObject({ epoch: 2, resent: true });
    await rig.checkpointed(record, 4);
    expect(await rig.ledger.pages.open(page, { size: 4, digest: "third" })).toBeUndefined();
    expect(await rig.store.get(pageKey(page))).toMatchObject({ digest: "second", epoch: 2 });
  });
});

describe("A success", () => {
  test("has an entry for its retries only if there were some", async () => {
    await open("first");
    await rig.succeed(rig.item(1));
    expect(await row()).not.toHaveProperty("retries");
    await rig.succeed(rig.item(2), 3);
    expect(await row()).toMatchObject({ retries: new Set([2_003]) });
  });
});

describe("The death of an item", () => {
  test("is not claimed after the item was cancelled", async () => {
    await open("first");
    await cancel(rig.item(1));
    const before = await row();
    expect(await claim(rig.item(1))).toBe(false);
    expect(await row()).toEqual(before);
  });

  test("that is recorded without a claim keeps a later success from counting", async () => {
    await open("first");
    await rig.ledger.outcomes.recordDeath(rig.item(1), "permanent", 0);
    await succeed(rig.item(1));
    expect(readPageRow((await row()) ?? {})).toMatchObject({ done: new Set(), dead: new Map([[1, "permanent"]]) });
  });

  test("has an entry for its retries only if there were some", async () => {
    await open("first");
    await rig.ledger.outcomes.recordDeath(rig.item(1), "permanent", 0);
    expect(await row()).not.toHaveProperty("retries");
    expect(await row()).toMatchObject({ [deadSet("permanent")]: new Set([1]) });
    await rig.ledger.outcomes.recordDeath(rig.item(2), "permanent", 3);
    expect(await row()).toMatchObject({ retries: new Set([2_003]) });
  });

  test("that was claimed refuses successes and cancellations, and names all such items", async () => {
    await open("first");
    for (const index of [1, 3]) await claim(rig.item(index));
    const items = [0, 1, 3].map((index) => ({ index, redriveGeneration: 0, failures: 0 }));
    const message = "the deaths of items 1, 3 of page 0 of run run were claimed before";
    await expect(rig.ledger.outcomes.recordSuccesses({ ...rig.item(0), items })).rejects.toThrow(message);
    expect([...readPageRow((await row()) ?? {}).done]).toEqual([0]);
  });
});

describe("A redrive", () => {
  test("of a run without partitions marks the run, the block and the page, and no row of a group", async () => {
    await rig.produced([4], { ended: false });
    await redrive(rig.item(1));
    const marks = [];
    for (const key of [runKey(RUN), blockKey({ ...PAGE, block: 0 })]) marks.push((await rig.store.get(key))?.redriven);
    expect(marks).toEqual([true, true]);
    expect((await row())?.redriven).toEqual(new Set([generationEntry(1, 1)]));
    for (const key of [groupKey(RUN, 0), partitionKey(PAGE), blockGroupKey(PAGE, 0)])
      expect(await rig.store.get(key)).toBeUndefined();
  });

  test("of an item in a later group of blocks marks the row of this group", async () => {
    await rig.produced([4], { ended: false });
    await redrive(rig.item(1, { page: 2_000_000 }));
    expect(await rig.store.get(blockGroupKey(PAGE, 2))).toMatchObject({ redriven: true });
    expect(await rig.store.get(blockKey({ ...PAGE, block: 2_000 }))).toMatchObject({ redriven: true });
  });

  test("of an item of a partition marks the partition and its group", async () => {
    await rig.produced([4], { ended: false });
    await redrive(rig.item(1, { partition: 101 }));
    expect(await rig.store.get(groupKey(RUN, 1))).toMatchObject({ redriven: true });
    expect(await rig.store.get(partitionKey({ run: RUN, partition: 101 }))).toMatchObject({ redriven: true });
  });
});

describe("A page that is cancelled", () => {
  const letter = (index: number) => rig.ledger.attempts.recordDeadLetter(rig.item(index), "invalid item", "letter");

  test("returns those claimed deaths of which the reason and the dead letter are recorded", async () => {
    await open("first");
    for (const index of [0, 1, 2]) await claim(rig.item(index));
    await letter(1);
    // The reason alone is not enough to complete the death.
    await rig.ledger.attempts.recordFailure(rig.item(2), 1, FAILURE, "exhausted");
    expect(await rig.ledger.pages.cancel(PAGE)).toEqual({
      size: 4,
      claimedDeaths: [{ item: rig.item(1), reason: "invalid item", deadLetter: "letter" }],
    });
    expect(readPageRow((await row()) ?? {}).cancelled).toEqual(new Set([3]));
  });

  test("has no item cancelled for its wait whose death is decided", async () => {
    await open("first");
    const record = async (index: number, atMostMilliseconds: number) => {
      const note = { at: "1970-01-01T00:00:01.000Z", name: "RetryLater", message: "later", milliseconds: 60_000 };
      const [state] = await rig.ledger.itemStates([rig.item(index)]);
      if (state?.tag !== "pending") throw new Error("not pending");
      await rig.ledger.attempts.recordWait(
        rig.item(index),
        { kind: "retryLater", note, receive: 1, startedAt: 0, endedAt: 1_000 },
        state,
        { atMostMilliseconds, isSuspect: false },
      );
    };
    await record(0, 1e9);
    await record(1, 1);
    await record(2, 1e9);
    // A second message of this item failed for the last time.
    await rig.ledger.attempts.recordFailure(rig.item(2), 1, FAILURE, "exhausted");
    await rig.ledger.pages.cancelWaiting(PAGE, 5_000);
    // The deaths of the items 1 and 2 are decided, and their messages complete them.
    expect(readPageRow((await row()) ?? {}).cancelled).toEqual(new Set([0]));
  });
});
