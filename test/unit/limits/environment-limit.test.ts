import { describe, expect, test } from "vitest";
import { EMPTY_STATE } from "../../../shared/limits/advance.ts";
import { FIRST_STATE } from "../../../shared/limits/controller-state.ts";
import { EnvironmentLimit, type StartedAttempt } from "../../../shared/limits/environment-limit.ts";
import type { LimitState } from "../../../shared/limits/limit-state.ts";
import { NO_REPORT } from "../../../shared/limits/report.ts";
import { LEASE_MILLISECONDS } from "../../../shared/limits/seen-members.ts";

const environment = () => new EnvironmentLimit({ member: "a", slots: 10, concurrency: 100, random: () => 0.5 }, 0);

const note = { renewal: 1, epoch: 3, tried: 3, wanted: 10 };

/** A row with a limit of 10 slots, all of which `a` has. */
const held = (more: Partial<LimitState> = {}): LimitState => ({
  ...EMPTY_STATE,
  epoch: 4,
  limit: { slots: 10 },
  shares: { a: [{ epoch: 4, slots: 10 }] },
  members: { a: note },
  ...more,
});

const working = () => {
  const limit = environment();
  limit.resume(0);
  limit.beginReport(0, 10);
  limit.endReport(0, 5, held({ epoch: 3, shares: {}, members: {} }));
  limit.beginReport(5, 10);
  limit.endReport(5, 10, held());
  return limit;
};

test("a share that was given before the environment left the row is not in force when it returns", () => {
  const limit = working();
  expect(limit.size(20)).toBe(10);
  limit.beginLastReport(100);
  limit.endReport(100, 110, held({ members: {} }));
  limit.resume(200);
  limit.beginReport(200, 10);
  limit.endReport(200, 210, held({ members: {} }));
  expect(limit.size(220)).toBe(0);
  limit.beginReport(230, 10);
  limit.endReport(230, 240, held());
  expect(limit.size(250)).toBe(0);
  limit.beginReport(260, 10);
  limit.endReport(260, 270, held({ epoch: 5, shares: { a: [{ epoch: 5, slots: 10 }] } }));
  expect(limit.size(280)).toBe(10);
});

test("a share whose lease has ended is in force again only when a later epoch gives it", () => {
  const limit = working();
  const wake = 6 + LEASE_MILLISECONDS;
  expect(limit.size(wake)).toBe(0);
  limit.beginReport(wake, 10);
  limit.endReport(wake, wake + 10, held());
  expect(limit.mayStart(wake + 20)).toEqual({ tag: "full" });
  expect(limit.nextReportMilliseconds).toBeLessThan(1_000);
  limit.beginReport(wake + 250, 10);
  limit.endReport(wake + 250, wake + 260, held({ epoch: 5, shares: { a: [{ epoch: 5, slots: 10 }] } }));
  expect(limit.size(wake + 270)).toBe(10);
});

test("a report that is answered after the lease has ended does not keep the share", () => {
  const limit = working();
  limit.beginReport(2_990, 10);
  limit.endReport(2_990, 6 + LEASE_MILLISECONDS, held());
  expect(limit.size(7 + LEASE_MILLISECONDS)).toBe(0);
});

test("after a last update that failed, the share is not in force before the next epoch gives it", () => {
  const limit = working();
  limit.beginLastReport(100);
  limit.resume(200);
  limit.beginReport(200, 10);
  limit.endReport(200, 210, held());
  expect(limit.size(220)).toBe(0);
});

test("an environment that loses its whole share says so until its attempts have ended", () => {
  const limit = working();
  const attempt = limit.started(20);
  limit.beginReport(1_000, 10);
  const lost = held({
    epoch: 5,
    shares: { a: [{ epoch: 5, slots: 0 }], b: [{ epoch: 5, slots: 10 }] },
    members: { a: note, b: { ...note, wanted: 10 } },
  });
  limit.endReport(1_000, 1_010, lost);
  expect(limit.nextReportMilliseconds).toBeLessThan(100);
  expect(limit.beginReport(1_020, 10).note).toMatchObject({ epoch: 5, inFlight: 1 });
  limit.endReport(1_020, 1_030, lost);
  expect(limit.nextReportMilliseconds).toBe(250);
  expect(limit.beginReport(1_280, 10).note).toMatchObject({ epoch: 5, inFlight: 1 });
  limit.endReport(1_280, 1_290, lost);
  limit.ended(1_300, attempt, { tag: "succeeded" });
  expect(limit.beginReport(1_530, 10).note).toBeUndefined();
});

test("an environment whose last attempt ended before it could say that it has lost its share still says so", () => {
  const limit = working();
  limit.endReport(1_000, 1_010, held({ epoch: 5, shares: { a: [{ epoch: 5, slots: 0 }] }, limit: { slots: 0 } }));
  expect(limit.beginReport(1_030, 10).note).toMatchObject({ epoch: 5 });
});

describe("of the environments without a share, those that will get the slots of one that ends", () => {
  const ending = { ...note, isEnding: true as const };
  const waiting = (members: LimitState["members"]) => {
    const limit = environment();
    limit.resume(0);
    limit.beginReport(0, 10);
    limit.endReport(0, 10, held({ shares: { z: [{ epoch: 4, slots: 10 }] }, members }));
    return limit;
  };

  test("report often and keep their messages", () => {
    const limit = waiting({ z: ending, b: note });
    expect(limit.mayGetShare(20)).toBe(true);
    expect(limit.mayStart(20)).toEqual({ tag: "full" });
    expect(limit.nextReportMilliseconds).toBe(250);
    expect(limit.beginReport(20, 10).note).toMatchObject({ wanted: 10 });
  });

  test("do not include one that comes after enough others", () => {
    const limit = waiting({ z: ending, A: note });
    expect(limit.mayGetShare(20)).toBe(false);
    expect(limit.mayStart(20)).toEqual({ tag: "no share" });
    expect(limit.nextReportMilliseconds).toBe(1_000);
    expect(limit.beginReport(20, 10).note).toBeUndefined();
  });

  test("include the next one if those before it want fewer", () => {
    expect(waiting({ z: ending, A: { ...note, wanted: 10 }, B: { ...note, isLeaving: true } }).mayGetShare(20)).toBe(
      false,
    );
    expect(waiting({ z: ending, b: { ...note, wanted: 4 } }).mayGetShare(20)).toBe(true);
    expect(waiting({ z: ending, A: { ...note, isEnding: true } }).mayGetShare(20)).toBe(true);
    expect(waiting({ z: ending, A: { ...note, isLeaving: true } }).mayGetShare(20)).toBe(true);
  });

  test("are nobody while all holders stay", () => {
    expect(waiting({ z: note }).mayStart(20)).toEqual({ tag: "no share" });
  });
});

test("an environment that ends soon says so, works on, and reports at once when its share is taken", () => {
  const limit = working();
  limit.announceEnd();
  expect(limit.mayStart(20)).toEqual({ tag: "start" });
  limit.started(20);
  expect(limit.beginReport(30, 10).note).toMatchObject({ isEnding: true, wanted: 10 });
  expect(limit.nextReportMilliseconds).toBeLessThan(1_000);
  limit.endReport(30, 40, held({ epoch: 5, shares: { a: [{ epoch: 5, slots: 0 }], b: [{ epoch: 5, slots: 0 }] } }));
  expect(limit.mayStart(50).tag).not.toBe("start");
  expect(limit.nextReportMilliseconds).toBeLessThan(100);
  expect(limit.beginReport(60, 10).note).toMatchObject({ epoch: 5, inFlight: 1 });
});

test("an environment that leaves needs the slots of its attempts only", () => {
  const limit = working();
  limit.started(20);
  limit.leave();
  expect(limit.beginReport(30, 10).note).toMatchObject({ isLeaving: true, wanted: 1 });
  expect(limit.nextReportMilliseconds).toBe(250);
});

test("an environment that leaves after it has announced its end does not say both", () => {
  const limit = working();
  limit.announceEnd();
  limit.leave();
  const { note } = limit.beginReport(30, 10);
  expect(note).toMatchObject({ isLeaving: true });
  expect(note).not.toHaveProperty("isEnding");
});

test("a share that became smaller is reported soon, also if another epoch has begun since", () => {
  const limit = working();
  limit.endReport(1_000, 1_010, held({ epoch: 5, shares: { a: [{ epoch: 5, slots: 4 }] } }));
  limit.endReport(1_010, 1_020, held({ epoch: 6, shares: { a: [{ epoch: 6, slots: 4 }] } }));
  expect(limit.nextReportMilliseconds).toBeLessThan(100);
  limit.resume(1_030);
  expect(limit.nextReportMilliseconds).toBe(1_000);
});

describe("slots that a share has gained", () => {
  const LATENCY = 400;
  const controller = { phase: "hold", latency: LATENCY } as unknown as LimitState["controller"];
  const gained = (slots: number, limit: LimitState["limit"] = { slots }) => {
    const environment = new EnvironmentLimit({ member: "a", slots: 50, concurrency: 100, random: () => 0.5 }, 0);
    environment.resume(0);
    environment.endReport(0, 0, held({ epoch: 3, shares: {}, members: {} }));
    environment.endReport(
      5,
      10,
      held({ limit, shares: { a: [{ epoch: 4, slots, perSecond: limit.perSecond }] }, controller }),
    );
    return environment;
  };
  const startAll = (environment: EnvironmentLimit, now: number) => {
    let started = 0;
    while (environment.mayStart(now).tag === "start") started += environment.started(now) ? 1 : 0;
    return started;
  };

  test("start at once if they are few", () => {
    expect(startAll(gained(10), 10)).toBe(10);
  });

  test("are filled within the duration of an attempt if they are many", () => {
    const environment = gained(40);
    expect(startAll(environment, 10)).toBe(11);
    expect(environment.mayStart(10)).toEqual({ tag: "wait", until: 10 + (LATENCY * 1) / 30 });
    expect(startAll(environment, 10 + LATENCY / 2)).toBe(15);
    expect(startAll(environment, 10 + LATENCY)).toBe(14);
    expect(environment.mayStart(10 + LATENCY)).toEqual({ tag: "full" });
  });

  test("are filled in the same time if the row is read meanwhile", () => {
    const environment = gained(40);
    environment.endReport(
      10 + LATENCY / 2,
      10 + LATENCY / 2,
      held({ limit: { slots: 40 }, shares: { a: [{ epoch: 4, slots: 40 }] }, controller }),
    );
    expect(startAll(environment, 10 + LATENCY)).toBe(40);
  });

  test("are filled again in the same time only after the share has changed", () => {
    const environment = gained(40);
    startAll(environment, 10 + LATENCY);
    environment.endReport(
      1_000,
      1_000,
      held({ epoch: 5, limit: { slots: 45 }, shares: { a: [{ epoch: 5, slots: 45 }] }, controller }),
    );
    expect(startAll(environment, 1_000)).toBe(5);
  });

  test("wait for nothing if a rate spaces the starts", () => {
    expect(startAll(gained(40, { slots: 40, perSecond: 1_000 }), 10 + LATENCY / 2)).toBe(40);
  });
});

describe("an environment that begins while the service refuses others", () => {
  const begun = (more: Partial<LimitState>) => {
    const limit = environment();
    limit.resume(0);
    limit.endReport(0, 5, { ...EMPTY_STATE, ...more });
    return limit;
  };
  const refused = { counted: { ...NO_REPORT, throttled: 3 } };

  test("begins with one attempt, and doubles them while they are accepted", () => {
    const limit = begun(refused);
    for (const [round, allowed] of [1, 2, 4, 8].entries()) {
      const now = 10 + 100 * round;
      const attempts: StartedAttempt[] = [];
      while (limit.mayStart(now).tag === "start") attempts.push(limit.started(now));
      expect(attempts).toHaveLength(allowed);
      for (const attempt of attempts) limit.ended(now + 50, attempt, { tag: "succeeded" });
    }
  });

  test("takes part in the first limit with what it has found", () => {
    expect(begun(refused).beginReport(100, 10).note).toMatchObject({ found: 1 });
  });

  test("also begins so while the controller waits for the reports of the others", () => {
    expect(begun({ controller: { ...FIRST_STATE, phase: "measure" } }).size(10)).toBe(1);
  });

  test("does not include one that works already: its own attempts were accepted", () => {
    const limit = begun({});
    expect(limit.size(10)).toBe(10);
    limit.endReport(1_000, 1_005, { ...EMPTY_STATE, ...refused });
    expect(limit.size(1_010)).toBe(10);
  });

  test("does not look for a limit with `adaptive: false`", () => {
    const limit = new EnvironmentLimit(
      { member: "a", slots: 10, concurrency: 100, adaptive: false, random: () => 0.5 },
      0,
    );
    limit.resume(0);
    limit.endReport(0, 5, { ...EMPTY_STATE, ...refused });
    expect(limit.size(10)).toBe(10);
  });

  test("does not include one that begins when the refusals are of an epoch before", () => {
    expect(begun({ ...refused, countedBefore: refused.counted }).size(10)).toBe(10);
  });
});

test("a throttle contradicts a limit of slots if the service has accepted as many in flight since the one before", () => {
  const limit = working();
  const first = limit.started(20);
  limit.ended(320, first, { tag: "succeeded" });
  const second = limit.started(330);
  limit.ended(350, second, { tag: "throttled" });
  const third = limit.started(360);
  limit.ended(380, third, { tag: "throttled" });
  const { report } = limit.beginReport(400, 10);
  expect(report).toMatchObject({ throttled: 2, contradictions: 1 });
});

test("a rate above what is safe is a probe of the rate, and slots above it are none", () => {
  const limit = working();
  expect(limit.isRateProbed).toBe(false);
  const probed = (epoch: number, more: Partial<LimitState>) => {
    limit.beginReport(100 * epoch, 10);
    limit.endReport(100 * epoch, 100 * epoch + 10, held({ epoch, ...more }));
    return limit.isRateProbed;
  };
  expect(probed(5, { limit: { slots: 10, safePart: 0.9 }, shares: { a: [{ epoch: 5, slots: 10 }] } })).toBe(false);
  const shares = (epoch: number) => ({ a: [{ epoch, slots: 10, perSecond: 20 }] });
  expect(probed(6, { limit: { slots: 10, perSecond: 20 }, shares: shares(6) })).toBe(false);
  expect(probed(7, { limit: { slots: 10, perSecond: 20, safePart: 0.9 }, shares: shares(7) })).toBe(true);
});

test("if the fleet follows the latency, an environment begins with half of its slots until somebody knows how long attempts take", () => {
  const beginning = (latency: boolean, controller: LimitState["controller"]) => {
    const limit = new EnvironmentLimit({ member: "a", slots: 9, concurrency: 90, latency, random: () => 0.5 }, 0);
    limit.resume(0);
    limit.endReport(0, 5, { ...EMPTY_STATE, controller });
    return limit;
  };
  const slow = { phase: "down", level: 20, levelEpoch: 1, best: 300, throughput: 0, age: 0 } as const;
  expect(beginning(true, FIRST_STATE).size(10)).toBe(5);
  expect(beginning(false, FIRST_STATE).size(10)).toBe(9);
  const limit = beginning(true, { ...FIRST_STATE, slow });
  expect(limit.size(10)).toBe(9);
  limit.endReport(20, 25, EMPTY_STATE);
  expect(limit.size(30)).toBe(9);
});
