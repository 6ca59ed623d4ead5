import { expect, test } from "vitest";
import { ActivityMonitor } from "../../../local/lambda/activity-monitor.ts";
import type { Activity } from "../../../local/lambda/runtime-protocol.ts";

const IDLE: Activity = {
  type: "activity",
  inFlight: 0,
  peakInFlight: 0,
  succeeded: 0,
  retried: 0,
  throttled: 0,
  deadByReason: {},
  peakMemoryMb: 0,
};

test("throttles of all environments add up", () => {
  const monitor = new ActivityMonitor(() => ({ producer: 0, consumer: 0 }));
  for (const environment of [0, 1]) monitor.ofConsumer.onActivity(environment, { ...IDLE, throttled: 3 });
  expect(monitor.fleet.throttled).toBe(6);
});

test("the first failure of an attempt that is made again is kept", () => {
  const monitor = new ActivityMonitor(() => ({ producer: 0, consumer: 0 }));
  expect(monitor.fleet.firstFailure).toBeUndefined();
  monitor.ofConsumer.onActivity(0, { ...IDLE, retried: 1, failure: "Error: first" });
  monitor.ofConsumer.onActivity(1, { ...IDLE, retried: 1, failure: "Error: second" });
  expect(monitor.fleet.firstFailure).toBe("Error: first");
});

test("the fleet is reading since its oldest read began, until that producer has ended the read or itself", () => {
  const monitor = new ActivityMonitor(() => ({ producer: 0, consumer: 0 }));
  expect(monitor.fleet.readingSince).toBeUndefined();
  monitor.ofProducer.onActivity(0, { ...IDLE, readingSince: 2_000 });
  monitor.ofProducer.onActivity(1, { ...IDLE, readingSince: 1_000 });
  expect(monitor.fleet.readingSince).toBe(1_000);
  monitor.ofProducer.onActivity(1, IDLE);
  expect(monitor.fleet.readingSince).toBe(2_000);
  monitor.ofProducer.onActivity(0, IDLE);
  expect(monitor.fleet.readingSince).toBeUndefined();
});
