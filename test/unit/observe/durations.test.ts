import { expect, test } from "vitest";
import { addDurations, countDuration, durationQuantiles } from "../../../shared/observe/durations.ts";

test("quantiles are at most 10 % above the exact ones", () => {
  const counts: Record<number, number> = {};
  for (let milliseconds = 1; milliseconds <= 1_000; milliseconds++) countDuration(counts, milliseconds);
  const exact = [500, 950, 990];
  const found = durationQuantiles(counts, [0.5, 0.95, 0.99]) ?? [];
  for (const [index, milliseconds] of exact.entries()) {
    expect(found[index]).toBeGreaterThanOrEqual(milliseconds);
    expect(found[index]).toBeLessThanOrEqual(milliseconds * 1.1);
  }
});

test("the durations of two reports are added", () => {
  const counts: Record<number, number> = {};
  countDuration(counts, 0);
  addDurations(counts, { 0: 2, 50: 3 });
  expect(counts).toEqual({ 0: 3, 50: 3 });
  expect(durationQuantiles(counts, [0.5, 0.99])).toEqual([1, 117]);
});

test("without durations there are no quantiles", () => expect(durationQuantiles({}, [0.5])).toBeUndefined());
