import { beforeEach, describe, expect, test } from "vitest";
import { StalledSource } from "../../../../cli/runs/stalled-source.ts";
import { timeOf } from "../../../../cli/screens/format.ts";
import { type RunRecord, readRunRow } from "../../../../shared/ledger/run-record.ts";

const NOW = new Date(2026, 10, 27, 14, 0, 0).getTime();

const RUN = readRunRow({
  id: "r1",
  workflow: "test",
  status: "running",
  requestedAt: "2026-11-27T13:00:00.000Z",
  checkpoints: 3,
  hop: 1,
  failedSlices: 0,
});

let source: StalledSource;
beforeEach(() => {
  source = new StalledSource();
});

/** The lines that are printed from one second to another, each with its second. */
function lines(from: number, to: number, run: Partial<RunRecord> = {}, inFlight = 0, failure?: string) {
  const said: [number, string][] = [];
  for (let second = from; second <= to; second++) {
    const line = source.check({ now: NOW + second * 1_000, run: { ...RUN, ...run }, inFlight, failure });
    if (line !== undefined) said.push([second, line]);
  }
  return said;
}

describe("a run that reads no more pages", () => {
  test("is reported once, after 15 s with no task in flight", () => {
    expect(lines(0, 14)).toEqual([]);
    expect(lines(15, 100)).toEqual([
      [
        15,
        "No page was read for 15 s, and no task is in flight. The source is slow, or the producer was killed. " +
          "If it was killed, another producer continues within 30 s.",
      ],
    ]);
  });

  test("is reported with the error of the latest failed invocation", () => {
    expect(lines(0, 20, {}, 0, "test-producer crashed: signal SIGKILL")[0]?.[1]).toContain(
      "the producer was killed (the latest failure: test-producer crashed: signal SIGKILL).",
    );
  });

  test("is reported with the time at which the read began, if a producer is reading", () => {
    source.check({ now: NOW, run: RUN, inFlight: 0, failure: undefined, readingSince: NOW - 2_000 });
    const state = { now: NOW + 15_000, run: RUN, inFlight: 0, failure: undefined, readingSince: NOW - 2_000 };
    expect(source.check(state)).toMatch(
      /^The source has not answered for 17 s: readPage was called at 13:59:58 and has not returned\. /,
    );
  });

  test("is reported again if it stops once more", () => {
    expect(lines(0, 20)).toHaveLength(1);
    const moved = { checkpoint: { ...RUN.checkpoint, count: 4 } };
    expect(lines(21, 40, moved)).toMatchObject([[36, /No page/]]);
  });

  test.each([
    ["tasks are in flight", {}, 1],
    ["its source has ended", { checkpoint: { ...RUN.checkpoint, ended: true } }, 0],
    ["it is paused", { status: "paused" as const }, 0],
  ])("is not reported while %s", (_, run, inFlight) => {
    expect(lines(0, 100, run, inFlight)).toEqual([]);
  });

  test("is not reported while it waits for room in the queue, or after a failure", () => {
    for (let second = 0; second < 100; second += 10) {
      expect(lines(second, second + 9, { fullAt: { at: second, produced: 1, backlog: 1 } })).toEqual([]);
    }
    for (let failed = 1; failed < 5; failed++) {
      expect(lines(100 + failed * 10, 109 + failed * 10, { failedSlices: failed })).toEqual([]);
    }
  });
});

describe("a run whose source must wait", () => {
  const wait = (seconds: number) => ({
    wait: { until: NOW + seconds * 1_000, since: NOW, count: 1, reason: "GET … answered\n429" },
  });

  test("says once for each wait until when and why, and is not reported as stalled", () => {
    expect(lines(0, 59, wait(60))).toEqual([
      [0, "The source asks to wait until 14:01:00. The run then continues. Reason: GET … answered 429"],
    ]);
    expect(lines(60, 100, wait(3_600))).toEqual([[60, expect.stringContaining("until 15:00:00")]]);
  });

  test("is reported as stalled if nothing happens after the wait", () => {
    lines(0, 59, wait(60));
    expect(lines(60, 100, wait(60))).toMatchObject([[75, /No page was read for 15 s/]]);
  });
});

test("a time on another day is printed with its date", () => {
  expect(timeOf(NOW + 3_600_000, NOW)).toBe("15:00:00");
  expect(timeOf(NOW + 86_400_000, NOW)).toBe("2026-11-28 14:00:00");
});
