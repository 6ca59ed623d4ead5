import { beforeEach, describe, expect, test } from "vitest";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import type { RecordedWait, RunRecord } from "../../../shared/ledger/run-record.ts";
import type { ItemAddress } from "../../../shared/messages/item-address.ts";
import { CountingStore } from "../../helpers/counting-store.ts";
import { FaultyStore } from "../../helpers/faulty-store.ts";
import { CREATED, FAILURE, RUN } from "../../helpers/ledger-rig.ts";
import { requestsOf } from "../../helpers/request-log.ts";

// DynamoDB bills each request, and each one takes time. These are the requests of what happens often.

const PAGE = { run: RUN, partition: 0, page: 0 };
const ITEM: ItemAddress = { ...PAGE, index: 0, epoch: 1, redriveGeneration: 0 };
const CONTENT = { size: 2, digest: "d" };
const WAIT: RecordedWait = { until: 9_000, since: 1_000, count: 1, reason: "busy" };

let store: FaultyStore;
let ledger: Ledger;
beforeEach(() => {
  store = new FaultyStore();
  ledger = new Ledger(store, () => 0);
});

const requests = (act: () => Promise<unknown>) => requestsOf(store, act);
const checkpoint = { cursor: "further", skip: 0, pages: 1, items: 2, ended: false };
const succeed = (item: ItemAddress) => ledger.outcomes.recordSuccesses({ ...item, items: [{ ...item, failures: 0 }] });

async function die(item: ItemAddress): Promise<void> {
  await ledger.outcomes.claimDeath(item);
  await ledger.outcomes.recordDeath(item, "permanent", 0);
}

/** A run whose only page was opened, and whose source has not ended. */
async function begun(): Promise<RunRecord> {
  const run = await ledger.runs.create(CREATED);
  await ledger.pages.open(PAGE, CONTENT);
  return run;
}

describe("The producer", () => {
  test("starts a run with three writes", async () => {
    expect(await requests(() => ledger.runs.create(CREATED))).toEqual(["update list", "update run", "update active"]);
  });

  test("starts a run that must be alone with one read and one write of the active runs", async () => {
    await ledger.runs.active.list();
    const run = await ledger.runs.create({ ...CREATED, exclusive: true });
    expect(await requests(() => ledger.runs.active.enterAlone(run))).toEqual(["get active", "update active"]);
  });

  test("moves the checkpoint, and records a wait or a failure, with one write", async () => {
    const run = await begun();
    expect(await requests(() => ledger.runs.progress.checkpoint(run, checkpoint))).toEqual(["update run"]);
    const next = await ledger.runs.get(RUN);
    expect(await requests(() => ledger.runs.progress.recordWait(next, WAIT, 0, []))).toEqual(["update run"]);
    expect(await requests(() => ledger.runs.progress.fail(RUN, "no answer"))).toEqual(["update run"]);
  });

  test("only reads the row of a partition while its source waits", async () => {
    const run = await ledger.runs.create({ ...CREATED, lanes: 1 });
    const part = { id: "part 1", number: 1 };
    const record = await ledger.runs.progress.takeUpPartition(run, part, 1, 0);
    await ledger.runs.progress.recordWait(record, WAIT, 0, []);
    expect(await requests(() => ledger.runs.progress.takeUpPartition(run, part, 1, 8_999))).toEqual(["get partition"]);
  });

  test("only reads the row of the lanes if their round has begun", async () => {
    const run = await ledger.runs.create({ ...CREATED, lanes: 1 });
    await ledger.runs.lanes.seal(run, [{ id: "part 1" }]);
    await ledger.runs.lanes.beginRound(run, 1);
    expect(await requests(() => ledger.runs.lanes.beginRound(run, 1))).toEqual(["get lanes"]);
  });

  test("only tries to create a page that it opens again with the same content, and reads it", async () => {
    await begun();
    expect(await requests(() => ledger.pages.open(PAGE, CONTENT))).toEqual(["update page", "get page"]);
  });

  test("writes nothing for a page of which no item waits", async () => {
    await begun();
    expect(await requests(() => ledger.pages.cancelWaiting(PAGE, 0))).toEqual(["get page", "getMany attempts"]);
  });

  test("reads no block before the first page that it cancels", async () => {
    const run = await begun();
    await ledger.runs.progress.checkpoint(run, { ...checkpoint, pages: 1_001 });
    const cancel = () => ledger.runs.stopping.cancelPending(run, { partition: 0, page: 1_000 });
    expect((await requests(cancel)).filter((request) => request === "get block")).toHaveLength(1);
  });
});

describe("A consumer", () => {
  test("records a wait of a task with one write", async () => {
    const note = { at: "1970-01-01T00:00:01.000Z", name: "RetryLater", message: "later", milliseconds: 4_000 };
    const record = { kind: "retryLater", note, receive: 1, startedAt: 0, endedAt: 1_000 } as const;
    const limit = { atMostMilliseconds: 1e9, isSuspect: false };
    const before = { failures: [], final: undefined, receives: new Map() };
    const recordWait = () => ledger.attempts.recordWait(ITEM, record, before, limit);
    expect(await requests(recordWait)).toEqual(["update attempts"]);
  });

  test("claims the death of a redriven item with one write, although the page is complete", async () => {
    await begun();
    for (const index of [0, 1]) await die({ ...ITEM, index });
    const redriven = { ...ITEM, redriveGeneration: 1 };
    await ledger.outcomes.recordRedrives({ ...redriven, items: [redriven] });
    expect(await requests(() => ledger.outcomes.claimDeath(redriven))).toEqual(["update page"]);
  });

  test("cancels an item that has succeeded before with one refused write, and reads the page", async () => {
    await begun();
    await succeed(ITEM);
    const cancel = () => ledger.outcomes.recordCancelled({ ...ITEM, items: [ITEM] });
    expect(await requests(cancel)).toEqual(["update page", "get page"]);
  });

  test("does not read a page of which it has cancelled an item", async () => {
    await begun();
    await succeed(ITEM);
    const items = [0, 1].map((index) => ({ ...ITEM, index }));
    const made = await requests(() => ledger.outcomes.recordCancelled({ ...ITEM, items }));
    expect(made).toEqual(["update page", "update page", "update page", "update block"]);
  });

  test("reads the state of an item whose claimed death has a reason once", async () => {
    await begun();
    await ledger.attempts.recordFailure(ITEM, 1, FAILURE, "exhausted");
    await ledger.outcomes.claimDeath(ITEM);
    const [state] = await ledger.itemStates([ITEM]);
    expect(state).toMatchObject({ tag: "pending", final: "exhausted" });
    expect(await requests(() => ledger.itemStates([ITEM]))).toEqual(["getMany page"]);
  });

  test("that finds a run ended enters the block again, and sums up nothing", async () => {
    const run = await begun();
    await ledger.runs.progress.checkpoint(run, { ...checkpoint, ended: true });
    for (const index of [0, 1]) await die({ ...ITEM, index });
    expect(await ledger.runs.get(RUN)).toMatchObject({ status: "completed" });
    expect(await requests(() => ledger.outcomes.rollUpAgain(PAGE))).toEqual([
      ...["get page", "update block"],
      // The totals of the block are computed from the page.
      ...["getMany page", "update block", "update run"],
    ]);
  });
});

describe("A finding of an invalid item", () => {
  const note = (fault: string) => requests(() => ledger.invalidFindings().note(RUN, { fault }));

  test("is one write, and one read more if it is not the first of its run", async () => {
    await begun();
    expect(await note("`email` missing")).toEqual(["update run"]);
    expect(await note("`email` missing")).toEqual(["update run", "get run"]);
  });

  test("that differs is noted once", async () => {
    await begun();
    await note("`email` missing");
    expect(await note("`id` missing")).toEqual(["update run", "get run", "update run"]);
    expect(await note("`id` missing")).toEqual(["update run", "get run"]);
  });
});

describe("A count of a run", () => {
  test("needs no request after the run has ended", async () => {
    const run = await begun();
    await ledger.runs.progress.checkpoint(run, { ...checkpoint, ended: true });
    for (const index of [0, 1]) await die({ ...ITEM, index });
    const ended = await ledger.runs.get(RUN);
    expect(await requests(() => ledger.runs.counts(ended))).toEqual([]);
    expect(await ledger.runs.counts(ended)).toMatchObject({ produced: 2, dead: 2 });
  });

  test("reads those pages that are not complete or have deaths, and no others", async () => {
    const counting = new CountingStore();
    ledger = new Ledger(counting, () => 0);
    const run = await ledger.runs.create(CREATED);
    for (const page of [0, 1, 2, 3]) await ledger.pages.open({ ...PAGE, page }, CONTENT);
    await ledger.runs.progress.checkpoint(run, { ...checkpoint, pages: 4, items: 8 });
    for (const page of [0, 1, 3]) for (const index of [0, 1]) await succeed({ ...ITEM, page, index });
    for (const index of [0, 1]) await die({ ...ITEM, page: 2, index });
    await ledger.pages.open({ ...PAGE, page: 4 }, CONTENT);
    const { checkpoint: at } = await ledger.runs.get(RUN);
    await ledger.runs.progress.checkpoint(await ledger.runs.get(RUN), { ...at, pages: 5, items: 10 });
    counting.asked.length = 0;
    expect(await ledger.runs.counts(await ledger.runs.get(RUN))).toMatchObject({ succeeded: 6, dead: 2, pending: 2 });
    // One block, and the pages 2 and 4.
    expect(counting.asked).toEqual([1, 2]);
  });
});
