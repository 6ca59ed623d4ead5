import { expect, test } from "vitest";
import { LIMIT_KEY, LimitRow } from "../../../shared/ledger/limit-row.ts";
import { EMPTY_STATE, type NextEpoch } from "../../../shared/limits/advance.ts";
import { NO_REPORT } from "../../../shared/limits/report.ts";
import { FaultyStore } from "../../helpers/faulty-store.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";

const note = (renewal: number) => ({ renewal, epoch: 0, tried: 0, wanted: 10 });

const epochOf = (epoch: number, more: Partial<NextEpoch> = {}): NextEpoch => ({
  epoch,
  at: 1_000 * epoch,
  dueAt: 1_000 * epoch + 1_000,
  countedBefore: NO_REPORT,
  controller: { version: 2 } as NextEpoch["controller"],
  limit: { slots: 4 },
  shares: { a: [{ epoch, slots: 4 }] },
  tokensLeft: 0,
  gone: [],
  ...more,
});

test("a workflow without a limit row has the empty state", async () => {
  expect(await new LimitRow(new MemoryStore()).read()).toEqual({
    state: EMPTY_STATE,
    isNewerVersion: false,
    concurrency: undefined,
  });
});

test("the reports of all environments add up, and each environment has its latest note", async () => {
  const row = new LimitRow(new MemoryStore());
  await row.report("a", { report: { ...NO_REPORT, succeeded: 3, load: 0.1 }, note: note(1) });
  await row.report("b", { report: { ...NO_REPORT, throttled: 2, load: 0.2 }, note: note(1) });
  const { state } = await row.report("a", { report: { ...NO_REPORT, succeeded: 1 }, note: note(2) });

  expect(state.counted).toEqual({ ...NO_REPORT, succeeded: 4, throttled: 2, load: 0.1 + 0.2 });
  expect(state.members).toEqual({ a: note(2), b: note(1) });
});

test("an update without a note writes none", async () => {
  const { state } = await new LimitRow(new MemoryStore()).report("a", { report: NO_REPORT, note: undefined });
  expect(state.members).toEqual({});
});

test("figures with many digits are rounded, because DynamoDB's numbers have 38 digits", async () => {
  const store = new FaultyStore();
  const increases: unknown[] = [];
  store.before = (_, __, update) => increases.push(update?.increase);
  await new LimitRow(store).report("a", {
    report: { ...NO_REPORT, load: 1 / 3, slotMilliseconds: 1e-9 },
    note: undefined,
  });
  expect(increases).toEqual([{ load: 0.333333 }]);
});

test("of two environments that begin the same epoch, one does", async () => {
  const row = new LimitRow(new MemoryStore());
  const begun = await Promise.all([row.begin(epochOf(1), 20), row.begin(epochOf(1), 20)]);
  expect(begun.map((stored) => stored?.state.epoch)).toEqual([1, undefined]);
  expect(await row.begin(epochOf(3), 20)).toBeUndefined();
  expect((await row.begin(epochOf(2), 20))?.state).toMatchObject({
    epoch: 2,
    at: 2_000,
    dueAt: 3_000,
    limit: { slots: 4 },
  });
});

test("an epoch keeps what was counted before it, and removes the notes of members that are gone", async () => {
  const row = new LimitRow(new MemoryStore());
  for (const member of ["a", "b"]) await row.report(member, { report: NO_REPORT, note: note(1) });
  await row.begin(epochOf(1, { countedBefore: { ...NO_REPORT, succeeded: 7 }, gone: ["b"] }), 20);

  const { state, concurrency } = await row.read();
  expect(concurrency).toBe(20);
  expect(state.countedBefore).toEqual({ ...NO_REPORT, succeeded: 7 });
  expect(Object.keys(state.members)).toEqual(["a"]);
  expect(state.shares).toEqual({ a: [{ epoch: 1, slots: 4 }] });
});

test("an environment that leaves reports and removes its note", async () => {
  const row = new LimitRow(new MemoryStore());
  await row.report("a", { report: NO_REPORT, note: note(1) });
  await row.leave("a", { ...NO_REPORT, succeeded: 1 });

  const { state } = await row.read();
  expect(state.members).toEqual({});
  expect(state.counted.succeeded).toBe(1);
});

test("an epoch has the state of the controller and the tokens that are left, and no write lets the row expire", async () => {
  const store = new FaultyStore();
  const writes: unknown[] = [];
  store.before = (operation, _, update) => operation === "update" && writes.push(update?.isPermanent);
  const row = new LimitRow(store);
  expect((await row.read()).state.controller).toBeUndefined();
  const begun = await row.begin(epochOf(1, { tokensLeft: 7 }), 20);
  expect(begun?.state.tokensLeft).toBe(7);
  expect(begun?.state.controller).toMatchObject({ version: 2 });
  await row.report("a", { report: NO_REPORT, note: note(1) });
  await row.set({ concurrency: 3 });
  await row.clear();
  await row.leave("a", NO_REPORT);
  expect(writes).toEqual([true, true, true, true, true]);
});

test("what the command sets stays until it is cleared, also when epochs begin", async () => {
  const row = new LimitRow(new MemoryStore());
  await row.set({ concurrency: 20, perSecond: 5 });
  await row.begin(epochOf(1), 20);
  expect((await row.read()).state.set).toEqual({ concurrency: 20, perSecond: 5 });

  await row.set({ concurrency: 3 });
  expect((await row.read()).state.set).toEqual({ concurrency: 3 });
  expect((await row.clear()).state.set).toEqual({});
});

test("the row of a newer version is recognised, and its limit is read", async () => {
  const store = new MemoryStore();
  const row = new LimitRow(store);
  await row.begin(epochOf(1), 20);
  await store.update(LIMIT_KEY, { set: { version: 3 } });
  expect(await row.read()).toMatchObject({ isNewerVersion: true, state: { limit: { slots: 4 } } });
});

test("a row of version 1 is read, and the next epoch replaces what only older code reads", async () => {
  const store = new MemoryStore();
  const shares = { old: [{ epoch: 7, slots: 4 }] };
  await store.update(LIMIT_KEY, {
    set: { version: 1, epoch: 7, shares: JSON.stringify(shares), "m old": JSON.stringify(note(3)) },
  });
  const row = new LimitRow(store);
  const { state } = await row.report("new", { report: NO_REPORT, note: note(1) });
  expect(state).toMatchObject({ epoch: 7, shares, members: { old: note(3), new: note(1) } });

  const begun = await row.begin(epochOf(8, { shares: { new: [{ epoch: 8, slots: 4 }] }, gone: ["old"] }), 20);
  expect(begun?.state).toMatchObject({ shares: { new: [{ epoch: 8, slots: 4 }] }, members: { new: note(1) } });
  const stored = await store.get(LIMIT_KEY);
  expect(Object.keys(stored ?? {})).not.toContain("m old");
  expect(Object.keys(stored ?? {})).not.toContain("shares");
});
