import { beforeEach, describe, expect, test } from "vitest";
import type { Key, Row, Update } from "../../../shared/aws/table.ts";
import { runKey } from "../../../shared/ledger/keys.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { RollUp } from "../../../shared/ledger/roll-up.ts";
import { attemptsKey, type ItemAddress, pageKey, partitionKey } from "../../../shared/messages/item-address.ts";
import { CREATED, RUN } from "../../helpers/ledger-rig.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";

// DynamoDB deletes a row that has expired at any moment, and people delete rows by hand.

/** A store in which rows vanish at a moment that the test chooses. */
class VanishingStore extends MemoryStore {
  beforeGet: (key: Key) => void = () => {};
  afterGet: (key: Key) => void = () => {};
  beforeUpdate: (update: Update) => void = () => {};

  override async get(key: Key): Promise<Row | undefined> {
    this.beforeGet(key);
    const row = await super.get(key);
    this.afterGet(key);
    return row;
  }

  override async update(key: Key, update: Update): Promise<Row | undefined> {
    this.beforeUpdate(update);
    return await super.update(key, update);
  }
}

const PAGE = { run: RUN, partition: 0, page: 0 };
const ITEM: ItemAddress = { ...PAGE, index: 0, epoch: 1, redriveGeneration: 0 };
const CONTENT = { size: 1, digest: "d" };

let store: VanishingStore;
let ledger: Ledger;
beforeEach(() => {
  store = new VanishingStore();
  ledger = new Ledger(store, () => 0);
});

/** Deletes the row before it is read the next time. */
function vanishes(key: Key): void {
  store.beforeGet = () => store.delete(key);
}

describe("A page whose row vanishes after a write was refused", () => {
  beforeEach(async () => {
    await ledger.pages.open(PAGE, CONTENT);
    vanishes(pageKey(PAGE));
  });

  test("is not opened", async () => {
    await expect(ledger.pages.open(PAGE, CONTENT)).rejects.toThrow("page 0 of run run vanished from the ledger");
  });

  test("has no item to cancel", async () => {
    expect(await ledger.pages.cancel(PAGE)).toBeUndefined();
  });

  test("rolls up nothing", async () => {
    await ledger.outcomes.rollUpAgain(PAGE);
    expect(await store.get(pageKey(PAGE))).toBeUndefined();
  });
});

test("A partition whose row vanishes after a write was refused is an error that names it", async () => {
  const run = await ledger.runs.create({ ...CREATED, lanes: 1 });
  const part = { id: "part 3", number: 3 };
  await ledger.runs.progress.partition(run, part);
  // It is there when it is written, and not when it is read.
  store.get = async () => undefined;
  await expect(ledger.runs.progress.partition(run, part)).rejects.toThrow(
    "partition 3 of run run vanished from the ledger",
  );
});

test("A partition or a run without a row is not rolled up", async () => {
  const rollUp = new RollUp(store, () => 0);
  await rollUp.fromStoredPartition(RUN, 1);
  await rollUp.fromStoredRun(RUN);
  for (const key of [partitionKey({ run: RUN, partition: 1 }), runKey(RUN)])
    expect(await store.get(key)).toBeUndefined();
});

test("A wait is recorded although the row with the waits before it has vanished", async () => {
  const note = { at: "1970-01-01T00:00:01.000Z", name: "RetryLater", message: "later", milliseconds: 4_000 };
  const wait = (receive: number) => ({ kind: "retryLater", note, receive, startedAt: 0, endedAt: 1_000 }) as const;
  const limit = { atMostMilliseconds: 1e9, isSuspect: false };
  const nothing = { failures: [], final: undefined, receives: new Map() };
  const { waits } = await ledger.attempts.recordWait(ITEM, wait(1), nothing, limit);
  store.delete(attemptsKey(ITEM));
  const again = await ledger.attempts.recordWait(ITEM, wait(2), { ...nothing, waits }, limit);
  expect(again).toMatchObject({ exceeds: false, waits: { receive: 2, retryLater: { count: 1 } } });
});

test("A finding does not make a row for a run whose row has vanished", async () => {
  await ledger.runs.create(CREATED);
  await ledger.invalidFindings().note(RUN, { fault: "`email` missing" });
  store.afterGet = () => store.delete(runKey(RUN));
  await ledger.invalidFindings().note(RUN, { fault: "`id` missing" });
  expect(await store.get(runKey(RUN))).toBeUndefined();
});

describe("A run with tolerated failures whose row vanishes", () => {
  beforeEach(async () => {
    await ledger.runs.create({ ...CREATED, tolerance: { count: 0, minimum: 100 } });
    await ledger.pages.open(PAGE, CONTENT);
    const run = await ledger.runs.get(RUN);
    await ledger.runs.progress.checkpoint(run, { cursor: "a", skip: 0, pages: 1, items: 1, ended: false });
    // The worker now knows the tolerance.
    expect(await ledger.runs.stopBeyondTolerance(RUN, 1)).toEqual({ tag: "continues" });
    await ledger.outcomes.claimDeath(ITEM);
    await ledger.outcomes.recordDeath(ITEM, "permanent", 0);
  });

  test("is not stopped by a death", async () => {
    store.delete(runKey(RUN));
    expect(await ledger.runs.stopBeyondTolerance(RUN, 1, { soon: true })).toEqual({ tag: "continues" });
  });

  test("is not stopped if its row was there when its deaths were counted", async () => {
    store.beforeUpdate = ({ set }) => {
      if (set?.status === "failing") store.delete(runKey(RUN));
    };
    expect(await ledger.runs.stopBeyondTolerance(RUN, 1, { soon: true })).toEqual({ tag: "continues" });
    expect(await store.get(runKey(RUN))).toBeUndefined();
  });
});
