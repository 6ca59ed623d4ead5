import fc from "fast-check";
import { expect, test } from "vitest";
import { noteText, parseNote, parseShares, sharesText } from "../../../shared/ledger/compact-limits.ts";

const whole = fc.nat({ max: 10_000_000 });
const time = fc.integer({ min: 1_700_000_000_000, max: 4_000_000_000_000 });
/** A number that six digits hold. */
const rate = fc.integer({ min: 1, max: 999_999 }).map((value) => value / 1_000);

const note = fc.record(
  {
    renewal: whole,
    epoch: whole,
    tried: whole,
    wanted: whole,
    isLeaving: fc.constant(true as const),
    isEnding: fc.constant(true as const),
    inFlight: whole,
    found: whole,
    waitUntil: time,
    isWaitSure: fc.constant(true as const),
    advertised: rate,
  },
  { requiredKeys: ["renewal", "epoch", "tried", "wanted"] },
);

const share = fc.record(
  { epoch: whole, slots: whole, perSecond: rate, tokens: whole },
  { requiredKeys: ["epoch", "slots"] },
);
const member = fc.stringMatching(/^[A-Za-z0-9_-]{1,10}$/);

// `toStrictEqual` also notices a key whose value is undefined. No such key may replace a value that is known.
test("any note is read as it was written", () => {
  fc.assert(fc.property(note, (each) => void expect(parseNote(noteText(each))).toStrictEqual({ ...each })));
});

test("any shares are read as they were written", () => {
  fc.assert(
    fc.property(fc.dictionary(member, fc.array(share, { maxLength: 3 })), (shares) => {
      const plain = Object.entries(shares).map(([id, given]) => [id, given.map((each) => ({ ...each }))]);
      expect(parseShares(sharesText(shares))).toStrictEqual(Object.fromEntries(plain));
    }),
  );
});

test("a rate is kept to six digits, and a time is never earlier than it was", () => {
  expect(parseShares(sharesText({ a: [{ epoch: 1, slots: 2, perSecond: 10 / 3 }] }))).toEqual({
    a: [{ epoch: 1, slots: 2, perSecond: 3.33333 }],
  });
  const waiting = { renewal: 1, epoch: 2, tried: 2, wanted: 3, waitUntil: 1_800_000_000_000.25 };
  expect(parseNote(noteText(waiting)).waitUntil).toBe(1_800_000_000_001);
  const endless = { ...waiting, waitUntil: Number.POSITIVE_INFINITY };
  expect(parseNote(noteText(endless)).waitUntil).toBe(Number.MAX_SAFE_INTEGER);
});

test("what an environment says while all is well takes a few characters", () => {
  expect(noteText({ renewal: 900, epoch: 100_000, tried: 100_000, wanted: 10 })).toBe("p0,255s,0,a");
  expect(sharesText({ "Ab3_x-9q": [{ epoch: 100_000, slots: 10, perSecond: 12.5 }] })).toBe("Ab3_x-9q/255s,a,12.5");
});
