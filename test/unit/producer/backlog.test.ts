import { describe, expect, test } from "vitest";
import { largestMaxBacklog } from "../../../shared/definition/queued-messages.ts";
import type { BacklogSample } from "../../../shared/ledger/run-record.ts";
import { backlogPauseMilliseconds, backlogWithoutPausedRuns } from "../../../shared/producer/backlog.ts";

const NOW = 1_000_000_000;

describe("messages of paused runs", () => {
  const concurrency = 50;
  const maxBacklog = 10_000;
  const counted = (backlog: number, paused: number) =>
    backlogWithoutPausedRuns(backlog, paused, { maxBacklog, concurrency });
  const room = largestMaxBacklog(concurrency) - maxBacklog;

  test("do not count", () => {
    expect(counted(500, 200)).toBe(300);
    expect(counted(room, room)).toBe(0);
    // The ledger knows of more pending items than SQS counts messages.
    expect(counted(500, 600)).toBe(0);
  });

  test("count as far as the queue could otherwise hold more messages than it may", () => {
    expect(counted(room + 7, room + 7)).toBe(7);
    expect(counted(room + maxBacklog, room + maxBacklog)).toBe(maxBacklog);
  });
});

describe("the pause of a full queue", () => {
  const now = { at: NOW, produced: 2_000, backlog: 1_000 };
  /** An earlier sample. Since then, this many items were processed and none was produced. */
  const sampleBefore = (seconds: number, processed: number): BacklogSample => ({
    at: NOW - seconds * 1_000,
    produced: now.produced,
    backlog: now.backlog + processed,
  });
  const pause = (...earlier: (BacklogSample | undefined)[]) => backlogPauseMilliseconds(1_000, now, earlier);

  test("lasts until half of maxBacklog is processed, at the pace since the earlier sample", () => {
    // 1,000 items were processed in 20 s, so 500 more take 10 s.
    expect(pause(sampleBefore(20, 1_000))).toBe(10_000);
    expect(pause(sampleBefore(20, 5_000))).toBe(2_000);
    expect(backlogPauseMilliseconds(1_000, { ...now, backlog: 1_100 }, [sampleBefore(20, 1_100)])).toBe(12_000);
  });

  test("takes items into account that were produced since then", () => {
    // The backlog grew by 600, although 1,600 items were produced.
    expect(pause({ at: NOW - 20_000, produced: 400, backlog: 400 })).toBe(10_000);
  });

  test("is at most twice as long as the observation of the pace", () => {
    expect(pause(sampleBefore(5, 1))).toBe(10_000);
    expect(pause(sampleBefore(5, 249))).toBe(10_000);
    expect(pause(sampleBefore(5, 251))).toBe(9_000);
  });

  test("is twice as long as the observation if no item was processed", () => {
    expect(pause(sampleBefore(4, 0))).toBe(8_000);
    // Another run, or redriven items, filled the queue.
    expect(pause(sampleBefore(4, -300))).toBe(8_000);
  });

  test("is between a second and a minute", () => {
    expect(pause(sampleBefore(1, 1_000_000))).toBe(1_000);
    expect(pause(sampleBefore(31, 1))).toBe(60_000);
    expect(pause(sampleBefore(0, 0))).toBe(1_000);
    // The clock was set back.
    expect(pause(sampleBefore(-60, 100))).toBe(1_000);
  });

  test("is rounded down to whole seconds, like visibility timeouts", () => {
    expect(pause(sampleBefore(20, 1_020))).toBe(9_000);
  });

  test("is one second without an earlier sample, or if the run may have been paused since that sample", () => {
    expect(pause()).toBe(1_000);
    expect(pause(undefined)).toBe(1_000);
    expect(pause(sampleBefore(301, 1_000))).toBe(1_000);
    expect(pause(sampleBefore(300, 3_000))).toBe(50_000);
    expect(pause(sampleBefore(301, 1_000), sampleBefore(4, 0))).toBe(8_000);
  });
});

/** A simulated run: sending takes no time, and the consumers have a constant pace once they have started. */
function simulate(setting: { maxBacklog: number; page: number; items: number; pace: number; warmUpSeconds: number }) {
  const { maxBacklog, page, items, pace, warmUpSeconds } = setting;
  let at = NOW;
  let produced = 0;
  let backlog = 0;
  let idleSeconds = 0;
  let slices = 0;
  let fullAt: BacklogSample | undefined;
  while (produced < items) {
    const first = { at, produced, backlog };
    for (; backlog < maxBacklog; backlog += page) produced += page;
    slices++;
    const sample = { at, produced, backlog };
    const pauseSeconds = backlogPauseMilliseconds(maxBacklog, sample, [fullAt, first]) / 1_000;
    fullAt = sample;
    const warmUp = Math.min(pauseSeconds, Math.max(0, warmUpSeconds - (at - NOW) / 1_000));
    const busySeconds = Math.min(pauseSeconds - warmUp, backlog / pace);
    idleSeconds += pauseSeconds - warmUp - busySeconds;
    backlog -= Math.min(backlog, Math.round(busySeconds * pace));
    at += pauseSeconds * 1_000;
  }
  return { idleSeconds, slices };
}

describe("consumers are not idle, and few invocations find the queue full, with", () => {
  test.for([
    { name: "a bound of one page", maxBacklog: 200, page: 200, items: 100_000, pace: 20, warmUpSeconds: 0 },
    { name: "a bound of less than a page", maxBacklog: 100, page: 200, items: 100_000, pace: 20, warmUpSeconds: 0 },
    { name: "a bound of many pages", maxBacklog: 10_000, page: 200, items: 1_000_000, pace: 300, warmUpSeconds: 0 },
    { name: "consumers that start slowly", maxBacklog: 200, page: 200, items: 100_000, pace: 50, warmUpSeconds: 9 },
  ])("$name", (setting) => {
    const { idleSeconds, slices } = simulate(setting);
    const seconds = setting.items / setting.pace;
    expect(idleSeconds).toBeLessThan(0.01 * seconds);
    // One pause for each half of maxBacklog, and a few more until the right length is found.
    expect(slices).toBeLessThan((3 * setting.items) / setting.maxBacklog);
  });
});
