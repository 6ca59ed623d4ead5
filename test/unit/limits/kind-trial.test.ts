import { describe, expect, test } from "vitest";
import type { EpochTotals } from "../../../shared/limits/controller.ts";
import { FIRST_STATE } from "../../../shared/limits/controller-state.ts";
import { isOtherKind } from "../../../shared/limits/limit-kind.ts";
import { measure } from "../../../shared/limits/measured.ts";
import { NO_REPORT } from "../../../shared/limits/report.ts";
import { ControllerRun, OPTIONS } from "../../helpers/controller-run.ts";

const QUIET = { throttled: 0, contradictions: 0 };

/** A fleet that holds the slots at which nothing is refused: 15 for 50/s. */
function holding(perSecond = 50): ControllerRun {
  const run = new ControllerRun();
  run.epoch(perSecond);
  run.epoch(perSecond, { found: 1 });
  run.epoch(perSecond, {}, { ...QUIET, throttled: 1 });
  expect(run.state).toMatchObject({ phase: "hold", kind: "slots", isTried: false });
  return run;
}

/** The same, a moment after its trial has begun. */
function trying(perSecond = 50): ControllerRun {
  const run = holding(perSecond);
  for (let epoch = 0; epoch < 3; epoch++) run.epoch(perSecond, {}, QUIET);
  expect(run.state?.phase).toBe("trial");
  return run;
}

describe("a trial", () => {
  test("begins after two seconds at the same slots, at the rate that they gave", () => {
    const run = holding();
    run.epoch(50, {}, QUIET);
    expect(run.limit.perSecond).toBeUndefined();
    run.epoch(50, {}, QUIET);
    run.epoch(50, {}, QUIET);
    expect(run.limit.perSecond).toBeGreaterThan(45);
    expect(run.limit.perSecond).toBeLessThan(55);
  });

  test("begins at once if a throttle at these slots comes first", () => {
    const run = holding();
    run.epoch(50, {}, { ...QUIET, throttled: 1 });
    expect(run.state?.phase).toBe("trial");
  });

  test("that is not refused for 3.5 s shows that the service limits a rate, which is searched for at once", () => {
    const run = trying();
    const { level = 0 } = run.state ?? {};
    for (let epoch = 0; epoch < 2; epoch++) run.epoch(1e9, {}, QUIET);
    expect(run.state?.phase).toBe("trial");
    run.epoch(1e9, {}, QUIET);
    expect(run.state).toMatchObject({ kind: "rate", phase: "search", doubt: 1 });
    expect((run.limit.perSecond ?? 0) / level).toBeCloseTo(1.4, 1);
    // The rate of the trial was too low. What is accepted while more is refused is what the service bears.
    while (run.state?.phase === "search") run.epoch(80, {}, { contradictions: 0, started: run.limit.perSecond ?? 0 });
    expect(run.limit.perSecond).toBeGreaterThan(75);
    expect(run.limit.perSecond).toBeLessThan(81);
  });

  test("that is refused shows that the service limits slots: the ceiling from before is in force again, and the next trial needs more evidence", () => {
    const before = holding().state?.ceiling;
    const run = trying();
    const { budget = 0 } = run.state ?? {};
    run.epoch(1e9, {}, { ...QUIET, throttled: 3 });
    expect(run.state).toMatchObject({ kind: "slots", phase: "hold", ceiling: before });
    expect(run.state?.doubt).toBeGreaterThan(1.5);
    expect(run.limit).toMatchObject({ slots: before, perSecond: undefined });
    expect(run.state?.budget).toBeGreaterThanOrEqual(budget);
  });

  test("forgets the contradictions that led to it", () => {
    const run = holding();
    run.epoch(50, {}, { throttled: 1, contradictions: 1 });
    expect(run.state).toMatchObject({ phase: "trial", surprise: 1 });
    run.epoch(1e9, {}, { ...QUIET, throttled: 3 });
    expect(run.state).toMatchObject({ kind: "slots", surprise: 0 });
  });

  test("is not made again while nothing contradicts it", () => {
    const run = trying();
    run.epoch(1e9, {}, { ...QUIET, throttled: 3 });
    for (let epoch = 0; epoch < 60; epoch++) {
      run.epoch(1e9, {}, { ...QUIET, throttled: epoch % 5 === 0 ? 1 : 0 });
      expect(run.state?.kind).toBe("slots");
    }
  });

  test("is not decided by throttles that belong to the slots before", () => {
    const run = trying();
    const { epoch = 0 } = run.state?.steps.at(-1) ?? {};
    run.epoch(1e9, { triedEpoch: epoch - 1 }, { ...QUIET, throttled: 9 });
    expect(run.state?.phase).toBe("trial");
  });

  test("is not made at few attempts per second: the tokens of a bucket would decide it", () => {
    const run = holding(10);
    for (let epoch = 0; epoch < 20; epoch++) {
      run.epoch(10, {}, QUIET);
      expect(run.state?.phase).not.toBe("trial");
    }
  });

  test("is made again after the limit was given up: it may be another service's", () => {
    const run = trying();
    run.epoch(1e9, {}, { ...QUIET, throttled: 3 });
    for (let epoch = 0; run.state?.phase !== "open" && epoch < 200; epoch++) run.epoch(1e9, {}, QUIET);
    expect(run.state?.isTried).toBe(true);
    run.epoch(50);
    run.epoch(50, { found: 14 });
    expect(run.state).toMatchObject({ phase: "search", isTried: false });
  });
});

test("a service whose attempts all last equally long is not taken for one that limits slots", () => {
  // 100 attempts at a load of about 0.5. Those that were refused had started at a little more.
  const evidence = (deviation: number) => ({
    ...FIRST_STATE,
    kind: "rate" as const,
    latency: 300,
    loads: {
      attempts: 1_000,
      sum: 500,
      squares: 1_000 * (0.25 + deviation ** 2),
      throttled: 20,
      throttledSum: 20 * (0.5 + deviation),
    },
  });
  expect(isOtherKind(evidence(0.1))).toBe(true);
  expect(isOtherKind(evidence(0.04))).toBe(false);
});

test("an epoch in which each environment has reported twice is not full: the figures are of twice the time", () => {
  const totals = (inFlight: number): EpochTotals => ({
    epoch: 8,
    members: 2,
    holders: 2,
    counted: { ...NO_REPORT, inFlightMilliseconds: 1_800 * inFlight, elapsedMilliseconds: 2 * 1_800 },
    from: 0,
    to: 1_000,
  });
  const state = { ...FIRST_STATE, phase: "hold" as const };
  expect(measure(state, totals(60), OPTIONS.concurrency).isFull).toBe(false);
  expect(measure(state, totals(95), OPTIONS.concurrency).isFull).toBe(true);
});
