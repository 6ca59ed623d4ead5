import fc from "fast-check";
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

describe("the tokens of a set rate", () => {
  const tokensOf = (state: Pick<LimitState, "shares"> | undefined) =>
    Object.fromEntries(Object.entries(state?.shares ?? {}).map(([member, given]) => [member, given.at(-1)?.tokens]));
  const RATE = { set: { perSecond: 20 } };

  test("a member that joins before the next epoch gets its part of those that are left, and the others keep theirs", () => {
    const shares = { a: [{ epoch: 4, slots: 10, tokens: 70 }] };
    const state = row({ limit: { slots: 40 }, shares, members: { a: note(), b: note() }, tokensLeft: 7.5 });
    const joined = next(state, "b", NOW, RATE);
    expect(tokensOf(joined)).toEqual({ a: 70, b: 5 });
    expect(joined?.tokensLeft).toBe(2.5);
    expect(tokensOf(next({ ...state, tokensLeft: 0.9 }, "b", NOW, RATE))).toEqual({ a: 70, b: 0 });
    expect(tokensOf(next(state, "b", NOW))).toEqual({ a: 70, b: undefined });
  });

  test("a member that joins with an epoch gets its part of the tokens", () => {
    const shares = { a: [{ epoch: 4, slots: 10, tokens: 70 }] };
    const controller = { ...FIRST_STATE, phase: "hold", level: 20, ceiling: 20, levelEpoch: 1 } as const;
    const state = row({ at: DUE - 1_000, controller, shares, members: { a: note(), b: note() } });
    expect(tokensOf(next(state, "b", DUE, RATE))).toEqual({ a: 80, b: 10 });
  });

  test("whoever joins and leaves, in no time are more tokens given than the rate and one and a half seconds allow", () => {
    const step = fc.record({
      milliseconds: fc.integer({ min: 1, max: 3_000 }),
      member: fc.constantFrom("a", "b", "c", "d"),
      leaves: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 60 }), (steps, perSecond) => {
        let state: LimitState = EMPTY_STATE;
        let now = NOW;
        const given: { readonly at: number; readonly tokens: number }[] = [];
        for (const { milliseconds, member, leaves } of steps) {
          now += milliseconds;
          const { [member]: _, ...others } = state.members;
          state = { ...state, members: leaves ? others : { ...others, [member]: note({ epoch: state.epoch }) } };
          const begun = next(state, member, now, { set: { perSecond }, concurrency: 40 });
          if (begun === undefined) continue;
          const before = tokensOf(state);
          const more = Object.entries(tokensOf(begun)).map(([each, tokens = 0]) => tokens - (before[each] ?? 0));
          expect(Math.min(0, ...more)).toBe(0);
          given.push({ at: now, tokens: more.reduce((sum, each) => sum + each, 0) });
          state = { ...state, ...begun };
        }
        for (const [first, { at: from }] of given.entries()) {
          let sum = 0;
          for (const { at, tokens } of given.slice(first)) {
            sum += tokens;
            const seconds = (at - from) / 1_000;
            expect(sum).toBeLessThanOrEqual(perSecond * (seconds + 1.5) + 1);
          }
        }
      }),
    );
  });
});
