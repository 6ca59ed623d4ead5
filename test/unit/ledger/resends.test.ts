import { describe, expect, test } from "vitest";
import { runKey } from "../../../shared/ledger/keys.ts";
import { CREATED, LedgerRig, RUN } from "../../helpers/ledger-rig.ts";

const START = { skip: 0, pages: 0, items: 0, ended: false, missing: 0 };
const FURTHER = { ...START, cursor: "next", pages: 1, items: 2 };

async function rigWithRun() {
  const rig = new LedgerRig();
  await rig.runs.create(CREATED);
  return rig;
}

describe("a resend", () => {
  test("begins at the start of the source, for each run that has not ended", async () => {
    for (const change of ["none", "pause", "fail"] as const) {
      const rig = await rigWithRun();
      if (change === "pause") await rig.runs.pause(RUN);
      if (change === "fail") await rig.runs.progress.fail(RUN, "the source is gone");
      await rig.runs.resends.request(RUN);
      expect((await rig.runs.get(RUN)).resend).toEqual(START);
    }
  });

  test("forgets that messages were missing", async () => {
    const rig = await rigWithRun();
    await rig.runs.resends.fail(RUN, "items are gone");
    expect(await rig.runs.get(RUN)).toMatchObject({ status: "failed", failure: "items are gone", missing: true });
    await rig.runs.resends.request(RUN);
    expect((await rig.runs.get(RUN)).missing).toBe(false);
  });

  test("is not made for a run that is being stopped or has ended", async () => {
    const stopped = await rigWithRun();
    await stopped.runs.cancel(RUN);
    await stopped.runs.resends.request(RUN);
    expect((await stopped.runs.get(RUN)).resend).toBeUndefined();
    const ended = await rigWithRun();
    await ended.checkpointed(await ended.runs.get(RUN), 0, { ended: true });
    await ended.runs.resends.request(RUN);
    expect((await ended.runs.get(RUN)).resend).toBeUndefined();
    // More of its items died than are tolerated, and all others are settled.
    await ended.store.update(runKey(RUN), { set: { status: "failed" } });
    await ended.runs.resends.request(RUN);
    expect((await ended.runs.get(RUN)).resend).toBeUndefined();
    expect(await ended.runs.reopen(RUN)).toBeUndefined();
    expect(await ended.status()).toBe("failed");
  });

  test("notes how far it has come, and only progress resets the failed slices", async () => {
    const rig = await rigWithRun();
    await rig.runs.resends.request(RUN);
    await rig.runs.progress.takeUp(RUN, 1);
    const run = await rig.runs.get(RUN);
    expect(run.failedSlices).toBe(1);
    await rig.runs.resends.record(run, FURTHER, false);
    expect(await rig.runs.get(RUN)).toMatchObject({ resend: FURTHER, failedSlices: 1 });
    await rig.runs.resends.record(run, { ...FURTHER, missing: 2 }, true);
    expect(await rig.runs.get(RUN)).toMatchObject({ resend: { missing: 2 }, failedSlices: 0 });
  });

  test("of a producer that another has overtaken notes nothing", async () => {
    const rig = await rigWithRun();
    await rig.runs.resends.request(RUN);
    await rig.runs.progress.takeUp(RUN, 1);
    const run = await rig.runs.get(RUN);
    await rig.runs.progress.takeUp(RUN, 2);
    await rig.runs.resends.record(run, FURTHER, true);
    expect(await rig.runs.get(RUN)).toMatchObject({ resend: START, failedSlices: 2 });
  });

  test("ends", async () => {
    const rig = await rigWithRun();
    await rig.runs.resends.request(RUN);
    await rig.runs.resends.end(RUN);
    expect((await rig.runs.get(RUN)).resend).toBeUndefined();
  });

  test("fails only a run that works, and does not begin again by itself", async () => {
    const rig = await rigWithRun();
    await rig.runs.resends.request(RUN);
    await rig.runs.pause(RUN);
    await rig.runs.resends.fail(RUN, "items are gone");
    expect(await rig.runs.get(RUN)).toMatchObject({ status: "paused", missing: false, resend: START });
    await rig.runs.reopen(RUN);
    await rig.runs.resends.fail(RUN, "items are gone");
    expect(await rig.runs.get(RUN)).toMatchObject({ status: "failed", missing: true, resend: undefined });
  });
});
