import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MOST_RECEIVED_MESSAGES } from "../../../shared/aws/quotas.ts";
import { MOST_POLLS, messagesToReceive, type RefillState } from "../../../shared/consumer/slots/refill-policy.ts";

const state = (changes: Partial<RefillState>): RefillState => ({
  now: 0,
  slots: 10,
  attempting: 0,
  isProducing: true,
  withoutSlot: 0,
  meanMilliseconds: 100,
  polls: 0,
  requested: 0,
  mayPrefetch: true,
  isQueueLow: false,
  ...changes,
});

describe("the requests to send", () => {
  test.each<[string, Partial<RefillState>, readonly number[]]>([
    ["fill all free slots, and prefetch the same number", {}, [10, 10]],
    ["leave out messages in hand and requested messages", { withoutSlot: 4, requested: 16, polls: 2 }, []],
    ["wait until no message is in hand, so that each is full", { attempting: 10, withoutSlot: 1 }, []],
    ["prefetch when no message is in hand", { attempting: 10 }, [10]],
    ["fill up what is in hand when no slot becomes free", { attempting: 10, withoutSlot: 1, isQuiet: true }, [9]],
    ["are none when all is in hand", { attempting: 10, withoutSlot: 10, isQuiet: true }, []],
    ["prefetch nothing for long tasks then", { attempting: 10, meanMilliseconds: 60_000, isQuiet: true }, []],
    ["prefetch what the slots take within a second", { attempting: 10, meanMilliseconds: 4_000 }, [3]],
    ["prefetch one message per slot if a task takes a second", { attempting: 10, meanMilliseconds: 1_003 }, [10]],
    ["prefetch nothing if tasks take long", { attempting: 10, meanMilliseconds: 60_000 }, []],
    ["prefetch no more messages than there are slots", { slots: 1, attempting: 1, meanMilliseconds: 1 }, [1]],
    ["fill only free slots if nothing may be prefetched", { attempting: 7, mayPrefetch: false }, [3]],
    [
      "are several small ones while others hide their messages",
      { isQueueLow: true, holdsShare: true },
      [4, 4, 4, 4, 4],
    ],
    ["are no more than five then", { isQueueLow: true, holdsShare: true, polls: 4, requested: 15 }, [5]],
    [
      "prefetch with a share of one slot while its attempt runs",
      { slots: 1, attempting: 1, isQueueLow: true, holdsShare: true },
      [1],
    ],
    [
      "prefetch nothing with a share if tasks take long",
      { slots: 1, attempting: 1, holdsShare: true, meanMilliseconds: 60_000 },
      [],
    ],
    ["fill the stock of messages at a rate", { stock: 3 }, [3]],
    ["fill the stock also while all slots are taken, and no more", { stock: 3, attempting: 10, withoutSlot: 1 }, [2]],
    ["leave out what is requested for the stock", { stock: 3, requested: 2, polls: 1 }, [1]],
    ["prefetch 40 messages at most", { slots: 100, attempting: 100, meanMilliseconds: 1 }, [10, 10, 10, 10]],
    [
      "are five full ones for many slots while others hide their messages",
      { slots: 100, isQueueLow: true, holdsShare: true },
      Array(MOST_POLLS).fill(10),
    ],
    ["leave a full stock as it is", { stock: 3, withoutSlot: 3 }, []],
    ["are several for many slots", { slots: 100, mayPrefetch: false }, Array(MOST_POLLS).fill(10)],
    ["fill only free slots if the queue gives few messages", { attempting: 7, isQueueLow: true }, [3]],
    ["are one at a time then", { attempting: 7, isQueueLow: true, polls: 1, requested: 1 }, []],
    ["are none then if all slots are taken", { attempting: 10, isQueueLow: true }, []],
  ])("%s", (_, changes, expected) => {
    expect(messagesToReceive(state(changes))).toEqual(expected);
  });

  test("never ask for more than two messages per slot, nor for more in one request than SQS gives", () => {
    const count = fc.integer({ min: 0, max: 100 });
    const states = fc.record({
      slots: fc.integer({ min: 1, max: 100 }),
      attempting: count,
      withoutSlot: count,
      requested: count,
      polls: fc.integer({ min: 0, max: MOST_POLLS }),
      meanMilliseconds: fc.integer({ min: 0, max: 100_000 }),
      mayPrefetch: fc.boolean(),
      isQueueLow: fc.boolean(),
      isQuiet: fc.boolean(),
    });
    fc.assert(
      fc.property(states, ({ attempting, ...rest }) => {
        const given = state({ ...rest, attempting: Math.min(attempting, rest.slots) });
        const requests = messagesToReceive(given);
        expect(given.polls + requests.length).toBeLessThanOrEqual(Math.max(MOST_POLLS, given.polls));
        for (const request of requests) {
          expect(request).toBeGreaterThanOrEqual(1);
          expect(request).toBeLessThanOrEqual(MOST_RECEIVED_MESSAGES);
        }
        const total = requests.reduce((sum, request) => sum + request, 0);
        if (total > 0) {
          const most = given.slots * (given.mayPrefetch && !given.isQueueLow ? 2 : 1);
          expect(given.attempting + given.withoutSlot + given.requested + total).toBeLessThanOrEqual(most);
        }
      }),
    );
  });

  test("ask for enough to fill every free slot, if nothing is requested yet", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(), fc.boolean(), (slots, taken, mayPrefetch) => {
        const attempting = taken % slots;
        const requests = messagesToReceive(state({ slots, attempting, mayPrefetch }));
        expect(requests.reduce((sum, max) => sum + max, 0)).toBeGreaterThanOrEqual(slots - attempting);
      }),
    );
  });
});
