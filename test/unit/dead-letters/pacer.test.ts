import { expect, test } from "vitest";
import { Pacer } from "../../../shared/dead-letters/pacer.ts";

/** When each of the given number of steps may begin. */
async function steps(ratePerSecond: number | undefined, deadLetters: number, count: number): Promise<number[]> {
  let now = 0;
  const sleep = async (milliseconds: number) => {
    now += milliseconds;
  };
  const pacer = new Pacer({ ratePerSecond, now: () => now, sleep });
  const at: number[] = [];
  for (let step = 0; step < count; step++) {
    expect(await pacer.wait(deadLetters)).toBe(true);
    at.push(now);
  }
  return at;
}

test("Dead letters are moved at the given rate", async () => {
  expect(await steps(10, 5, 4)).toEqual([0, 500, 1_000, 1_500]);
  expect(await steps(0.5, 1, 3)).toEqual([0, 2_000, 4_000]);
  expect(await steps(undefined, 80, 3)).toEqual([0, 0, 0]);
});

test.each([
  [undefined, 80],
  [1_000, 80],
  [20, 10],
  [3, 1],
  [0.1, 1],
])("At a rate of %d per second, a step has %i dead letters", (ratePerSecond, step) => {
  expect(new Pacer({ ratePerSecond, now: Date.now }).step).toBe(step);
});

test("A wait ends when the signal fires", async () => {
  const controller = new AbortController();
  const pacer = new Pacer({ ratePerSecond: 0.001, signal: controller.signal, now: () => 0 });
  expect(await pacer.wait(1)).toBe(true);
  const waiting = pacer.wait(1);
  controller.abort();
  expect(await waiting).toBe(false);
  expect(await pacer.wait(1)).toBe(false);
});
