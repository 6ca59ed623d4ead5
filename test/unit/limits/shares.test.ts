import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { divide, type Shares } from "../../../shared/limits/shares.ts";

const SLOTS = 10;

const current = (shares: Shares) =>
  Object.fromEntries(Object.entries(shares).map(([member, given]) => [member, given.at(-1)?.slots]));

describe("the fleet's slots are divided in whole slots", () => {
  test("they are packed into few members, and the rest waits", () => {
    const members = { a: { wanted: 10, epoch: 0 }, b: { wanted: 10, epoch: 0 }, c: { wanted: 10, epoch: 0 } };
    expect(current(divide({ slots: 13, perSecond: undefined }, members, {}, 1, SLOTS))).toEqual({ a: 10, b: 3, c: 0 });
  });

  test("a member that has slots keeps them when another one wants more", () => {
    const before: Shares = { b: [{ epoch: 1, slots: 10 }] };
    const members = { a: { wanted: 10, epoch: 1 }, b: { wanted: 10, epoch: 1 } };
    expect(current(divide({ slots: 12, perSecond: undefined }, members, before, 2, SLOTS))).toEqual({ a: 2, b: 10 });
  });

  test("slots that a member must give back are given to nobody before the member has seen it", () => {
    const before: Shares = { a: [{ epoch: 1, slots: 10 }] };
    const first = divide(
      { slots: 10, perSecond: undefined },
      { a: { wanted: 2, epoch: 1 }, b: { wanted: 10, epoch: 1 } },
      before,
      2,
      SLOTS,
    );
    expect(current(first)).toEqual({ a: 2, b: 0 });
    const notSeen = divide(
      { slots: 10, perSecond: undefined },
      { a: { wanted: 2, epoch: 1 }, b: { wanted: 10, epoch: 2 } },
      first,
      3,
      SLOTS,
    );
    expect(current(notSeen)).toEqual({ a: 2, b: 0 });
    const seen = divide(
      { slots: 10, perSecond: undefined },
      { a: { wanted: 2, epoch: 3 }, b: { wanted: 10, epoch: 3 } },
      notSeen,
      4,
      SLOTS,
    );
    expect(current(seen)).toEqual({ a: 2, b: 8 });
  });

  test("a member that leaves keeps the slots of its attempts, and the next member gets the others at once", () => {
    const before: Shares = { a: [{ epoch: 1, slots: 10, perSecond: 5 }] };
    const members = { a: { wanted: 4, epoch: 1, isLeaving: true as const }, b: { wanted: 10, epoch: 1 } };
    const shares = divide({ slots: 10, perSecond: 5 }, members, before, 2, SLOTS);
    expect(current(shares)).toEqual({ a: 4, b: 6 });
    expect(shares.a?.at(-1)?.perSecond).toBe(0);
    expect(shares.b?.at(-1)?.perSecond).toBe(5);
  });

  test("a rate is divided in proportion to the slots", () => {
    const members = { a: { wanted: 10, epoch: 0 }, b: { wanted: 5, epoch: 0 } };
    const shares = divide({ slots: 15, perSecond: 30 }, members, {}, 1, SLOTS);
    expect(shares.a?.at(-1)?.perSecond).toBeCloseTo(20);
    expect(shares.b?.at(-1)?.perSecond).toBeCloseTo(10);
  });
});

/** Members as a test sees them: what each believes it may use, and what it last reported. */
interface Actor {
  readonly member: string;
  using: number;
  epoch: number;
}

test("whatever members read and report in which order, the slots in use never exceed the largest limit since", () => {
  const step = fc.record({
    kind: fc.constantFrom("divide", "read", "read", "report"),
    who: fc.nat(3),
    limit: fc.integer({ min: 1, max: 30 }),
    wanted: fc.integer({ min: 0, max: SLOTS }),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
      const actors: Actor[] = ["a", "b", "c", "d"].map((member) => ({ member, using: 0, epoch: 0 }));
      const notes: Record<string, { wanted: number; epoch: number }> = {};
      for (const { member } of actors) notes[member] = { wanted: SLOTS, epoch: 0 };
      let shares: Shares = {};
      let epoch = 0;
      let limit = 20;
      for (const { kind, who, wanted } of steps) {
        const actor = actors[who];
        if (actor === undefined) continue;
        if (kind === "divide") shares = divide({ slots: limit, perSecond: undefined }, notes, shares, ++epoch, SLOTS);
        else {
          // One update sends what the member knew before, and returns the row.
          notes[actor.member] = { wanted: kind === "report" ? wanted : SLOTS, epoch: actor.epoch };
          actor.using = shares[actor.member]?.at(-1)?.slots ?? 0;
          actor.epoch = epoch;
        }
        const inUse = actors.reduce((sum, { using }) => sum + using, 0);
        expect(inUse).toBeLessThanOrEqual(limit);
        limit = Math.max(limit, 20);
      }
    }),
  );
});

describe("a member whose invocation ends soon", () => {
  const before: Shares = { a: [{ epoch: 1, slots: 10 }] };
  const limit = { slots: 10, perSecond: 20 };

  test("keeps its share while nobody else wants it", () => {
    const shares = divide(limit, { a: { wanted: 10, epoch: 1, isEnding: true } }, before, 2, SLOTS);
    expect(current(shares)).toEqual({ a: 10 });
  });

  test("gives its share to a member that waits, which gets the slots once they are free", () => {
    const waiting = { wanted: 10, epoch: 1 };
    const first = divide(limit, { a: { wanted: 10, epoch: 1, isEnding: true }, b: waiting }, before, 2, SLOTS);
    expect(current(first)).toEqual({ a: 0, b: 0 });
    expect(first.b?.at(-1)?.perSecond).toBe(20);
    const members = { a: { wanted: 10, epoch: 2, isEnding: true as const, inFlight: 4 }, b: waiting };
    expect(current(divide(limit, members, first, 3, SLOTS))).toEqual({ a: 0, b: 6 });
  });
});
