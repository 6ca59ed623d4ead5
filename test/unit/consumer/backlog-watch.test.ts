import { expect, onTestFinished, test, vi } from "vitest";
import { BacklogWatch } from "../../../shared/consumer/slots/backlog-watch.ts";

function watching(visible: number | Error) {
  const clock = { now: 0 };
  const depth = vi.fn(async () => {
    if (visible instanceof Error) throw visible;
    return { visible, inFlight: 0, delayed: 0 };
  });
  const onKnown = vi.fn();
  const watch = new BacklogWatch({ depth }, () => clock.now, onKnown);
  const known = () => vi.waitFor(() => expect(onKnown).toHaveBeenCalled());
  return { watch, clock, depth, onKnown, known };
}

test("what is not known yet is no, is asked for once, and its answer is told of", async () => {
  const { watch, depth, known } = watching(50);
  expect(watch.fillsSlots(50, 100, false)).toBe(false);
  expect(watch.fillsSlots(50, 100, false)).toBe(false);
  await known();
  expect(depth).toHaveBeenCalledTimes(1);
  expect(watch.fillsSlots(50, 100, false)).toBe(true);
  expect(watch.fillsSlots(51, 100, false)).toBe(false);
});

test("what the slots have taken since is no longer there", async () => {
  const { watch, clock, known } = watching(100);
  watch.fillsSlots(50, 1_000, false);
  await known();
  // 50 slots have taken 25 messages in half a second, and 50 in a whole one.
  clock.now = 500;
  expect(watch.fillsSlots(50, 1_000, false)).toBe(true);
  expect(watch.fillsSlots(60, 700, false)).toBe(false);
  clock.now = 999;
  expect(watch.fillsSlots(50, 1_000, false)).toBe(true);
});

test("is asked for anew when it is a second old", async () => {
  const { watch, clock, depth, known } = watching(1_000);
  watch.fillsSlots(10, 1_000, false);
  await known();
  clock.now = 1_000;
  expect(watch.fillsSlots(10, 1_000, false)).toBe(true);
  expect(depth).toHaveBeenCalledTimes(2);
});

test("one that was too small is asked for again in a quarter of a second, while the queue is being filled", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { watch, clock, depth, onKnown, known } = watching(49);
  watch.fillsSlots(50, 1_000, true);
  await known();
  onKnown.mockClear();
  expect(watch.fillsSlots(50, 1_000, true)).toBe(false);
  expect(watch.fillsSlots(50, 1_000, true)).toBe(false);
  // Nobody else may ask for as long as the tasks take.
  vi.advanceTimersByTime(250);
  expect(onKnown).toHaveBeenCalledTimes(1);
  clock.now = 250;
  expect(watch.fillsSlots(50, 1_000, true)).toBe(false);
  expect(depth).toHaveBeenCalledTimes(2);
});

test("and only then: with the end of the source, or of the invocation, nobody is reminded", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { watch, clock, depth, onKnown, known } = watching(49);
  watch.fillsSlots(50, 1_000, false);
  await known();
  onKnown.mockClear();
  watch.fillsSlots(50, 1_000, false);
  vi.advanceTimersByTime(10_000);
  clock.now = 999;
  watch.fillsSlots(50, 1_000, false);
  expect(depth).toHaveBeenCalledTimes(1);
  clock.now = 200;
  watch.fillsSlots(50, 1_000, true);
  watch.end();
  vi.advanceTimersByTime(10_000);
  expect(onKnown).not.toHaveBeenCalled();
});

test("what cannot be found out is no", async () => {
  const { watch, known } = watching(new Error("down"));
  watch.fillsSlots(1, 1_000, false);
  await known();
  expect(watch.fillsSlots(1, 1_000, false)).toBe(false);
});
