import { describe, expect, test } from "vitest";
import type { Key } from "../../../shared/aws/table.ts";
import { groupKey, runKey } from "../../../shared/ledger/keys.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { blockGroupKey, blockKey } from "../../../shared/messages/item-address.ts";
import { FaultyStore } from "../../helpers/faulty-store.ts";
import { CREATED, RUN } from "../../helpers/ledger-rig.ts";

const UNDIVIDED = { run: RUN, partition: 0 };

/** A run whose checkpoint moves on by many pages, of which no row exists. */
async function runAt(pages: number, version = 3) {
  const store = new FaultyStore();
  const { runs } = new Ledger(store, () => 0);
  await runs.create(CREATED);
  await store.update(runKey(RUN), { set: { pages, version } });
  /** Moves the checkpoint on. Returns the numbers of the blocks and of the groups of blocks that were written. */
  const moveTo = async (to: number, ended = false) => {
    store.updates.length = 0;
    const run = await runs.get(RUN);
    await runs.progress.checkpoint(run, { cursor: "further", skip: 0, pages: to, items: to, ended });
    return written();
  };
  const numbersOf = (pattern: RegExp) => store.updates.flatMap(({ pk }) => pattern.exec(pk)?.[1] ?? []).map(Number);
  const written = () => ({ blocks: numbersOf(/#block#(\d+)$/), groups: numbersOf(/#blocks#(\d+)$/) });
  const rowOf = async (key: Key) => {
    const { pk: _, sk: __, ...row } = (await store.get(key)) ?? { pk: "", sk: "" };
    return row;
  };
  return {
    runs,
    moveTo,
    store,
    written,
    block: (block: number) => rowOf(blockKey({ ...UNDIVIDED, block })),
    group: (group: number) => rowOf(blockGroupKey(UNDIVIDED, group)),
  };
}

describe("A checkpoint", () => {
  test("gives their size to the blocks that it has passed, and to the last one at the end", async () => {
    const { moveTo, block } = await runAt(0);
    expect(await moveTo(999)).toEqual({ blocks: [], groups: [] });
    expect(await moveTo(1_000)).toEqual({ blocks: [0], groups: [] });
    expect(await moveTo(2_500)).toEqual({ blocks: [1], groups: [] });
    expect(await moveTo(2_600, true)).toEqual({ blocks: [2], groups: [] });
    expect([await block(0), await block(1), await block(2), await block(3)]).toEqual([
      { size: 1_000 },
      { size: 1_000 },
      { size: 600 },
      {},
    ]);
  });

  test("gives its size to a group of blocks that it has passed, but for the first group", async () => {
    const { moveTo, block, group } = await runAt(998_000);
    expect(await moveTo(1_000_000)).toEqual({ blocks: [998, 999], groups: [] });
    expect(await moveTo(1_001_000)).toEqual({ blocks: [1_000], groups: [] });
    expect([await block(999), await block(1_000)]).toEqual([{ size: 1_000 }, { size: 1_000, grouped: true }]);
    const later = await runAt(1_998_000);
    expect(await later.moveTo(2_000_500)).toEqual({ blocks: [1_998, 1_999], groups: [1] });
    expect(await later.group(1)).toEqual({ size: 1_000 });
    expect(await later.moveTo(2_000_600, true)).toEqual({ blocks: [2_000], groups: [2] });
    expect([await later.block(2_000), await later.group(2)]).toEqual([{ size: 600, grouped: true }, { size: 1 }]);
    expect(await group(1)).toEqual({});
    const last = await runAt(1_998_500);
    expect(await last.moveTo(1_999_500, true)).toEqual({ blocks: [1_998, 1_999], groups: [1, 1] });
    expect(await last.group(1)).toEqual({ size: 1_000 });
  });

  test("makes no group of blocks in a run that older code began", async () => {
    const { moveTo, block } = await runAt(1_999_000, 2);
    expect(await moveTo(2_000_000, true)).toEqual({ blocks: [1_999], groups: [] });
    expect(await block(1_999)).toEqual({ size: 1_000 });
  });

  test("is repeated for the last two blocks when the run is taken up", async () => {
    const { runs, moveTo, store, written } = await runAt(0);
    await moveTo(3_500, true);
    store.updates.length = 0;
    await runs.progress.closeAgain(await runs.get(RUN));
    expect(written()).toEqual({ blocks: [2, 3], groups: [] });
    const full = await runAt(0);
    await full.moveTo(3_000, true);
    full.store.updates.length = 0;
    await full.runs.progress.closeAgain(await full.runs.get(RUN));
    expect(full.written()).toEqual({ blocks: [1, 2], groups: [] });
    const short = await runAt(0);
    await short.moveTo(5, true);
    short.store.updates.length = 0;
    await short.runs.progress.closeAgain(await short.runs.get(RUN));
    expect(short.written()).toEqual({ blocks: [0], groups: [] });
  });
});

describe("A checkpoint that may be that of another producer", () => {
  test("is this one's only if it is the next one, and came as far", async () => {
    const { runs } = await runAt(0);
    const run = await runs.get(RUN);
    const at = (items: number, ended = false) => ({ cursor: "further", skip: 0, pages: 1, items, ended });
    expect(await runs.progress.checkpoint(run, at(5))).toMatchObject({ checkpoint: { count: 1 } });
    // The response was lost, so the SDK has repeated the write.
    expect(await runs.progress.checkpoint(run, at(5))).toMatchObject({ checkpoint: { count: 1 } });
    expect(await runs.progress.checkpoint(run, at(6))).toBeUndefined();
    expect(await runs.progress.checkpoint(run, at(5, true))).toBeUndefined();
    await runs.progress.checkpoint(await runs.get(RUN), at(5));
    expect(await runs.progress.checkpoint(run, at(5))).toBeUndefined();
  });

  test("is no wait that was recorded", async () => {
    const { runs } = await runAt(0);
    const run = await runs.get(RUN);
    await runs.progress.checkpoint(run, { cursor: "further", skip: 0, pages: 1, items: 5, ended: false });
    expect(await runs.progress.recordWait(run, { until: 5, since: 1, count: 1, reason: "busy" }, 0, [])).toBe(false);
  });
});

test("A checkpoint keeps a resend, and the state of the loop detector only as long as there is one", async () => {
  const { runs, store } = await runAt(0);
  await runs.resends.request(RUN);
  const loop = { count: 3, far: "a", near: "b" };
  const next = { cursor: "further", skip: 0, pages: 1, items: 5, ended: false };
  const after = await runs.progress.checkpoint(await runs.get(RUN), { ...next, loop });
  expect(after).toMatchObject({ resend: { pages: 0 }, checkpoint: { loop } });
  await runs.progress.checkpoint(await runs.get(RUN), next);
  expect(await store.get(runKey(RUN))).not.toHaveProperty("loop");
});

test("The last checkpoint of a partition is noted in the row of its group", async () => {
  const { runs, store } = await runAt(0);
  const run = { ...(await runs.get(RUN)), lanes: 1 };
  const partition = await runs.progress.partition(run, { id: "a", number: 102 });
  await runs.progress.checkpoint(partition, { cursor: undefined, skip: 0, pages: 1, items: 5, ended: false });
  expect(await store.get(groupKey(RUN, 1))).toBeUndefined();
  const latest = await runs.progress.latest(partition);
  await runs.progress.checkpoint(latest, { cursor: undefined, skip: 0, pages: 3, items: 9, ended: true });
  expect(await store.get(groupKey(RUN, 1))).toMatchObject({ "ended 1": { pages: 3, items: 9 } });
});

describe("The failure of lanes", () => {
  const FAILED = { status: "failed", failure: "a partition is gone" };
  const RUNNING = { status: "running", failure: undefined };

  test.each([
    ["of a run that was never resumed", undefined, { round: 1, resumedRound: undefined }, FAILED],
    ["of a run without lanes, also if it was resumed", 5, undefined, FAILED],
    ["of a run that was resumed since it was read", 5, { round: 1, resumedRound: undefined }, RUNNING],
    ["of the round in which the run was resumed", 5, { round: 5, resumedRound: 5 }, FAILED],
    ["of a later round", 5, { round: 6, resumedRound: 5 }, FAILED],
    ["of an earlier round", 5, { round: 4, resumedRound: 5 }, RUNNING],
    ["of a run that was resumed twice since", 9, { round: 6, resumedRound: 5 }, RUNNING],
  ] as const)("%s", async (_, resumedRound, lanes, outcome) => {
    const { runs, store } = await runAt(0);
    if (resumedRound !== undefined) await store.update(runKey(RUN), { set: { resumedRound } });
    await runs.progress.fail(RUN, "a partition is gone", lanes);
    expect(await runs.get(RUN)).toMatchObject(outcome);
  });

  test("belongs to the round that begins when a run with lanes is resumed", async () => {
    const { runs, store } = await runAt(0);
    for (const lanes of [undefined, 2]) {
      await store.update(runKey(RUN), { set: { hop: 7, lanes, status: "failed" } });
      expect(await runs.reopen(RUN)).toMatchObject({ status: "running" });
      expect((await runs.get(RUN)).resumedRound).toBe(lanes === undefined ? undefined : 8);
    }
    expect(await runs.reopen("nobody")).toBeUndefined();
  });
});
