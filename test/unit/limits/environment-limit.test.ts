import { expect, test } from "vitest";
import { EMPTY_STATE } from "../../../shared/limits/advance.ts";
import { EnvironmentLimit } from "../../../shared/limits/environment-limit.ts";
import type { LimitState } from "../../../shared/limits/limit-state.ts";

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
  limit.endReport(0, 10, held());
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
