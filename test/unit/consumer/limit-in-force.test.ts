import { expect, test } from "vitest";
import { isLimited, limitInForce } from "../../../shared/consumer/slots/limit-in-force.ts";
import type { FleetLimit, SetLimit } from "../../../shared/limits/fleet-limit.ts";

test.each<[FleetLimit, boolean]>([
  [{}, false],
  [{ acceptedPerSecond: 5 }, false],
  [{ slots: 0 }, true],
  [{ perSecond: 0 }, true],
  [{ slots: 1, perSecond: 1 }, true],
])("%j is a limit: %s", (limit, expected) => {
  expect(isLimited(limit)).toBe(expected);
});

test.each<[string, FleetLimit, SetLimit, SetLimit | undefined, FleetLimit]>([
  ["nothing", {}, {}, undefined, {}],
  ["the limit that was found", { slots: 5, perSecond: 7 }, {}, undefined, { slots: 5, perSecond: 7 }],
  ["the command's", {}, { concurrency: 4, perSecond: 3 }, undefined, { slots: 4, perSecond: 3 }],
  ["the deployed one", {}, {}, { concurrency: 6, perSecond: 2 }, { slots: 6, perSecond: 2 }],
  [
    "the smallest",
    { slots: 5, perSecond: 7 },
    { concurrency: 4, perSecond: 9 },
    { concurrency: 6, perSecond: 2 },
    { slots: 4, perSecond: 2 },
  ],
  ["no limit with as many slots as the fleet has", { slots: 20 }, { concurrency: 30 }, undefined, {}],
  ["one slot less than the fleet has", { slots: 19 }, {}, undefined, { slots: 19 }],
])("In force is %s", (_, limit, set, deployed, expected) => {
  const options = { concurrency: 20, ...(deployed && { set: deployed }) };
  const { slots, perSecond } = limitInForce({ limit, set }, options);
  expect({ slots, perSecond }).toEqual({ slots: expected.slots, perSecond: expected.perSecond });
});

test("The limit keeps what else is known of it", () => {
  expect(limitInForce({ limit: { slots: 3, acceptedPerSecond: 8 }, set: {} }, { concurrency: 20 })).toEqual({
    slots: 3,
    perSecond: undefined,
    acceptedPerSecond: 8,
  });
});
