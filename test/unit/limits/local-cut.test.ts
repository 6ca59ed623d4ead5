import { expect, test } from "vitest";
import { LocalCut } from "../../../shared/limits/local-cut.ts";

const throttle = { now: 1_000, startedAt: 900, inFlight: 7, perSecond: undefined, random: 0.5 };

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
