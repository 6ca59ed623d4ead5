import { expect, test } from "vitest";
import type { ConsumerOptions } from "../../../shared/consumer/consumer.ts";
import { FixedSlots } from "../../../shared/consumer/slots/fixed-slots.ts";
import { ConsumerWorld } from "../../helpers/consumer-world.ts";

/** How many slots a consumer says that it can use: at the beginning, and then at the start of each task. */
async function wantedSlots(messages: number, options: Partial<ConsumerOptions>): Promise<readonly number[]> {
  const world = await ConsumerWorld.of(Array.from({ length: messages }, (_, index) => index));
  const seen: number[] = [];
  let wanted = () => Number.NaN;
  const begin = (invocation: { readonly wanted: () => number }) => {
    wanted = invocation.wanted;
    seen.push(wanted());
  };
  const slots = Object.assign(new FixedSlots(2), { begin });
  await world.consume({ task: () => void seen.push(wanted()) }, undefined, { slots, ...options });
  return seen;
}

test("A consumer wants a slot for each message that has no outcome yet", async () => {
  const seen = await wantedSlots(3, {});
  expect(seen.slice(0, 2)).toEqual([0, 3]);
  expect(seen).toHaveLength(4);
  expect(seen[3]).toBeLessThan(3);
  expect(Math.min(...seen.slice(1))).toBeGreaterThan(0);
});

test("A consumer whose batch is full, and that receives more messages, wants all slots of its environment", async () => {
  const refill = { visibilityTimeoutSeconds: 60, waitingMilliseconds: 5_000, until: Date.now() + 600_000 };
  const [first] = await wantedSlots(10, { tasksPerEnvironment: 4, refill });
  expect(first).toBe(4);
  const [low] = await wantedSlots(9, { tasksPerEnvironment: 4, refill });
  expect(low).toBe(0);
});
