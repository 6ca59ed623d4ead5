import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MOST_RECEIVED_MESSAGES } from "../../../shared/aws/quotas.ts";
import { MOST_POLLS, messagesToAskFor, type RefillState } from "../../../shared/consumer/slots/refill-policy.ts";

const state = (changes: Partial<RefillState>): RefillState => ({
  now: 0,
  slots: 10,
  underWay: 0,
  running: true,
  producing: true,
  inHand: 0,
  meanMilliseconds: 100,
  polls: 0,
  asked: 0,
  mayStock: true,
  dry: false,
  ...changes,
});

describe("asked for are", () => {
  test.each<[string, Partial<RefillState>, readonly number[]]>([
    ["messages for all free slots, and as many in hand", {}, [10, 10]],
    ["none of those that are at hand or on their way", { inHand: 4, asked: 16, polls: 2 }, []],
    ["none before nothing is in hand any more: requests are whole", { underWay: 10, inHand: 1 }, []],
    ["messages in hand once there is none", { underWay: 10 }, [10]],
    ["about as many in hand as the slots take within a second", { underWay: 10, meanMilliseconds: 4_000 }, [3]],
    ["one in hand for each slot whose task takes about a second", { underWay: 10, meanMilliseconds: 1_003 }, [10]],
    ["none in hand where a task takes as long as many requests", { underWay: 10, meanMilliseconds: 60_000 }, []],
    ["no more in hand than run", { slots: 1, underWay: 1, meanMilliseconds: 1 }, [1]],
    ["none in hand where it may not be stocked", { underWay: 7, mayStock: false }, [3]],
    ["messages for many slots, by several requests", { slots: 100, mayStock: false }, Array(MOST_POLLS).fill(10)],
    ["messages for free slots alone, of a queue that gives little", { underWay: 7, dry: true }, [3]],
    ["and by one request at a time", { underWay: 7, dry: true, polls: 1, asked: 1 }, []],
    ["none for slots that all are taken, of a queue that gives little", { underWay: 10, dry: true }, []],
  ])("%s", (_, changes, expected) => {
    expect(messagesToAskFor(state(changes))).toEqual(expected);
  });

  test("never more than there are slots for, twice over, nor more in a request than SQS gives", () => {
    const count = fc.integer({ min: 0, max: 100 });
    const states = fc.record({
      slots: fc.integer({ min: 1, max: 100 }),
      underWay: count,
      inHand: count,
      asked: count,
      polls: fc.integer({ min: 0, max: MOST_POLLS }),
      meanMilliseconds: fc.integer({ min: 0, max: 100_000 }),
      mayStock: fc.boolean(),
      dry: fc.boolean(),
    });
    fc.assert(
      fc.property(states, ({ underWay, ...rest }) => {
        const given = state({ ...rest, underWay: Math.min(underWay, rest.slots) });
        const requests = messagesToAskFor(given);
        expect(given.polls + requests.length).toBeLessThanOrEqual(Math.max(MOST_POLLS, given.polls));
        for (const request of requests) {
          expect(request).toBeGreaterThanOrEqual(1);
          expect(request).toBeLessThanOrEqual(MOST_RECEIVED_MESSAGES);
        }
        const total = requests.reduce((sum, request) => sum + request, 0);
        if (total > 0) {
          const places = given.slots * (given.mayStock && !given.dry ? 2 : 1);
          expect(given.underWay + given.inHand + given.asked + total).toBeLessThanOrEqual(places);
        }
      }),
    );
  });

  test("enough for every free slot, if nothing is on its way", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(), fc.boolean(), (slots, taken, mayStock) => {
        const underWay = taken % slots;
        const total = messagesToAskFor(state({ slots, underWay, mayStock })).reduce((sum, max) => sum + max, 0);
        expect(total).toBeGreaterThanOrEqual(slots - underWay);
      }),
    );
  });
});
