import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { residentMb, residentMbIn, watchMemory } from "../../../shared/consumer/attempts/memory-watch.ts";

const onLinux = test.runIf(process.platform === "linux");

beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }));
afterEach(() => void vi.useRealTimers());

onLinux("the resident memory of a process is known in MB", () => {
  const megabytes = residentMb(process.pid) ?? 0;
  expect(Number.isInteger(megabytes)).toBe(true);
  const expected = process.memoryUsage.rss() / 2 ** 20;
  expect(Math.abs(megabytes - expected)).toBeLessThan(0.5 * expected);
});

test("the memory of a process that is not there is not known", () => {
  // https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html: no process has a number above 2²².
  expect(residentMb(2 ** 22 + 1)).toBeUndefined();
  expect(residentMb(undefined)).toBeUndefined();
});

test("the memory of a process is known in whole MB, and not after it has ended", () => {
  expect(residentMbIn("Name:\tnode\nVmHWM:\t9999 kB\nVmRSS:\t    2049 kB\nThreads:\t7\n")).toBe(3);
  expect(residentMbIn("Name:\tnode\nState:\tZ (zombie)\nThreads:\t1\n")).toBeUndefined();
});

onLinux("a process that takes more than its limit is reported once", () => {
  const exceeded = vi.fn();
  watchMemory(process.pid, 1, exceeded);
  vi.advanceTimersByTime(49);
  expect(exceeded).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(exceeded).toHaveBeenCalledExactlyOnceWith(expect.any(Number));
  expect(exceeded.mock.calls[0]?.[0]).toBeGreaterThan(1);
  vi.advanceTimersByTime(1_000);
  expect(exceeded).toHaveBeenCalledTimes(1);
  expect(vi.getTimerCount()).toBe(0);
});

test.each([
  ["takes less than its limit", process.pid],
  ["is not there", 2 ** 22 + 1],
])("a process that %s is not reported, and the watch ends when it is told to", (_, pid) => {
  const exceeded = vi.fn();
  const unwatch = watchMemory(pid, 1_000_000, exceeded);
  vi.advanceTimersByTime(1_000);
  expect(exceeded).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(1);
  unwatch();
  expect(vi.getTimerCount()).toBe(0);
});
