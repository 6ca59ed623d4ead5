import fc from "fast-check";
import { expect, test } from "vitest";
import { LONGEST_HIDING_MILLISECONDS } from "../../../shared/aws/quotas.ts";
import { backoffMilliseconds, retryPolicy } from "../../../shared/base/retry.ts";

const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("a pause is between 0 and min(cap, base * 2^(n - 1)), and reaches the whole interval", () => {
  fc.assert(
    fc.property(
      fc.nat(39_600_000),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer({ min: 1, max: 100 }),
      unit,
      (cap, share, failures, random) => {
        const policy = { attempts: 100, baseMilliseconds: cap * share, capMilliseconds: cap };
        const longest = Math.min(cap, cap * share * 2 ** (failures - 1));
        const pause = backoffMilliseconds(policy, failures, random);
        expect(pause).toBeGreaterThanOrEqual(0);
        expect(pause).toBeLessThanOrEqual(longest);
        expect(backoffMilliseconds(policy, failures, 0)).toBe(0);
        expect(backoffMilliseconds(policy, failures, 0.5)).toBeCloseTo(longest / 2, 3);
      },
    ),
  );
});

test("by default the longest pauses are 1, 2, 4, ... s, and never more than 5 min", () => {
  const longest = (failures: number) => backoffMilliseconds(retryPolicy({}, LONGEST_HIDING_MILLISECONDS), failures, 1);
  expect([1, 2, 3, 4, 9].map(longest)).toEqual([1_000, 2_000, 4_000, 8_000, 256_000]);
  expect(longest(10)).toBe(300_000);
  expect(longest(100)).toBe(300_000);
});

test("a cap below the default base lowers the base with it", () => {
  expect(retryPolicy({ backoff: { cap: { milliseconds: 10 } } }, LONGEST_HIDING_MILLISECONDS)).toEqual({
    attempts: 5,
    baseMilliseconds: 10,
    capMilliseconds: 10,
  });
});
