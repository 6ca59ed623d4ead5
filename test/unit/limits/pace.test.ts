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
  pace.set(0, { epoch: 1, perSecond: 20, tokens: undefined, factor: 1 });
  const times = starts(pace, 0, 10_000);
  const gaps = times.slice(1).map((time, position) => time - (times[position] ?? 0));
  expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThan(0.01);
  expect(times.length).toBeGreaterThan(195);
});

test("two environments do not start in lock-step", () => {
  const [a, b] = [0.2, 0.9].map((random) => {
    const pace = new Pace(() => random);
    pace.set(0, { epoch: 2, perSecond: 10, tokens: undefined, factor: 1 });
    return starts(pace, 0, 1_000)[0];
  });
  expect(a).not.toBe(b);
});

test("tokens are exact: a member uses those that came after the first share that it saw", () => {
  const pace = new Pace(() => 0);
  pace.set(0, { epoch: 3, perSecond: 1_000, tokens: 40, factor: 1 });
  expect(starts(pace, 1, 1_000)).toHaveLength(0);
  pace.set(1_000, { epoch: 4, perSecond: 1_000, tokens: 43, factor: 1 });
  expect(starts(pace, 1_001, 2_000)).toHaveLength(3);
});

test("unused tokens are lost when the next ones arrive", () => {
  const pace = new Pace(() => 0);
  pace.set(0, { epoch: 5, perSecond: 1_000, tokens: 0, factor: 1 });
  pace.set(1_000, { epoch: 6, perSecond: 1_000, tokens: 5, factor: 1 });
  pace.set(2_000, { epoch: 7, perSecond: 1_000, tokens: 7, factor: 1 });
  expect(starts(pace, 2_001, 3_000)).toHaveLength(2);
});

test("a start that did not happen is given back", () => {
  const pace = new Pace(() => 0);
  pace.set(0, { epoch: 8, perSecond: undefined, tokens: 0, factor: 1 });
  pace.set(1_000, { epoch: 9, perSecond: undefined, tokens: 1, factor: 1 });
  pace.take(1_000);
  expect(pace.nextAt(1_000)).toBe(Number.POSITIVE_INFINITY);
  pace.giveBack();
  expect(pace.nextAt(1_000)).toBe(1_000);
});
