import { describe, expect, test } from "vitest";
import { type AdvanceOptions, advance, EMPTY_STATE } from "../../../shared/limits/advance.ts";
import { FIRST_STATE } from "../../../shared/limits/controller-state.ts";
import type { LimitState, MemberNote } from "../../../shared/limits/limit-state.ts";
import { NO_REPORT } from "../../../shared/limits/report.ts";
import { SeenMembers } from "../../../shared/limits/seen-members.ts";

const OPTIONS: AdvanceOptions = { concurrency: 100, tasksPerEnvironment: 10, adaptive: true, latency: false };
const NOW = 1_000_000;
const DUE = NOW + 500;

const note = (rest: Partial<MemberNote> = {}): MemberNote => ({ renewal: 1, epoch: 4, tried: 4, wanted: 10, ...rest });

/** A row in epoch 4 with a limit of 10 slots. */
const row = (rest: Partial<LimitState>): LimitState => ({
  ...EMPTY_STATE,
  epoch: 4,
  at: NOW - 500,
  dueAt: DUE,
  controller: { ...FIRST_STATE, phase: "hold", level: 10, ceiling: 10, levelEpoch: 1 },
  limit: { slots: 10 },
  ...rest,
});

const next = (state: LimitState, member: string, now: number, options: Partial<AdvanceOptions> = {}) =>
  advance(state, new SeenMembers(), member, now, { ...OPTIONS, ...options });

const slotsOf = (shares: LimitState["shares"]) =>
  Object.fromEntries(Object.entries(shares).map(([member, given]) => [member, given.at(-1)?.slots]));

describe("before an epoch is due", () => {
  const all = { a: [{ epoch: 4, slots: 10 }] };

  test("a member that waits takes the share of one that ends, although it gets the slots only in a later epoch", () => {
    const state = row({ shares: all, members: { a: note({ isEnding: true }), b: note() } });
    const taken = next(state, "b", NOW);
    expect(slotsOf(taken?.shares ?? {})).toEqual({ a: 0, b: 0 });
    expect(taken).toMatchObject({ epoch: 5, at: state.at, dueAt: DUE });
  });

  test("a member that waits begins no epoch while nobody ends and nothing is free", () => {
    expect(next(row({ shares: all, members: { a: note(), b: note() } }), "b", NOW)).toBeUndefined();
  });

  test("a member that waits begins no epoch while it waits for the report of one whose share was taken", () => {
    const shares = {
      a: [
        { epoch: 3, slots: 10 },
        { epoch: 4, slots: 0 },
      ],
      b: [{ epoch: 4, slots: 0 }],
    };
    const state = row({ shares, members: { a: note({ epoch: 3, isEnding: true }), b: note() } });
    expect(next(state, "b", NOW)).toBeUndefined();
  });

  test("a member that ends takes no slots", () => {
    const shares = { a: [{ epoch: 4, slots: 2 }] };
    expect(next(row({ shares, members: { a: note() } }), "a", NOW)).toBeDefined();
    expect(next(row({ shares, members: { a: note({ isEnding: true }) } }), "a", NOW)).toBeUndefined();
  });
});

describe("the members that the row names", () => {
  const open = (throttled: number) =>
    row({
      controller: FIRST_STATE,
      limit: {},
      counted: { ...NO_REPORT, succeeded: 50, throttled, succeededMilliseconds: 15_000, elapsedMilliseconds: 1_000 },
      members: { a: note({ found: 5 }) },
    });

  test("are removed while nothing is throttled", () => {
    expect(next(open(0), "a", DUE)?.gone).toEqual(["a"]);
  });

  test("stay after the first throttles, because the controller needs to know what each of them has found", () => {
    const measuring = next(open(5), "a", DUE);
    expect(measuring?.limit).toMatchObject({ slots: undefined, perSecond: undefined });
    expect(measuring?.gone).toEqual([]);
  });
});

describe("a wait that all holders were asked for", () => {
  const waiting = (members: number) => {
    const names = Array.from({ length: members }, (_, index) => `m${index}`);
    return row({
      counted: { ...NO_REPORT, started: 9, succeeded: 5, throttled: 4, slotMilliseconds: 10_000 },
      shares: Object.fromEntries(names.map((name) => [name, [{ epoch: 4, slots: 3 }]])),
      members: Object.fromEntries(names.map((name) => [name, note({ waitUntil: DUE + 8_000 })])),
    });
  };

  test("stops the fleet if there are three of them", () => {
    expect(next(waiting(3), "m0", DUE)?.limit.waitUntil).toBe(DUE + 8_000);
  });

  test("does not stop it if there are two, because it may belong to one item", () => {
    expect(next(waiting(2), "m0", DUE)?.limit.waitUntil).toBeUndefined();
  });
});

describe("with `latency: true`", () => {
  const slow = { phase: "steady", level: 110, levelEpoch: 4, best: 100, throughput: 50, age: 3 } as const;
  const fleet = (latestTried: number, more: Readonly<Record<string, MemberNote>> = {}) => {
    const names = Array.from({ length: 10 }, (_, index) => `m${index}`);
    const members = {
      ...Object.fromEntries(names.map((name) => [name, note({ tried: latestTried })])),
      young: note({ tried: 0 }),
      ...more,
    };
    return row({
      controller: { ...FIRST_STATE, slow },
      limit: { slots: 110 },
      counted: { ...NO_REPORT, succeeded: 100, succeededMilliseconds: 40_000, elapsedMilliseconds: 10_000 },
      shares: Object.fromEntries(Object.keys(members).map((name) => [name, [{ epoch: 4, slots: 10 }]])),
      members,
    });
  };
  const levelAfter = (state: LimitState) =>
    next(state, "m0", DUE, { concurrency: 1_000, latency: true })?.controller.slow?.level;

  test("a member that has just joined does not delay the cut of a large fleet", () => {
    expect(levelAfter(fleet(4))).toBe(55);
  });

  test("a level that most have not tried yet is not judged", () => {
    expect(levelAfter(fleet(3))).toBe(110);
  });

  test("a level that a tenth has not tried is not judged", () => {
    expect(levelAfter(fleet(4, { other: note({ tried: 0 }) }))).toBe(110);
  });
});
