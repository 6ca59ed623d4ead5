import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ControllerState, type EpochTotals, nextLimit } from "../../../shared/limits/controller.ts";
import type { Phase } from "../../../shared/limits/controller-state.ts";
import { NO_REPORT } from "../../../shared/limits/report.ts";
import { ControllerRun, OPTIONS } from "../../helpers/controller-run.ts";

describe("a service that limits a rate", () => {
  test("no limit is in force before the first throttle", () => {
    expect(new ControllerRun().epochs(100, 1e9)).toMatchObject({
      slots: undefined,
      perSecond: undefined,
      reason: undefined,
    });
  });

  test("after the first throttles, the limit is what the service accepted in flight", () => {
    const run = new ControllerRun();
    run.epoch(50);
    run.epoch(50, { found: 14 });
    expect(run.limit).toMatchObject({ slots: 15, perSecond: undefined, reason: "throttled" });
  });

  test("throttles at a number of slots that the service has accepted show that it limits a rate", () => {
    const run = new ControllerRun();
    run.epochs(12, 50);
    expect(run.limit.perSecond).toBeDefined();
  });

  test("it stays near what the service accepts", () => {
    const run = new ControllerRun();
    run.epochs(30, 50);
    for (let epoch = 0; epoch < 200; epoch++) {
      const { perSecond = 0 } = run.epoch(50);
      expect(perSecond).toBeGreaterThan(40);
      expect(perSecond).toBeLessThan(90);
    }
  });

  test("it follows a step down within three epochs", () => {
    const run = new ControllerRun();
    run.epochs(60, 100);
    expect(run.epochs(3, 20).perSecond).toBeLessThan(30);
  });

  test("it follows a step up", () => {
    const run = new ControllerRun();
    run.epochs(60, 20);
    expect(run.epochs(30, 200).perSecond).toBeGreaterThan(150);
  });

  test("a search that is refused ends at what the service accepts in the next epoch", () => {
    const run = new ControllerRun();
    run.epochs(60, 20);
    let epochs = 0;
    while (run.state?.phase !== "search") run.epochs(1, 1e9);
    while (run.state?.phase === "search" && epochs++ < 20) {
      // What starts in an epoch ends in the next one, so `succeeded` is the half of what was admitted. Refusals are quick.
      const offered = run.limit.perSecond ?? 0;
      const admitted = Math.min(offered, 200);
      run.epoch(1e9, {}, { started: offered, succeeded: admitted / 2, throttled: Math.round(offered - admitted) });
    }
    expect(run.state?.phase).toBe("hold");
    expect(run.limit.perSecond).toBeGreaterThan(190);
    expect(run.limit.perSecond).toBeLessThan(205);
  });

  test("a search multiplies a rate by up to four, and adds at most 150/s where that is more than doubling it", () => {
    const run = new ControllerRun({ ...OPTIONS, concurrency: 1_000 });
    run.epochs(60, 20);
    const levels: number[] = [];
    for (let epoch = 0; epoch < 40; epoch++) {
      const { level = 0 } = run.state ?? {};
      run.epoch(1e9, {}, { started: level, succeeded: level });
      if (run.state?.phase === "search") levels.push(level);
    }
    const [first = 0, second = 0, third = 0, fourth = 0] = levels;
    expect(first).toBeLessThan(50);
    expect(second).toBeCloseTo(Math.min(4 * first, first + 150));
    expect(third).toBeCloseTo(second + 150);
    expect(fourth).toBeCloseTo(2 * third);
  });

  test("a search of a low rate doubles it: a bucket may pay for all of its few attempts", () => {
    const run = new ControllerRun();
    run.epochs(60, 5);
    const growths: number[] = [];
    for (let epoch = 0; epoch < 20; epoch++) {
      const { level = 0 } = run.state ?? {};
      run.epoch(1e9, {}, { started: level, succeeded: level });
      if (run.state?.phase === "search" && level < 15) growths.push((run.state?.level ?? 0) / level);
    }
    expect(growths.length).toBeGreaterThan(0);
    expect(new Set(growths)).toEqual(new Set([2]));
  });

  test("what ends just after a probe is no evidence about what the service limits", () => {
    const run = new ControllerRun();
    run.epochs(60, 50);
    while (run.state?.phase !== "hold") run.epochs(1, 50);
    const { loads } = run.state;
    run.epoch(50, { triedEpoch: 0 }, { load: 50, loadSquared: 30 });
    expect(run.state?.loads).toEqual(loads);
  });

  test("attempts in flight at another rate are no evidence about the present one", () => {
    const run = new ControllerRun();
    run.epochs(60, 20);
    const until = (phase: Phase, accepts: number) => {
      for (let epoch = 0; run.state?.phase !== phase && epoch < 50; epoch++) run.epoch(accepts);
      return run.state;
    };
    expect(until("search", 1e9)?.loads.attempts).toBeGreaterThan(0);
    expect(until("hold", 200)?.loads.attempts).toBe(0);
  });

  test("a service that falls far during a probe is followed at once, and the fall does not make later probes rare", () => {
    const run = new ControllerRun();
    run.epochs(60, 100);
    while (run.state?.phase !== "probe") run.epochs(1, 100);
    run.epoch(20);
    expect(run.limit.perSecond).toBeLessThan(25);
    expect(run.state?.cost).toBeLessThanOrEqual(2);
    expect(run.state?.budget).toBe(run.state?.cost);
  });

  test("throttles that belong to the level before a fall neither lower the ceiling again nor cost a probe", () => {
    const run = new ControllerRun();
    run.epochs(60, 100);
    run.epoch(20);
    const { ceiling, budget = 0 } = run.state ?? {};
    run.epoch(1e9, { seenEpoch: 0, triedEpoch: 0 }, { started: 30, succeeded: 10, throttled: 20 });
    expect(run.state?.ceiling).toBe(ceiling);
    expect(run.state?.budget).toBeGreaterThanOrEqual(budget);
  });

  test("the limit is given up when only `concurrency` limits the fleet", () => {
    const run = new ControllerRun();
    run.epochs(20, 50);
    expect(run.epochs(120, 1e9)).toMatchObject({ slots: undefined, perSecond: undefined });
  });

  test("a later run starts from what was remembered", () => {
    const run = new ControllerRun();
    run.epochs(60, 50);
    const state = JSON.parse(JSON.stringify(run.state)) as ControllerState;
    const totals = { epoch: 1_000, members: 0, holders: 0, counted: NO_REPORT, from: 1e9, to: 1e9 + 1_000 };
    expect(nextLimit(state, totals, {}, OPTIONS).limit.perSecond).toBeGreaterThan(40);
  });
});

describe("a service that limits slots", () => {
  test("a probe that is refused ends at the slots that were proven", () => {
    const run = new ControllerRun();
    run.epoch(50);
    run.epoch(50, { found: 14 });
    const throttled = { throttled: 1, contradictions: 0 };
    for (let epoch = 0; epoch < 60; epoch++) {
      const isTooMuch = (run.limit.slots ?? 0) > 15;
      run.epoch(1e9, isTooMuch ? { found: 15 } : {}, isTooMuch ? throttled : {});
    }
    expect(run.limit).toMatchObject({ perSecond: undefined, reason: "throttled" });
    expect(run.limit.slots).toBeGreaterThanOrEqual(15);
    expect(run.limit.slots).toBeLessThanOrEqual(17);
  });

  test("while a probe is under way, the limit says which part of it is safe", () => {
    const run = new ControllerRun();
    run.epoch(50);
    run.epoch(50, { found: 14 });
    const parts = Array.from({ length: 10 }, () => run.epoch(1e9).safePart ?? 1);
    expect(Math.min(...parts)).toBeLessThan(1);
    expect(Math.min(...parts)).toBeGreaterThan(0);
  });
});

test("the ceiling that an older controller has found stays in force", () => {
  const old = { version: 1, phase: "probe", kind: "rate", level: 45, ceiling: 40, latency: 300 };
  const totals = { epoch: 7, members: 0, holders: 0, counted: NO_REPORT, from: 0, to: 1_000 };
  const { state, limit } = nextLimit(old as unknown as ControllerState, totals, {}, OPTIONS);
  expect(state.version).toBe(2);
  expect(limit.perSecond).toBe(40);
});

describe("a wait that the service asks for", () => {
  test("the rate is what the service accepts in a whole window", () => {
    const run = new ControllerRun();
    run.epoch(0, {}, { succeeded: 600, throttled: 0 });
    run.epoch(0, { waitUntil: 60_000 }, { succeeded: 0, throttled: 20 });
    expect(run.limit.perSecond).toBeCloseTo(10, 0);
    expect(run.limit.waitUntil).toBeGreaterThan(2_000);
  });

  test("the fleet waits at most 10 s before it tries again, so one item cannot stop it for long", () => {
    const run = new ControllerRun();
    run.epoch(0, {}, { succeeded: 600, throttled: 0 });
    run.epoch(0, { waitUntil: 3_600_000 }, { succeeded: 0, throttled: 20 });
    expect(run.limit.waitUntil).toBeLessThanOrEqual(12_000);
  });
});

describe("limits that people set", () => {
  test("the smallest limit wins", () => {
    const run = new ControllerRun(OPTIONS, { concurrency: 20, perSecond: 5 });
    expect(run.epochs(5, 1e9)).toMatchObject({ reason: "set" });
    expect(run.limit.slots).toBeLessThanOrEqual(20);
    expect(run.limit.perSecond).toBeCloseTo(5.5);
    expect(run.limit.acceptedPerSecond).toBeCloseTo(5);
  });

  test("with `adaptive: false`, throttles change nothing", () => {
    const run = new ControllerRun({ ...OPTIONS, adaptive: false }, { concurrency: 20 });
    expect(run.epochs(10, 5)).toMatchObject({ slots: 20, perSecond: undefined });
  });
});

test("rate-limit headers lower the rate for 10 s", () => {
  const run = new ControllerRun();
  expect(run.epoch(1e9, { advertised: 7 })).toMatchObject({ perSecond: 7, reason: "advertised" });
  expect(run.epochs(12, 1e9).perSecond).toBeUndefined();
});

test("whatever is reported, the limit is positive, within `concurrency`, and the state is small JSON", () => {
  const count = fc.nat(2_000);
  const epoch = fc.record({
    succeeded: count,
    failed: count,
    throttled: count,
    inFlightMilliseconds: fc.nat(200_000),
    succeededMilliseconds: fc.nat(200_000),
    slotMilliseconds: fc.nat(200_000),
    allowedStarts: count,
    load: count,
    loadSquared: count,
    throttledLoad: count,
    lag: fc.nat(3),
    waitUntil: fc.option(fc.nat(100_000), { nil: undefined }),
    advertised: fc.option(fc.integer({ min: 1, max: 1_000 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(epoch, { maxLength: 60 }), fc.boolean(), (epochs, latency) => {
      let state: ControllerState | undefined;
      for (const [number, { lag, waitUntil, advertised, ...figures }] of epochs.entries()) {
        const totals: EpochTotals = {
          epoch: number,
          members: 1,
          holders: 1 + (number % 2),
          counted: { ...NO_REPORT, ...figures },
          from: 1_000 * number,
          to: 1_000 * (number + 1),
          seenEpoch: number - lag,
          triedEpoch: number - lag,
          waitUntil: waitUntil === undefined ? undefined : 1_000 * number + waitUntil,
          advertised,
        };
        const decision = nextLimit(state, totals, {}, { ...OPTIONS, latency });
        const { slots, perSecond } = decision.limit;
        if (slots !== undefined) {
          expect(slots).toBeGreaterThanOrEqual(1);
          expect(slots).toBeLessThanOrEqual(OPTIONS.concurrency);
          expect(Number.isInteger(slots)).toBe(true);
        }
        if (perSecond !== undefined) expect(perSecond).toBeGreaterThan(0);
        const text = JSON.stringify(decision.state);
        expect(text.length).toBeLessThan(1_024);
        state = JSON.parse(text) as ControllerState;
        expect(state).toEqual(JSON.parse(JSON.stringify(decision.state)));
        expect(text).not.toContain("null");
      }
    }),
  );
});
