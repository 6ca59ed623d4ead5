import { expect, test, vi } from "vitest";
import { BacklogWatch } from "../../../shared/consumer/backlog-watch.ts";

function watching(visible: number | Error) {
  const clock = { now: 0 };
  const depth = vi.fn(async () => {
    if (visible instanceof Error) throw visible;
    return { visible, inFlight: 0, delayed: 0 };
  });
  const onKnown = vi.fn();
  const watch = new BacklogWatch({ depth }, () => clock.now, onKnown);
  const known = () => vi.waitFor(() => expect(onKnown).toHaveBeenCalled());
  return { watch, clock, depth, known };
}

test("what is not known yet is no, is asked for once, and its answer is told of", async () => {
  const { watch, depth, known } = watching(50);
  expect(watch.fillsSlots(50, 100)).toBe(false);
  expect(watch.fillsSlots(50, 100)).toBe(false);
  await known();
  expect(depth).toHaveBeenCalledTimes(1);
  expect(watch.fillsSlots(50, 100)).toBe(true);
  expect(watch.fillsSlots(51, 100)).toBe(false);
});

test("what the slots have taken since is no longer there", async () => {
  const { watch, clock, known } = watching(100);
  watch.fillsSlots(50, 1_000);
  await known();
  // 50 slots have taken 25 messages in half a second, and 50 in a whole one.
  clock.now = 500;
  expect(watch.fillsSlots(50, 1_000)).toBe(true);
  expect(watch.fillsSlots(60, 700)).toBe(false);
  clock.now = 999;
  expect(watch.fillsSlots(50, 1_000)).toBe(true);
});

test("is asked for anew when it is a second old", async () => {
  const { watch, clock, depth, known } = watching(1_000);
  watch.fillsSlots(10, 1_000);
  await known();
  clock.now = 1_000;
  expect(watch.fillsSlots(10, 1_000)).toBe(true);
  expect(depth).toHaveBeenCalledTimes(2);
});

test("what cannot be found out is no", async () => {
  const { watch, known } = watching(new Error("down"));
  watch.fillsSlots(1, 1_000);
  await known();
  expect(watch.fillsSlots(1, 1_000)).toBe(false);
});
