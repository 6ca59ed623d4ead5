import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addWait,
  countWaits,
  lastWait,
  nextWaitMilliseconds,
  type WaitRecord,
  type Waits,
} from "../../../shared/base/waits.ts";

const HOUR = 3_600_000;

const wait = (endedAt: number, milliseconds: number, more: Partial<WaitRecord> = {}): WaitRecord => ({
  kind: "retryLater",
  note: { at: new Date(endedAt).toISOString(), name: "RetryLater", message: `at ${endedAt}`, milliseconds },
  receive: 1,
  startedAt: endedAt,
  endedAt,
  ...more,
});

function added(waits: readonly WaitRecord[], atMost = Number.POSITIVE_INFINITY): Waits {
  const all = waits.reduce<Waits | undefined>((before, next) => addWait(before, next, atMost).waits, undefined);
  if (all === undefined) throw new Error("there is none");
  return all;
}

test("waits of each kind are counted, and the first and the last one are stored", () => {
  const all = [
    wait(0, 5),
    wait(10, 5, { kind: "throttled" }),
    wait(20, 5),
    wait(30, 5, { kind: "throttled", receive: 4 }),
  ];
  const waits = added(all);
  expect(waits).toEqual({
    retryLater: { count: 2, first: all[0]?.note, last: all[2]?.note },
    throttled: { count: 2, first: all[1]?.note, last: all[3]?.note },
    milliseconds: 20,
    until: 35,
    receive: 4,
  });
  expect(countWaits(waits)).toBe(4);
  expect(lastWait(waits)?.message).toBe("at 30");
  expect(countWaits(undefined)).toBe(0);
});

test("the clock starts when an attempt first ends in a wait", () => {
  expect(added([wait(50_000, 10, { startedAt: 0 })]).milliseconds).toBe(10);
});

test("the clock counts waits and attempts that ended in a wait, but no time in the queue", () => {
  const waits = added([
    wait(0, 1_000),
    // 100 h later, its message was queued or its run was paused; then an attempt of 5 s.
    wait(100 * HOUR + 5_000, 2_000, { startedAt: 100 * HOUR }),
  ]);
  expect(waits.milliseconds).toBe(1_000 + 5_000 + 2_000);
});

test("if two messages of one item wait at once, both waits are counted, and their time once", () => {
  const waits = added([wait(0, 10_000), wait(1_000, 10_000, { receive: 2 })]);
  expect(waits).toMatchObject({ milliseconds: 11_000, until: 11_000 });
  expect(countWaits(waits)).toBe(2);
});

test("an item waits up to the limit; a wait beyond it is counted, but the item does not wait", () => {
  const before = added([wait(0, 20 * HOUR)]);
  const at = before.until;
  expect(addWait(before, wait(at, 4 * HOUR), 24 * HOUR)).toMatchObject({
    exceeds: false,
    waits: { milliseconds: 24 * HOUR },
  });
  expect(addWait(before, wait(at, 4 * HOUR + 1), 24 * HOUR)).toMatchObject({
    exceeds: true,
    waits: { milliseconds: 20 * HOUR, until: at, retryLater: { count: 2 } },
  });
  expect(addWait(undefined, wait(0, HOUR + 1), HOUR).exceeds).toBe(true);
});

test("waits take the same space however many there are, and no time is counted twice", () => {
  const step = fc.record({
    pause: fc.nat(100_000),
    attempt: fc.nat(1_000),
    milliseconds: fc.nat(100_000),
    kind: fc.constantFrom("throttled" as const, "retryLater" as const),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 200 }), (steps) => {
      let now = 0;
      let before: Waits | undefined;
      let largest = 0;
      for (const { pause, attempt, milliseconds, kind } of steps) {
        const startedAt = now + pause;
        now = startedAt + attempt;
        before = addWait(before, wait(now, milliseconds, { startedAt, kind }), Number.POSITIVE_INFINITY).waits;
        largest = Math.max(largest, JSON.stringify(before).length);
        expect(before.milliseconds).toBeLessThanOrEqual(before.until);
      }
      expect(countWaits(before)).toBe(steps.length);
      expect(largest).toBeLessThan(1_000);
    }),
  );
});

test.each([
  ["RetryLater waits for what it asks, whatever the backoff says", "retryLater", 30_000, 500, 30_000],
  ["Throttled waits for what it asks, and then a backoff", "throttled", 30_000, 1_500, 32_000],
  ["without a wait, the backoff decides", "throttled", undefined, 4_000, 4_000],
  ["without a wait, the backoff decides of RetryLater, too", "retryLater", undefined, 4_000, 4_000],
  ["a wait is rounded up to whole seconds", "retryLater", 1_001, 0, 2_000],
  ["no wait is shorter than a second", "retryLater", 0, 0, 1_000],
  ["no throttle is shorter than a second", "throttled", undefined, 0, 1_000],
] as const)("%s", (_what, kind, afterMilliseconds, backoff, milliseconds) => {
  expect(nextWaitMilliseconds({ kind, afterMilliseconds }, backoff)).toBe(milliseconds);
});
