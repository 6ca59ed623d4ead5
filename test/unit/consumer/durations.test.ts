import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ATTEMPT_CHANNEL, type AttemptEvent } from "../../../shared/base/events.ts";
import type { SlotSupplier, SlotUse } from "../../../shared/consumer/slots/slot-supplier.ts";
import { Throttled } from "../../../shared/index.ts";
import { ConsumerWorld } from "../../helpers/consumer-world.ts";

let ended: number[];
const onEvent = (event: unknown) => {
  const attempt = event as AttemptEvent;
  if (attempt.event === "ended") ended.push(attempt.milliseconds);
};

beforeEach(() => {
  ended = [];
  subscribe(ATTEMPT_CHANNEL, onEvent);
});
afterEach(() => unsubscribe(ATTEMPT_CHANNEL, onEvent));

test.each([
  ["succeeds", () => {}],
  ["fails", () => Promise.reject(new Error("no"))],
  ["is refused because of load", () => Promise.reject(new Throttled())],
] as const)("The metric, the event and the slot of an attempt that %s have its duration", async (_, end) => {
  const world = await ConsumerWorld.of(["a"]);
  let now = 1_790_000_000_000;
  const uses: SlotUse[] = [];
  const slots: SlotSupplier = {
    size: 1,
    reserve: async () => ({ tag: "reserved", slot: { release: (use) => void uses.push(use) } }),
  };
  const task = () => {
    now += 250;
    return end();
  };
  await world.consume({ task }, world.messages(), { slots, now: () => now });
  expect(world.metrics.durations).toEqual([250]);
  expect(ended).toEqual([250]);
  expect(uses).toMatchObject([{ durationMilliseconds: 250 }]);
});
