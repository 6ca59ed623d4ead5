import fc from "fast-check";
import type { Scenario, SourcePage, SourceVersion } from "./ledger-world.ts";

export interface Bounds {
  /** Pages of the source at the most. */
  readonly pages?: number;
  readonly itemsPerPage?: number;
  /** Steps at the most that do not simply go well. */
  readonly choices?: number;
  readonly duplicates?: boolean;
  readonly redrives?: number;
  readonly cancels?: boolean;
  readonly pagesBefore?: fc.Arbitrary<number>;
}

const sourcePage = (largest: number): fc.Arbitrary<SourcePage> =>
  fc.record({
    size: fc.integer({ min: 1, max: largest }),
    salt: fc.nat({ max: 2 }),
    invalid: fc.oneof(
      { weight: 4, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.constantFrom([0], [1], [0, 1]) },
    ),
  });

const sourceVersion = (pages: number, itemsPerPage: number): fc.Arbitrary<SourceVersion> =>
  fc.record({
    pages: fc.array(sourcePage(itemsPerPage), { maxLength: pages, size: "max" }),
    endsEmpty: fc.boolean(),
  });

/** Scenarios of all kinds, small enough for their interleavings to be dense. */
export function scenarios(bounds: Bounds): fc.Arbitrary<Scenario> {
  const { pages = 3, itemsPerPage = 3, choices = 300, duplicates = true, redrives = 0, cancels = false } = bounds;
  const { pagesBefore = fc.constant(0) } = bounds;
  return fc.record({
    versions: fc.array(sourceVersion(pages, itemsPerPage), { minLength: 1, maxLength: 3 }),
    choices: fc.array(fc.nat({ max: 9_999 }), { maxLength: choices, size: "max" }),
    faultPercent: fc.constantFrom(0, 5, 15, 30),
    duplicates: duplicates ? fc.boolean() : fc.constant(false),
    redrives: redrives === 0 ? fc.constant(0) : fc.integer({ min: 1, max: redrives }),
    cancelledAfter: cancels ? fc.nat({ max: choices }) : fc.constant(undefined),
    pagesBefore,
  });
}
