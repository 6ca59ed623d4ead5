import { beforeEach, describe, expect, test } from "vitest";
import { ProducerWatch, timeOf } from "../../../../cli/runs/stalled-source.ts";
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

let watch: ProducerWatch;
beforeEach(() => {
  watch = new ProducerWatch();
});

/** What is said at each second from one to another, with the second. */
function lines(from: number, to: number, run: Partial<RunRecord> = {}, inFlight = 0, failure?: string) {
  const said: [number, string][] = [];
  for (let second = from; second <= to; second++) {
    const line = watch.look({ now: NOW + second * 1_000, run: { ...RUN, ...run }, inFlight, failure });
    if (line !== undefined) said.push([second, line]);
  }
  return said;
}

describe("a run whose producer makes no progress", () => {
  test("is said to stand still after 15 s with nothing in flight, once", () => {
    expect(lines(0, 14)).toEqual([]);
    expect(lines(15, 100)).toEqual([
      [
        15,
        "No page was read for 15 s, and no task is in flight: the source is slow, or its producer was killed. " +
          "Another producer follows a killed one within 30 s.",
      ],
    ]);
  });

  test("is said to stand still with how an invocation failed", () => {
    expect(lines(0, 20, {}, 0, "test-producer crashed: signal SIGKILL")[0]?.[1]).toContain(
      "its producer was killed (the latest failure: test-producer crashed: signal SIGKILL).",
    );
  });

  test("is said so again after it has moved on", () => {
    expect(lines(0, 20)).toHaveLength(1);
    const moved = { checkpoint: { ...RUN.checkpoint, count: 4 } };
    expect(lines(21, 40, moved)).toMatchObject([[36, /No page/]]);
  });

  test.each([
    ["tasks are in flight", {}, 1],
    ["its source has ended", { checkpoint: { ...RUN.checkpoint, ended: true } }, 0],
    ["it is paused", { status: "paused" as const }, 0],
  ])("is not said so while %s", (_, run, inFlight) => {
    expect(lines(0, 100, run, inFlight)).toEqual([]);
  });

  test("is not said so while it waits for room in the queue, or after a failure", () => {
    for (let second = 0; second < 100; second += 10) {
      expect(lines(second, second + 9, { fullAt: { at: second, produced: 1, backlog: 1 } })).toEqual([]);
    }
    for (let failed = 1; failed < 5; failed++) {
      expect(lines(100 + failed * 10, 109 + failed * 10, { failedSlices: failed })).toEqual([]);
    }
  });
});

describe("a run whose source is to wait", () => {
  const wait = (seconds: number) => ({
    wait: { until: NOW + seconds * 1_000, since: NOW, count: 1, reason: "GET … answered\n429" },
  });

  test("says until when and why, once for each wait, and is not said to stand still", () => {
    expect(lines(0, 59, wait(60))).toEqual([
      [0, "The source asks to wait until 14:01:00, then the run goes on: GET … answered 429"],
    ]);
    expect(lines(60, 100, wait(3_600))).toEqual([[60, expect.stringContaining("until 15:00:00")]]);
  });

  test("is said to stand still if nothing happens once the wait is over", () => {
    lines(0, 59, wait(60));
    expect(lines(60, 100, wait(60))).toMatchObject([[75, /No page was read for 15 s/]]);
  });
});

test("a time on another day is told with its date", () => {
  expect(timeOf(NOW + 3_600_000, NOW)).toBe("15:00:00");
  expect(timeOf(NOW + 86_400_000, NOW)).toBe("2026-11-28 14:00:00");
});
