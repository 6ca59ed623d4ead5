import { expect, test } from "vitest";
import { batchesOf } from "../../../shared/base/batches.ts";

test("A list is divided in its order, and only the last batch can have fewer entries", () => {
  expect([...batchesOf([1, 2, 3, 4, 5], 2)]).toEqual([[1, 2], [3, 4], [5]]);
  expect([...batchesOf([1, 2, 3, 4], 2)]).toEqual([
    [1, 2],
    [3, 4],
  ]);
  expect([...batchesOf([1], 2)]).toEqual([[1]]);
});

test("An empty list has no batches, so nobody makes a request without entries", () => {
  expect([...batchesOf([], 2)]).toEqual([]);
});
