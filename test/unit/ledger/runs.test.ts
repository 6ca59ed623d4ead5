import { describe, expect, test } from "vitest";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { CREATED, LedgerRig, RUN } from "../../helpers/ledger-rig.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";

describe("A run", () => {
  test("that is created twice is one", async () => {
    const rig = new LedgerRig();
    const run = await rig.runs.create(CREATED);
    await rig.checkpointed(run, 3);
    expect((await rig.runs.create(CREATED)).checkpoint).toMatchObject({ pages: 1, items: 3 });
    expect(await rig.runs.latest(5)).toHaveLength(1);
  });

  test("that is unknown is not found", async () => {
    const { runs } = new LedgerRig();
    expect(await runs.find("nobody")).toBeUndefined();
    await expect(runs.get("nobody")).rejects.toMatchObject({ code: "UNKNOWN_RUN", ids: { run: "nobody" } });
    expect(await runs.progress.takeUp("nobody", 1)).toBeUndefined();
    expect(await runs.find("nobody")).toBeUndefined();
  });

  test("is listed from the newest on, and only once it exists", async () => {
    const { runs } = new LedgerRig();
    for (const hour of ["08", "10", "09"]) {
      await runs.create({ ...CREATED, id: hour, requestedAt: `2026-11-22T${hour}:00:00.000Z` });
    }
    expect((await runs.latest(2)).map(({ id }) => id)).toEqual(["10", "09"]);
    const rig = new LedgerRig();
    await rig.dyingAt(1, () => rig.runs.create(CREATED));
    expect(await rig.runs.latest(2)).toEqual([]);
  });

  test("without an item completes with its last checkpoint", async () => {
    const rig = new LedgerRig();
    await rig.checkpointed(await rig.runs.create(CREATED), 0, { ended: true });
    expect(await rig.status()).toBe("completed");
    expect(await rig.counts()).toMatchObject({ produced: 0, succeeded: 0, pending: 0 });
    expect(rig.announcements).toEqual([RUN]);
  });

  test("completes once, and its time stays", async () => {
    const store = new MemoryStore();
    let clock = 0;
    const runs = new Ledger(store, () => clock++).runs;
    const run = await runs.create(CREATED);
    await runs.progress.checkpoint(run, { cursor: undefined, skip: 0, pages: 0, items: 0, ended: true });
    const { completedAt } = await runs.get(RUN);
    await runs.progress.closeAgain(await runs.get(RUN));
    expect((await runs.get(RUN)).completedAt).toBe(completedAt);
  });
});

describe("A checkpoint", () => {
  test("keeps a cursor as it is, null and absent apart", async () => {
    const rig = new LedgerRig();
    let run = await rig.runs.create(CREATED);
    for (const cursor of [{ after: ["é", 1] }, null, undefined, ""]) {
      run = await rig.checkpointed(run, 1, { cursor });
      expect((await rig.runs.get(RUN)).checkpoint.cursor).toEqual(cursor);
    }
  });

  test("of a producer that another has overtaken tells it to stop", async () => {
    const rig = new LedgerRig();
    const run = await rig.runs.create(CREATED);
    const next = await rig.checkpointed(run, 3);
    expect(await rig.runs.progress.checkpoint(run, rig.after(run, 2))).toBeUndefined();
    await rig.checkpointed(next, 2);
    expect(await rig.runs.progress.checkpoint(run, rig.after(run, 3))).toBeUndefined();
    expect((await rig.runs.get(RUN)).checkpoint).toMatchObject({ count: 2, items: 5, pages: 2 });
  });

  test("that took effect though its answer was lost is known again", async () => {
    const rig = new LedgerRig();
    const run = await rig.runs.create(CREATED);
    const first = await rig.runs.progress.checkpoint(run, rig.after(run, 3));
    expect(await rig.runs.progress.checkpoint(run, rig.after(run, 3))).toEqual(first);
  });

  test("of another producer, which came as far, is not taken for the end of the run", async () => {
    const rig = new LedgerRig();
    const run = await rig.runs.create(CREATED);
    await rig.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, { size: 3, digest: "first" });
    const cancelling = (await rig.runs.cancel(RUN)) ?? run;
    // Of one that had sent the page before, and looked at its run no more.
    await rig.checkpointed(run, 3);
    await rig.runs.stopping.endProduction(cancelling, async () => {
      throw new Error("no death is claimed");
    });
    expect((await rig.runs.get(RUN)).checkpoint).toMatchObject({ ended: true, pages: 1, items: 3 });
    expect(await rig.status()).toBe("cancelled");
  });

  test("at any write of which the producer dies is completed when the run is taken up", async () => {
    for (let write = 1; write < 4; write++) {
      const rig = new LedgerRig();
      const run = await rig.runs.create(CREATED);
      await rig.runs.progress.takeUp(RUN, 1);
      await rig.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, { size: 1, digest: "first" });
      await rig.succeed(rig.item(0));
      await rig.dyingAt(write, () => rig.checkpointed(run, 1, { ended: true }));
      const again = await rig.runs.progress.takeUp(RUN, 1);
      if (again !== undefined) await rig.runs.progress.closeAgain(again);
      expect(await rig.status()).toBe("completed");
      expect(new Set(rig.announcements)).toEqual(new Set([RUN]));
    }
  });
});

describe("A continuation", () => {
  test("counts a failed slice in advance, which the next checkpoint takes back", async () => {
    const rig = new LedgerRig();
    await rig.runs.create(CREATED);
    expect(await rig.runs.progress.takeUp(RUN, 1)).toMatchObject({ failedSlices: 0 });
    const run = await rig.runs.progress.takeUp(RUN, 1);
    expect(run).toMatchObject({ failedSlices: 1 });
    expect(await rig.runs.get(RUN)).toMatchObject({ failedSlices: 2, hop: 1 });
    if (run !== undefined) await rig.checkpointed(run, 1);
    expect(await rig.runs.get(RUN)).toMatchObject({ failedSlices: 0 });
  });

  test("that comes after a later one is dropped", async () => {
    const rig = new LedgerRig();
    await rig.runs.create(CREATED);
    expect(await rig.runs.progress.takeUp(RUN, 2)).toBeDefined();
    expect(await rig.runs.progress.takeUp(RUN, 1)).toBeUndefined();
    expect(await rig.runs.progress.takeUp(RUN, 2)).toBeDefined();
    expect(await rig.runs.get(RUN)).toMatchObject({ hop: 2 });
  });

  test("of a paused run is dropped, and noted, so that the one that resumes it is no duplicate of it", async () => {
    const rig = new LedgerRig();
    await rig.runs.create(CREATED);
    await rig.runs.progress.takeUp(RUN, 1);
    await rig.runs.pause(RUN);
    expect(await rig.runs.progress.takeUp(RUN, 2)).toBeUndefined();
    expect(await rig.runs.reopen(RUN)).toMatchObject({ hop: 2, status: "running", failedSlices: 0 });
    expect(await rig.runs.progress.takeUp(RUN, 3)).toBeDefined();
  });

  test("of a completed run tells of its end, where its producer died before it noted that it had", async () => {
    const rig = new LedgerRig();
    const run = await rig.runs.create(CREATED);
    await rig.dyingAt(2, () => rig.checkpointed(run, 0, { ended: true }));
    expect(await rig.status()).toBe("completed");
    rig.announcements.length = 0;
    expect(await rig.runs.progress.takeUp(RUN, 1)).toBeUndefined();
    expect(rig.announcements).toEqual([RUN]);
    expect(await rig.runs.progress.takeUp(RUN, 2)).toBeUndefined();
    expect(rig.announcements).toEqual([RUN]);
  });
});

describe("A failed run", () => {
  const failed = async () => {
    const rig = new LedgerRig();
    await rig.produced([1], { ended: false });
    await rig.runs.progress.fail(RUN, "the source is gone");
    return rig;
  };

  test("keeps its cursor and goes on from it", async () => {
    const rig = await failed();
    expect(await rig.runs.get(RUN)).toMatchObject({ status: "failed", failure: "the source is gone" });
    expect(await rig.runs.progress.takeUp(RUN, 1)).toBeUndefined();
    const run = await rig.runs.reopen(RUN);
    expect(run).toMatchObject({ status: "running", failedSlices: 0, checkpoint: { pages: 1, cursor: 0 } });
    expect((await rig.runs.get(RUN)).failure).toBeUndefined();
    expect(await rig.runs.reopen(RUN)).toBeUndefined();
  });

  test("whose sent items are all processed has not ended", async () => {
    const rig = await failed();
    await rig.succeed(rig.item(0));
    expect(await rig.status()).toBe("failed");
    expect(rig.announcements).toEqual([]);
  });

  test("whose source had ended completes, and has failed no more", async () => {
    const rig = new LedgerRig();
    await rig.produced([1]);
    await rig.runs.progress.fail(RUN, "the ledger was throttled");
    await rig.succeed(rig.item(0));
    expect(await rig.runs.get(RUN)).toMatchObject({ status: "completed", failure: undefined });
    expect(rig.announcements).toEqual([RUN]);
  });

  test("that had ended all the same is told of", async () => {
    const rig = new LedgerRig();
    const run = await rig.runs.create(CREATED);
    await rig.dyingAt(2, () => rig.checkpointed(run, 0, { ended: true }));
    rig.announcements.length = 0;
    await rig.runs.progress.fail(RUN, "it could not be told");
    expect(await rig.status()).toBe("completed");
    expect(rig.announcements).toEqual([RUN]);
  });

  test("is none that has completed", async () => {
    const rig = new LedgerRig();
    await rig.produced([1]);
    await rig.succeed(rig.item(0));
    await rig.runs.progress.fail(RUN, "too late");
    expect(await rig.status()).toBe("completed");
    expect(await rig.runs.reopen(RUN)).toBeUndefined();
    expect(await rig.runs.cancel(RUN)).toBeUndefined();
  });
});

test("A worker that cannot announce the end of a run leaves it to the next one", async () => {
  const rig = new LedgerRig();
  await rig.runs.create(CREATED);
  await rig.runs.pause(RUN);
  const paused = await rig.runs.get(RUN);
  await new Ledger(rig.store).runs.progress.checkpoint(paused, rig.after(paused, 0, { ended: true }));
  await new Ledger(rig.store).runs.cancel(RUN);
  expect(rig.announcements).toEqual([]);
  await rig.runs.progress.takeUp(RUN, 1);
  expect(rig.announcements).toEqual([RUN]);
});
