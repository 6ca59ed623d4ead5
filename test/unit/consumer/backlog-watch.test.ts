import { expect, onTestFinished, test, vi } from "vitest";
import { BacklogWatch } from "../../../shared/consumer/slots/backlog-watch.ts";
import { PATIENTLY } from "../../helpers/patience.ts";

function watching(visible: number | Error) {
  const clock = { now: 0 };
  const depth = vi.fn(async () => {
    if (visible instanceof Error) throw visible;
    return { visible, inFlight: 0, delayed: 0 };
  });
  const onKnown = vi.fn();
  const watch = new BacklogWatch({ depth }, () => clock.now, onKnown);
  const known = () => vi.waitFor(() => expect(onKnown).toHaveBeenCalled(), PATIENTLY);
  return { watch, clock, depth, onKnown, known };
}

test("the answer is no while nothing is known; the depth is asked for once, and its arrival is reported", async () => {
  const { watch, depth, known } = watching(50);
  expect(watch.fillsSlots(50, 100, false)).toBe(false);
  expect(watch.fillsSlots(50, 100, false)).toBe(false);
  await known();
  expect(depth).toHaveBeenCalledTimes(1);
  expect(watch.fillsSlots(50, 100, false)).toBe(true);
  // Nine messages for each ten slots fill them.
  expect(watch.fillsSlots(55, 100, false)).toBe(true);
  expect(watch.fillsSlots(56, 100, false)).toBe(false);
  const exact = watching(9);
  exact.watch.fillsSlots(10, 100, false);
  await exact.known();
  expect(exact.watch.fillsSlots(10, 100, false)).toBe(true);
});

test("messages that the slots have taken since the last answer are subtracted", async () => {
  const { watch, clock, known } = watching(100);
  watch.fillsSlots(50, 1_000, false);
  await known();
  // 50 slots have taken 25 messages in half a second, and 50 in a whole one.
  clock.now = 500;
  expect(watch.fillsSlots(50, 1_000, false)).toBe(true);
  expect(watch.fillsSlots(66, 700, false)).toBe(false);
  clock.now = 999;
  expect(watch.fillsSlots(50, 1_000, false)).toBe(true);
});

test("the depth is asked for again when the answer is a second old", async () => {
  const { watch, clock, depth, known } = watching(1_000);
  watch.fillsSlots(10, 1_000, false);
  await known();
  clock.now = 1_000;
  expect(watch.fillsSlots(10, 1_000, false)).toBe(true);
  expect(depth).toHaveBeenCalledTimes(2);
});

test("while the queue is being filled, a depth that was too small is asked for again after a quarter of a second", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { watch, clock, depth, onKnown, known } = watching(44);
  watch.fillsSlots(50, 1_000, true);
  await known();
  onKnown.mockClear();
  expect(watch.fillsSlots(50, 1_000, true)).toBe(false);
  expect(watch.fillsSlots(50, 1_000, true)).toBe(false);
  // Nothing else may ask while the tasks run.
  vi.advanceTimersByTime(250);
  expect(onKnown).toHaveBeenCalledTimes(1);
  clock.now = 250;
  expect(watch.fillsSlots(50, 1_000, true)).toBe(false);
  expect(depth).toHaveBeenCalledTimes(2);
});

test("there is no reminder after the end of the source, or of the invocation", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { watch, clock, depth, onKnown, known } = watching(44);
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

test("the answer is no from the moment at which the depth can no longer be read", async () => {
  const { watch, clock, depth, onKnown, known } = watching(1_000);
  watch.fillsSlots(1, 1_000, false);
  await known();
  expect(watch.fillsSlots(1, 1_000, false)).toBe(true);
  clock.now = 1_000;
  depth.mockRejectedValueOnce(new Error("down"));
  onKnown.mockClear();
  watch.fillsSlots(1, 1_000, false);
  await known();
  expect(watch.fillsSlots(1, 1_000, false)).toBe(false);
});

test("the answer is no if the depth cannot be read", async () => {
  const { watch, known } = watching(new Error("down"));
  watch.fillsSlots(1, 1_000, false);
  await known();
  expect(watch.fillsSlots(1, 1_000, false)).toBe(false);
});
