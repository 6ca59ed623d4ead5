import { expect, test } from "vitest";
import { LocalCut } from "../../../shared/limits/local-cut.ts";

const throttle = {
  now: 1_000,
  startedAt: 900,
  inFlight: 7,
  perSecond: undefined,
  safeSlots: 0,
  safePart: 1,
  random: 0.5,
};

test("a throttle lowers the slots to the accepted attempts in flight", () => {
  const cut = new LocalCut();
  cut.throttled(throttle);
  expect(cut.slots).toBe(7);
});

test("throttles in a row lower the slots faster and faster, but never below 1", () => {
  const cut = new LocalCut();
  for (let count = 0; count < 5; count++) {
    const now = 1_000 + 100 * count;
    cut.throttled({ ...throttle, now, startedAt: now, inFlight: 20 - count });
  }
  expect(cut.slots).toBe(1);
});

test("attempts that were under way when the cut began do not count again", () => {
  const cut = new LocalCut();
  cut.throttled({ ...throttle, perSecond: 10 });
  const { factor, until } = cut;
  cut.throttled({ ...throttle, now: 1_010, perSecond: 10 });
  expect(cut.factor).toBe(factor);
  expect(cut.until).toBe(until);
});

test("the cut ends when the shares of an epoch arrive that has counted the throttle, and not before", () => {
  const cut = new LocalCut();
  cut.throttled(throttle);
  cut.endReport(4);
  expect(cut.slots).toBe(7);
  cut.beginReport();
  cut.endReport(4);
  cut.endReport(4);
  expect(cut.slots).toBe(7);
  cut.endReport(5);
  expect(cut.slots).toBe(Number.POSITIVE_INFINITY);
});

test("a throttle between a report and its answer is in the next report", () => {
  const cut = new LocalCut();
  cut.throttled(throttle);
  cut.beginReport();
  cut.throttled({ ...throttle, now: 1_200, startedAt: 1_100 });
  cut.endReport(4);
  cut.endReport(5);
  expect(cut.slots).not.toBe(Number.POSITIVE_INFINITY);
});

test("what the service accepted in flight is found, whatever the cut is", () => {
  const cut = new LocalCut();
  expect(cut.found).toBeUndefined();
  cut.throttled({ ...throttle, inFlight: 9 });
  // The attempts that started with this one are answered one by one.
  cut.throttled({ ...throttle, now: 1_005, inFlight: 8 });
  expect(cut.found).toBe(8);
  cut.throttled({ ...throttle, now: 1_200, startedAt: 1_100, inFlight: 10 });
  expect(cut.found).toBe(10);
});

test("until the fleet has a limit, accepted attempts raise the slots again", () => {
  const cut = new LocalCut();
  cut.throttled(throttle);
  for (let count = 0; count < 8; count++) cut.accepted(1_050, false);
  expect(cut.slots).toBe(8);
});

test("with a limit in force, accepted attempts bring the rate back to what is safe, and not above it", () => {
  const cut = new LocalCut();
  for (let count = 0; count < 4; count++) {
    const now = 1_000 + 100 * count;
    cut.throttled({ ...throttle, now, startedAt: now, perSecond: 10, safePart: 0.9 });
  }
  const { factor } = cut;
  for (let count = 0; count < 100; count++) cut.accepted(2_000, true);
  expect(cut.factor).toBeGreaterThan(factor);
  expect(cut.factor).toBeCloseTo(0.9);
});

test("the first throttle of a probe returns to what is safe", () => {
  const cut = new LocalCut();
  cut.throttled({ ...throttle, perSecond: 10, safePart: 0.9 });
  expect(cut.factor).toBeCloseTo(0.9);
});
