import { expect, test } from "vitest";
import { Pace } from "../../../shared/limits/pace.ts";

/** Starts as early as the pace allows, from `from` to `to`, and returns the times. */
function starts(pace: Pace, from: number, to: number): readonly number[] {
  const times: number[] = [];
  for (let now = from; ; ) {
    const next = pace.nextAt(now);
    if (next > to) return times;
    now = next;
    pace.take(now);
    times.push(now);
  }
}

test("starts are even at the share's rate", () => {
  const pace = new Pace(() => 0.5);
  pace.set(0, { perSecond: 20, tokens: undefined, givenAt: 1, factor: 1 });
  const times = starts(pace, 0, 10_000);
  const gaps = times.slice(1).map((time, position) => time - (times[position] ?? 0));
  expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThan(0.01);
  expect(times.length).toBeGreaterThan(195);
});

test("two environments do not start in lock-step", () => {
  const [a, b] = [0.2, 0.9].map((random) => {
    const pace = new Pace(() => random);
    pace.set(0, { perSecond: 10, tokens: undefined, givenAt: 2, factor: 1 });
    return starts(pace, 0, 1_000)[0];
  });
  expect(a).not.toBe(b);
});

test("tokens are exact: a member uses what it was given since its latest look", () => {
  const pace = new Pace(() => 0);
  pace.set(0, { perSecond: 1_000, tokens: 4, givenAt: 3, factor: 1 });
  expect(starts(pace, 1, 1_000)).toHaveLength(4);
  pace.set(1_000, { perSecond: 1_000, tokens: 7, givenAt: 4, factor: 1 });
  expect(starts(pace, 1_001, 2_000)).toHaveLength(3);
});

test("tokens stay when the limit is only divided anew", () => {
  const pace = new Pace(() => 0);
  pace.set(0, { perSecond: 1_000, tokens: 4, givenAt: 3, factor: 1 });
  expect(starts(pace, 1, 101.5)).toHaveLength(1);
  pace.set(500, { perSecond: 500, tokens: 4, givenAt: 3, factor: 1 });
  expect(starts(pace, 501, 1_000)).toHaveLength(3);
});

test("a member without a share for some time does not use the tokens of before again", () => {
  const pace = new Pace(() => 0);
  pace.set(0, { perSecond: 1_000, tokens: 40, givenAt: 1, factor: 1 });
  pace.set(1_000, { perSecond: undefined, tokens: undefined, givenAt: 2, factor: 1 });
  pace.set(2_000, { perSecond: 1_000, tokens: 42, givenAt: 3, factor: 1 });
  expect(starts(pace, 2_001, 3_000)).toHaveLength(2);
});

test("unused tokens are lost when the next ones arrive", () => {
  const pace = new Pace(() => 0);
  pace.set(0, { perSecond: 1_000, tokens: 0, givenAt: 5, factor: 1 });
  pace.set(1_000, { perSecond: 1_000, tokens: 5, givenAt: 6, factor: 1 });
  pace.set(2_000, { perSecond: 1_000, tokens: 7, givenAt: 7, factor: 1 });
  expect(starts(pace, 2_001, 3_000)).toHaveLength(2);
});

test("a start that did not happen is given back", () => {
  const pace = new Pace(() => 0);
  pace.set(0, { perSecond: undefined, tokens: 0, givenAt: 8, factor: 1 });
  pace.set(1_000, { perSecond: undefined, tokens: 1, givenAt: 9, factor: 1 });
  pace.take(1_000);
  expect(pace.nextAt(1_000)).toBe(Number.POSITIVE_INFINITY);
  pace.giveBack();
  expect(pace.nextAt(1_000)).toBe(1_000);
});
