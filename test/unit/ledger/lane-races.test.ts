import { beforeEach, describe, expect, test } from "vitest";
import { lanesKey, runKey } from "../../../shared/ledger/keys.ts";
import type { RunRecord } from "../../../shared/ledger/run-record.ts";
import type { NewRun } from "../../../shared/ledger/run-states.ts";
import { CREATED, LedgerRig, RUN } from "../../helpers/ledger-rig.ts";

let rig: LedgerRig;
beforeEach(() => {
  rig = new LedgerRig();
});

const lanes = () => rig.runs.lanes;
const listOf = (count: number, name = "part") =>
  Array.from({ length: count }, (_, place) => ({ id: `${name} ${place + 1}` }));

async function divided(partitions: number, more: Partial<NewRun> = {}): Promise<RunRecord> {
  const created = await rig.runs.create({ ...CREATED, lanes: 2, ...more });
  await lanes().seal(created, listOf(partitions));
  await lanes().beginRound(created, 1);
  return await rig.runs.get(RUN);
}

/** The partitions that the lanes read after a lane has taken its next one. */
async function next(run: RunRecord, lane: number, failure?: string): Promise<readonly number[]> {
  return (await lanes().takeNext(run, lane, await lanes().read(run), failure)).reading;
}

describe("Of two producers of one lane,", () => {
  test("the one that is late takes no partition while the other reads one that failed before", async () => {
    const run = await divided(5);
    await next(run, 0);
    expect(await next(run, 0, "broken")).toEqual([2, 0]);
    const late = await lanes().read(run);
    await lanes().beginRound(run, 2);
    expect(await next(run, 0)).toEqual([1, 0]);
    expect((await lanes().takeNext(run, 0, late)).reading).toEqual([1, 0]);
    expect(await lanes().read(run)).toMatchObject({ reading: [1, 0], next: 3 });
  });

  test("the one that is late does not end the lane in a round that has begun since", async () => {
    const run = await divided(2);
    await next(run, 0);
    await next(run, 1);
    await next(run, 1, "broken");
    const late = await lanes().read(run);
    expect(late).toMatchObject({ reading: [1, 0], next: 3 });
    await lanes().beginRound(run, 2);
    expect((await lanes().takeNext(run, 0, late)).reading).toEqual([2, 0]);
  });
});

describe("Of two lanes,", () => {
  test("one reads a partition that failed before, and the other takes the next one", async () => {
    const run = await divided(5);
    await next(run, 0);
    expect(await next(run, 0, "broken")).toEqual([2, 0]);
    const row = await lanes().beginRound(run, 2);
    expect(row).toMatchObject({ again: [1] });
    expect((await lanes().takeNext(run, 0, row)).reading).toEqual([1, 0]);
    expect((await lanes().takeNext(run, 1, row)).reading).toEqual([1, 3]);
  });

  test("none takes a further partition after a failure in a run with a limit of items", async () => {
    const run = await divided(5, { limit: 10 });
    await next(run, 0);
    expect(await next(run, 0, "broken")).toEqual([0, 0]);
    expect(await next(run, 1)).toEqual([0, 0]);
    expect(await lanes().read(run)).toMatchObject({ failed: new Map([[1, "broken"]]), next: 2 });
  });
});

describe("Of two lists of partitions,", () => {
  test("the one that was sealed first counts, and the other changes nothing of it", async () => {
    const run = await divided(3);
    const before = await rig.store.get(lanesKey(RUN));
    await lanes().seal(run, listOf(5, "late"));
    expect(await rig.store.get(lanesKey(RUN))).toEqual({ ...before, plans: 2 });
    const row = await lanes().read(run);
    expect(row).toMatchObject({ count: 3, plan: 1 });
    expect(await lanes().partition(run, row, 1)).toEqual({ id: "part 1", number: 1 });
    expect((await rig.runs.get(RUN)).partitions).toBe(3);
  });

  test("the one that was sealed ends the wait for the list", async () => {
    const created = await rig.runs.create({ ...CREATED, lanes: 2 });
    await rig.runs.progress.recordWait(created, { until: 5, since: 1, count: 1, reason: "busy" }, 4, []);
    await lanes().seal(created, listOf(1));
    const row = await rig.store.get(runKey(RUN));
    expect(Object.keys(row ?? {}).filter((name) => name.startsWith("wait"))).toEqual([]);
  });
});
