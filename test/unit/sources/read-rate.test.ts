import { expect, test } from "vitest";
import { ReadRate } from "../../../shared/sources/read-rate.ts";

test("the first request reads an item for each unit, and the next ones as many as the units of a second", () => {
  const rate = new ReadRate(10);
  expect(rate.limit()).toBe(10);
  expect(rate.consumed(5, 10)).toBe(500);
  expect(rate.limit()).toBe(20);
});

test("a request that consumed more than the longest pause covers is made up for by the next pauses", () => {
  const rate = new ReadRate(1);
  expect(rate.consumed(50, 1)).toBe(20_000);
  expect(rate.consumed(1, 1)).toBe(20_000);
  expect(rate.consumed(1, 1)).toBe(12_000);
  expect(rate.consumed(1, 1)).toBe(1_000);
});
