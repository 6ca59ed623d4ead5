import { expect, test } from "vitest";
import { longestWait, mostUnrecorded, mostWaiting } from "../../../shared/consumer/outcomes/recording-limits.ts";
import {
  noPlaceDelay,
  notStartedDelay,
  outageDelay,
  pauseDelay,
  tooLateDelay,
} from "../../../shared/consumer/outcomes/return-delays.ts";
import { MeanDuration } from "../../../shared/consumer/slots/mean-duration.ts";

const receives = [1, 2, 3, 4, 5, 6, 20];

test("messages of a paused run are hidden for a quarter of the pause, from five seconds to ten minutes", () => {
  expect([0, 20_000, 40_000, 2_400_000, 2_500_000].map(pauseDelay)).toEqual([5_000, 5_000, 10_000, 600_000, 600_000]);
});

test("a message without a process is hidden for two seconds, and twice as long at each receive, up to half a minute", () => {
  expect(receives.map(notStartedDelay)).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test("a message that came too late is tried by another consumer at once, and then less often", () => {
  expect(receives.map(tooLateDelay)).toEqual([0, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

test("a suspect without a place waits for a second, and at random for up to one timeout more", () => {
  expect([0, 0.5, 1].map((random) => noPlaceDelay(10_000, random))).toEqual([1_000, 6_000, 11_000]);
});

test("an outage hides messages for up to five minutes, and brings them back spread over half of that time", () => {
  expect([1, 2, 3, 8, 9].map((receive) => outageDelay(receive, 0))).toEqual([2_000, 4_000, 8_000, 256_000, 300_000]);
  expect(outageDelay(9, 1)).toBe(150_000);
  expect(outageDelay(9, 0.5)).toBe(225_000);
});

test("four outcomes for each slot may be unrecorded, and three quarters of them may wait", () => {
  expect([1, 2, 3, 10].map(mostUnrecorded)).toEqual([10, 10, 12, 40]);
  expect(mostWaiting(10)).toBe(30);
});

test("outcomes wait as long as eight tasks take, from a quarter of a second to five seconds", () => {
  expect([0, 30, 50, 100, 625, 1_000].map(longestWait)).toEqual([250, 250, 400, 800, 5_000, 5_000]);
});

test("the mean duration begins with the first attempt, and follows the later ones", () => {
  const mean = new MeanDuration();
  expect(mean.milliseconds).toBeUndefined();
  mean.add(100);
  expect(mean.milliseconds).toBe(100);
  mean.add(200);
  expect(mean.milliseconds).toBeCloseTo(110);
  mean.add(10);
  expect(mean.milliseconds).toBeCloseTo(100);
});
