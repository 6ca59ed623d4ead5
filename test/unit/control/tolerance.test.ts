import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  beyondTolerance,
  deathsLeft,
  type ToleratedFailuresOptions,
  tolerance,
} from "../../../shared/definition/tolerance.ts";

describe("toleratedFailures", () => {
  test.each<[ToleratedFailuresOptions | undefined, unknown]>([
    [undefined, undefined],
    [{ count: 0 }, { count: 0, minimum: 100 }],
    [
      { count: Number.MAX_SAFE_INTEGER, percentage: 0 },
      { count: Number.MAX_SAFE_INTEGER, percentage: 0, minimum: 100 },
    ],
    [{ percentage: 100 }, { percentage: 100, minimum: 100 }],
    [
      { percentage: 0.5, minimum: 1 },
      { percentage: 0.5, minimum: 1 },
    ],
  ])("%j is valid", (options, expected) => {
    expect(tolerance(options)).toEqual(expected);
  });

  test.each<[unknown, RegExp]>([
    [{}, /sets no limit: give count, percentage or both/],
    [{ minimum: 5 }, /sets no limit/],
    [{ count: 1, minimum: 5 }, /minimum.*give percentage too/],
    [{ count: -1 }, /toleratedFailures\.count.*-1/],
    [{ count: 1.5 }, /toleratedFailures\.count.*1\.5/],
    [{ count: "5" }, /toleratedFailures\.count.*"5"/],
    [{ percentage: -0.1 }, /percentage must be a number from 0 to 100, but is -0\.1/],
    [{ percentage: 100.1 }, /percentage must be a number from 0 to 100, but is 100\.1/],
    [{ percentage: Number.NaN }, /percentage.*NaN/],
    [{ percentage: "5" }, /percentage.*"5"/],
    [{ percentage: 5, minimum: 0 }, /toleratedFailures\.minimum.*0/],
    [{ percent: 5 }, /percent/],
  ])("%j is refused, and says how to fix it", (options, message) => {
    const define = () => tolerance(options as ToleratedFailuresOptions);
    expect(define).toThrow(message);
    expect(define).toThrow(expect.objectContaining({ code: "CONFIGURATION" }));
  });
});

describe("a run", () => {
  test.each<[ToleratedFailuresOptions | undefined, number, number, boolean]>([
    // [options, dead, settled, stopped]
    [undefined, 1_000, 1_000, false],
    [{ count: 0 }, 0, 500, false],
    [{ count: 0 }, 1, 1, true],
    [{ count: 5 }, 5, 5, false],
    [{ count: 5 }, 6, 6_000, true],
    [{ percentage: 10 }, 10, 100, false],
    [{ percentage: 10 }, 11, 100, true],
    [{ percentage: 10, minimum: 20 }, 19, 19, false],
    [{ percentage: 10, minimum: 20 }, 3, 20, true],
    [{ percentage: 10, minimum: 20 }, 2, 20, false],
    [{ percentage: 0, minimum: 1 }, 0, 1, false],
    [{ percentage: 0, minimum: 1 }, 1, 1, true],
    [{ percentage: 100, minimum: 1 }, 7, 7, false],
    [{ count: 2, percentage: 50, minimum: 10 }, 3, 3, true],
    [{ count: 20, percentage: 50, minimum: 10 }, 6, 10, true],
    [{ count: 20, percentage: 50, minimum: 10 }, 5, 10, false],
  ])("with %j and %i dead of %i settled is stopped: %s", (options, dead, settled, stopped) => {
    expect(beyondTolerance(tolerance(options), { dead, settled }) !== undefined).toBe(stopped);
  });

  test("that is stopped says by which limit", () => {
    expect(beyondTolerance({ count: 5, minimum: 100 }, { dead: 6, settled: 10 })).toBe(
      "6 items died, more than the 5 that are tolerated",
    );
    expect(beyondTolerance({ percentage: 2.5, minimum: 10 }, { dead: 1, settled: 30 })).toBe(
      "1 of 30 items died (3.3 %), more than the 2.5 % that are tolerated",
    );
  });
});

describe("the deaths that are left until a run must be stopped", () => {
  test.each<[ToleratedFailuresOptions, number, number, number]>([
    // [options, dead, settled, left]
    [{ count: 0 }, 0, 7, 1],
    [{ count: 5 }, 2, 10, 4],
    [{ percentage: 10 }, 0, 0, 10],
    [{ percentage: 10 }, 5, 50, 5],
    [{ percentage: 10 }, 50, 1_000, 56],
    [{ percentage: 100, minimum: 1 }, 7, 7, Number.POSITIVE_INFINITY],
    [{ count: 60, percentage: 10 }, 50, 1_000, 11],
  ])("with %j and %i dead of %i settled are %i", (options, dead, settled, left) => {
    const limits = tolerance(options);
    expect(limits && deathsLeft(limits, { dead, settled })).toBe(left);
  });

  test("are never too many, whatever else settles in between, and too few by one at the most", () => {
    const options = fc.record(
      {
        count: fc.nat({ max: 40 }),
        percentage: fc.integer({ min: 0, max: 1_000 }).map((tenths) => tenths / 10),
        minimum: fc.integer({ min: 1, max: 60 }),
      },
      { requiredKeys: ["percentage", "minimum"] },
    );
    const counts = fc.tuple(fc.nat({ max: 40 }), fc.nat({ max: 200 }), fc.nat({ max: 200 }));
    fc.assert(
      fc.property(options, counts, (chosen, [dead, succeeded, later]) => {
        const limits = tolerance(chosen);
        const settled = dead + succeeded;
        fc.pre(limits !== undefined && beyondTolerance(limits, { dead, settled }) === undefined);
        const left = deathsLeft(limits, { dead, settled });
        expect(left).toBeGreaterThanOrEqual(1);
        // The next death makes a check in any case. Successes alone can bring a run to its minimum before.
        if (left === 1 || left === Number.POSITIVE_INFINITY) return;
        const fewer = { dead: dead + left - 1, settled: settled + left - 1 + later };
        expect(beyondTolerance(limits, fewer)).toBeUndefined();
        // At once if nothing else settles, but for the minimum, which successes must fill.
        const enough = dead + left + 1;
        const all = Math.max(limits.minimum, settled + left + 1);
        expect(beyondTolerance(limits, { dead: enough, settled: all })).toBeDefined();
      }),
    );
  });
});
