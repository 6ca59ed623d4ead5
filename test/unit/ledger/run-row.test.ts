import { describe, expect, test } from "vitest";
import { runKey } from "../../../shared/ledger/keys.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import {
  finalCounts,
  hasEnded,
  isActive,
  isStopping,
  isWaiting,
  RUN_STATUSES,
} from "../../../shared/ledger/run-record.ts";
import { FaultyStore } from "../../helpers/faulty-store.ts";
import { CREATED, LedgerRig, RUN } from "../../helpers/ledger-rig.ts";

const WAIT = { until: 9_000, since: 1_000, count: 2, reason: "the service said 503" };

async function rigWithRun(changes = {}) {
  const rig = new LedgerRig();
  await rig.runs.create({ ...CREATED, ...changes });
  return rig;
}

describe("the status of a run", () => {
  test("says whether the run is active, and whether it is being stopped", async () => {
    const run = await (await rigWithRun()).runs.get(RUN);
    const those = (is: (run: typeof run_) => boolean) => RUN_STATUSES.filter((status) => is({ ...run, status }));
    const run_ = run;
    expect(those(isActive)).toEqual(["running", "paused", "cancelling", "failing"]);
    expect(those(isStopping)).toEqual(["cancelling", "failing"]);
    expect(those(hasEnded)).toEqual(["skipped"]);
    expect(hasEnded({ ...run, completedAt: "2026-01-01T00:00:00.000Z" })).toBe(true);
  });

  test("does not say that its source waits: the wait ends by itself", () => {
    expect(isWaiting({ wait: WAIT }, 8_999)).toBe(true);
    expect(isWaiting({ wait: WAIT }, 9_000)).toBe(false);
    expect(isWaiting({ wait: undefined }, 0)).toBe(false);
  });
});

describe("a new run", () => {
  test("has what it was created with, and nothing else", async () => {
    const asked = { limit: 5, tolerance: { items: 3 }, codeVersion: "7", exclusive: true };
    const rig = await rigWithRun(asked);
    expect(await rig.runs.get(RUN)).toEqual({
      ...CREATED,
      ...asked,
      version: 3,
      status: "running",
      completionAttempts: 0,
      warnings: [],
      checkpoint: { count: 0, skip: 0, pages: 0, items: 0, ended: false },
      hop: 0,
      failedSlices: 0,
      missing: false,
      completeBlocks: new Set(),
      redriven: false,
    });
    expect(await (await rigWithRun()).runs.get(RUN)).toMatchObject({ exclusive: false });
  });

  test("is active at once, unless it must be alone", async () => {
    expect(await (await rigWithRun()).runs.active.list()).toHaveLength(1);
    const rig = await rigWithRun({ exclusive: true });
    expect(await rig.runs.active.list()).toEqual([]);
  });

  test("whose entry among the active runs fails tells only who awaits the entry", async () => {
    const store = new FaultyStore();
    store.before = (operation, key) => {
      if (operation === "update" && key?.pk === "active") throw new Error("the ledger is down");
    };
    const { runs } = new Ledger(store);
    const { record, entered } = await runs.begin(CREATED);
    expect(record.id).toBe(RUN);
    // The rejection must not be unhandled before it is awaited.
    await new Promise((resolve) => setImmediate(resolve));
    await expect(entered).rejects.toThrow("the ledger is down");
  });

  test("that exists already is one of the active runs before it is returned", async () => {
    const store = new FaultyStore();
    const { runs } = new Ledger(store);
    await runs.create(CREATED);
    await runs.active.leave(RUN);
    let isEntering = false;
    const isEntered = Promise.withResolvers<void>();
    store.before = async (operation, key) => {
      if (operation !== "update" || key?.pk !== "active") return;
      isEntering = true;
      await isEntered.promise;
    };
    let isReturned = false;
    const begun = runs.begin(CREATED).then(() => {
      isReturned = true;
    });
    while (!isEntering) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isReturned).toBe(false);
    isEntered.resolve();
    await begun;
  });

  test("that was skipped says for which run, and is not active", async () => {
    const rig = await rigWithRun();
    const other = { id: "other", workflow: "cities", requestedAt: "2026-11-22T09:00:00.000Z" };
    await rig.runs.skip(other, await rig.runs.get(RUN));
    const skipped = await rig.runs.get("other");
    expect(skipped).toMatchObject({ status: "skipped", failure: `run ${RUN} was still active` });
    expect((await rig.runs.active.list()).map(({ id }) => id)).toEqual([RUN]);
    // A repeated skip changes nothing.
    await rig.runs.skip(other, { ...skipped, id: "third" });
    expect(await rig.runs.get("other")).toEqual(skipped);
  });

  test("that has a row already is skipped only if it must be alone and has not begun", async () => {
    for (const [exclusive, begun, status] of [
      [true, false, "skipped"],
      [true, true, "running"],
      [false, false, "running"],
    ] as const) {
      const rig = await rigWithRun({ exclusive });
      if (begun) await rig.runs.progress.takeUp(RUN, 1);
      const run = await rig.runs.get(RUN);
      await rig.runs.skip(CREATED, { ...run, id: "earlier" });
      expect(await rig.runs.get(RUN)).toMatchObject({ status });
    }
    const paused = await rigWithRun({ exclusive: true });
    await paused.runs.pause(RUN);
    await paused.runs.skip(CREATED, { ...(await paused.runs.get(RUN)), id: "earlier" });
    expect(await paused.status()).toBe("paused");
  });
});

describe("a row of a newer version", () => {
  test("of a run, or of its results, is refused with the run's id", async () => {
    const rig = await rigWithRun({ results: { format: "jsonl", include: [] } });
    await rig.store.update(runKey(RUN), { set: { results: { version: 99, format: "jsonl", include: [] } } });
    await expect(rig.runs.get(RUN)).rejects.toMatchObject({
      message: expect.stringContaining("the results of run run"),
      ids: { run: RUN },
    });
    await rig.store.update(runKey(RUN), { set: { version: 99 } });
    await expect(rig.runs.get(RUN)).rejects.toMatchObject({
      message: expect.stringContaining("run run"),
      ids: { run: RUN },
    });
  });
});

describe("other code", () => {
  test("is noted with its time", async () => {
    const store = new FaultyStore();
    const { runs } = new Ledger(store, () => 5_000);
    await runs.create({ ...CREATED, codeVersion: "1" });
    await runs.noteCode(RUN, "2");
    expect(await runs.get(RUN)).toMatchObject({ codeVersion: "1", codeChange: { version: "2", at: 5_000 } });
  });

  test("of a run that is not there makes no row", async () => {
    const rig = await rigWithRun();
    await rig.runs.noteCode("nobody", "2");
    expect(await rig.store.get({ pk: "run#nobody", sk: "run" })).toBeUndefined();
  });
});

describe("a slice", () => {
  test("that failed is counted with its error", async () => {
    const rig = await rigWithRun();
    await rig.runs.progress.recordSlice(await rig.runs.get(RUN), 3, "no answer", []);
    expect(await rig.runs.get(RUN)).toMatchObject({ failedSlices: 3, sliceError: "no answer", warnings: [] });
    await rig.runs.progress.recordSlice(await rig.runs.get(RUN), 4, "no answer", ["odd"]);
    await rig.runs.progress.recordSlice(await rig.runs.get(RUN), 4, "no answer", ["odd", "odder"]);
    expect((await rig.runs.get(RUN)).warnings).toEqual(["odd", "odder"]);
  });

  test("that ended well because the queue was full resets the count and the error", async () => {
    const rig = await rigWithRun();
    await rig.runs.progress.recordSlice(await rig.runs.get(RUN), 3, "no answer", []);
    const full = { at: 1_000, produced: 20, backlog: 10 };
    await rig.runs.progress.recordFull(RUN, full);
    expect(await rig.runs.get(RUN)).toMatchObject({ failedSlices: 0, sliceError: undefined, fullAt: full });
  });

  test("that was interrupted is taken back, unless the count has changed", async () => {
    const rig = await rigWithRun();
    await rig.runs.progress.recordSlice(await rig.runs.get(RUN), 2, "no answer", []);
    const run = await rig.runs.progress.takeUp(RUN, 1);
    expect(run).toMatchObject({ failedSlices: 2, hop: 1 });
    expect(await rig.runs.get(RUN)).toMatchObject({ failedSlices: 3 });
    if (run === undefined) throw new Error("not taken up");
    await rig.runs.progress.releaseSlice(run);
    expect(await rig.runs.get(RUN)).toMatchObject({ failedSlices: 2 });
    await rig.checkpointed(await rig.runs.get(RUN), 1);
    await rig.runs.progress.releaseSlice(run);
    expect(await rig.runs.get(RUN)).toMatchObject({ failedSlices: 0 });
  });

  test("does not begin, and is not counted, until the wait of the source is over", async () => {
    const rig = await rigWithRun();
    await rig.runs.progress.recordWait(await rig.runs.get(RUN), WAIT, 4, []);
    await rig.runs.progress.takeUp(RUN, 1, 8_999);
    expect(await rig.runs.get(RUN)).toMatchObject({ failedSlices: 4, hop: 1 });
    await rig.runs.progress.takeUp(RUN, 2, 9_000);
    expect(await rig.runs.get(RUN)).toMatchObject({ failedSlices: 5, hop: 2 });
  });

  test("of a run that is not among the active ones makes it one again", async () => {
    const rig = await rigWithRun();
    await rig.runs.active.leave(RUN);
    await rig.runs.progress.takeUp(RUN, 1);
    expect(await rig.runs.active.list()).toHaveLength(1);
    await rig.runs.cancel(RUN);
    expect(await rig.runs.progress.takeUp(RUN, 2)).toMatchObject({ status: "cancelling" });
  });
});

describe("a wait of the source", () => {
  test("is recorded like a checkpoint, and the next checkpoint ends it", async () => {
    const rig = await rigWithRun();
    const run = await rig.runs.get(RUN);
    expect(await rig.runs.progress.recordWait(run, WAIT, 1, ["slow"])).toBe(true);
    const waiting = await rig.runs.get(RUN);
    expect(waiting).toMatchObject({ wait: WAIT, failedSlices: 1, warnings: ["slow"], checkpoint: { count: 1 } });
    const next = await rig.checkpointed(waiting, 2);
    expect(next).toMatchObject({ wait: undefined, failedSlices: 0, checkpoint: { count: 2, items: 2 } });
    // Of the wait, nothing is left in the row.
    expect(Object.keys((await rig.store.get({ pk: `run#${RUN}`, sk: "run" })) ?? {})).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^wait/)]),
    );
  });

  test("whose response was lost is recorded, and that of an overtaken producer is not", async () => {
    const rig = await rigWithRun();
    const run = await rig.runs.get(RUN);
    await rig.runs.progress.recordWait(run, WAIT, 0, []);
    expect(await rig.runs.progress.recordWait(run, WAIT, 0, [])).toBe(true);
    expect(await rig.runs.progress.recordWait(run, { ...WAIT, until: 9_001 }, 0, [])).toBe(false);
    expect((await rig.runs.get(RUN)).wait).toEqual(WAIT);
    // Another producer has moved on.
    await rig.runs.progress.recordWait(await rig.runs.get(RUN), WAIT, 0, []);
    expect(await rig.runs.progress.recordWait(run, WAIT, 0, [])).toBe(false);
  });

  test("of another producer is not taken for this one's checkpoint", async () => {
    const rig = await rigWithRun();
    const run = await rig.runs.get(RUN);
    await rig.runs.progress.recordWait(run, WAIT, 0, []);
    expect(await rig.runs.progress.checkpoint(run, rig.after(run, 0))).toBeUndefined();
  });

  test("stays when the run is resumed, and its time is counted anew", async () => {
    const rig = await rigWithRun();
    await rig.runs.progress.recordWait(await rig.runs.get(RUN), WAIT, 3, []);
    await rig.runs.pause(RUN);
    expect((await rig.runs.get(RUN)).pausedAt).toBe("1970-01-01T00:00:00.000Z");
    await rig.runs.reopen(RUN);
    const run = await rig.runs.get(RUN);
    expect(run).toMatchObject({ status: "running", pausedAt: undefined, failedSlices: 0 });
    expect(run.wait).toEqual({ until: 9_000, since: undefined, count: 0, reason: WAIT.reason });
  });
});

describe("a run that is cancelled", () => {
  test("is not paused any more, and says whether messages are missing", async () => {
    const rig = await rigWithRun();
    await rig.runs.pause(RUN);
    expect(await rig.runs.cancel(RUN)).toMatchObject({ status: "cancelling", pausedAt: undefined, missing: false });
    expect(await rig.runs.cancel(RUN)).toBeUndefined();
    const failed = await rigWithRun();
    await failed.runs.progress.fail(RUN, "the source is gone");
    expect(await failed.runs.active.list()).toEqual([]);
    expect(await failed.runs.cancel(RUN, { missing: true })).toMatchObject({ status: "cancelling", missing: true });
    expect(await failed.runs.active.list()).toHaveLength(1);
  });
});

describe("the end of a run", () => {
  test("counts the tries of onComplete, and keeps the last error", async () => {
    const rig = await rigWithRun();
    expect(await rig.runs.beginCompletion(await rig.runs.get(RUN))).toBe(1);
    expect(await rig.runs.beginCompletion(await rig.runs.get(RUN))).toBe(2);
    await rig.runs.endCompletion(RUN, "no answer");
    const completionHandledAt = "1970-01-01T00:00:00.000Z";
    expect(await rig.runs.get(RUN)).toMatchObject({
      completionAttempts: 2,
      completionHandledAt,
      completionError: "no answer",
    });
    await rig.runs.endCompletion(RUN);
    expect((await rig.runs.get(RUN)).completionError).toBeUndefined();
  });

  test("gives final counts, also to a run whose row has no totals", async () => {
    const run = await (await rigWithRun()).runs.get(RUN);
    const ended = { ...run, checkpoint: { ...run.checkpoint, items: 10 } };
    const nothing = { produced: 10, succeeded: 10, dead: 0, cancelled: 0, retried: 0, pending: 0, deadByReason: {} };
    expect(finalCounts(ended)).toEqual(nothing);
    const totals = { dead: 2, cancelled: 3, retried: 4, deadByReason: { exhausted: 2 } };
    expect(finalCounts({ ...ended, totals })).toEqual({ ...nothing, ...totals, succeeded: 5 });
  });
});

describe("all runs", () => {
  test("are read in groups, the newest first, each once", async () => {
    const rig = new LedgerRig();
    const at = (number: number) => new Date(number * 1_000).toISOString();
    for (let number = 0; number < 1_001; number++) {
      const id = `run ${number}`;
      await rig.store.update({ pk: "runs", sk: `${at(number)}#${id}` }, { set: { id } });
      // One of them was listed, and its producer died before it was written.
      if (number === 7) continue;
      const set = { id, status: "completed", workflow: "cities", requestedAt: at(number) };
      await rig.store.update({ pk: `run#${id}`, sk: "run" }, { set });
    }
    const groups: string[][] = [];
    for await (const runs of rig.runs.all()) groups.push(runs.map(({ id }) => id));
    expect(groups.map(({ length }) => length)).toEqual([500, 499, 1]);
    const expected = Array.from({ length: 1_001 }, (_, index) => `run ${1_000 - index}`).filter((id) => id !== "run 7");
    expect(groups.flat()).toEqual(expected);
    expect((await rig.runs.latest(150)).map(({ id }) => id)).toEqual(expected.slice(0, 150));
  });

  test("of an empty ledger are no group", async () => {
    const groups: unknown[] = [];
    for await (const runs of new LedgerRig().runs.all()) groups.push(runs);
    expect(groups).toEqual([]);
  });
});

test("the pending items of paused runs are counted, and no others", async () => {
  const rig = new LedgerRig();
  for (const [id, paused] of [
    ["a", true],
    ["b", false],
    ["c", true],
  ] as const) {
    const run = await rig.runs.create({ ...CREATED, id, requestedAt: `2026-11-22T0${id === "a" ? 1 : 2}:00:00.000Z` });
    await rig.ledger.pages.open({ run: id, partition: 0, page: 0 }, { size: 3, digest: "d" });
    await rig.checkpointed(run, 3);
    if (paused) await rig.runs.pause(id);
  }
  await rig.succeed(rig.item(0, { run: "a" }));
  expect(await rig.runs.pendingOfPausedRuns()).toBe(5);
});
