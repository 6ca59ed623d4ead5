import * as fc from "fast-check";
import { expect } from "vitest";
import * as z from "zod";
import type { Cursor, Page } from "../../../shared/sources/index.ts";
import { keysetPages, readSqlCursor, type SqlReader } from "../../../shared/sources/sql-pages.ts";
import { sqlPartitions } from "../../../shared/sources/sql-partitions.ts";

/** A database in memory: it orders keys of two columns by a collation, in which some different texts are equal. */
export class Rows implements SqlReader<string> {
  readonly pageSize: number;
  readonly #keys: readonly (readonly [string, string])[];

  constructor(keys: readonly (readonly [string, string])[], pageSize: number) {
    this.#keys = keys.toSorted(compare);
    this.pageSize = pageSize;
  }

  get keys() {
    return this.#keys;
  }

  async read({ after, upTo }: Parameters<SqlReader<string>["read"]>[0]) {
    const found = this.#keys.filter(
      (key) => (after === undefined || compare(key, after) > 0) && (upTo === undefined || compare(key, upTo) <= 0),
    );
    return found.slice(0, this.pageSize + 1).map((key, index) => ({
      item: key,
      key,
      isEqualToBefore: index > 0 && compare(found[index - 1] ?? key, key) === 0,
    }));
  }

  hasNullKey = async () => false;
}

const collator = new Intl.Collator("en");

/** An order that is not that of the code points: A comes after a, and before b. */
export const compare = (left: readonly string[], right: readonly string[]): number =>
  collator.compare(left[0] ?? "", right[0] ?? "") || collator.compare(left[1] ?? "", right[1] ?? "");

export async function walk(rows: Rows, cursor: Cursor | undefined): Promise<readonly unknown[]> {
  const place = readSqlCursor(JSON.parse(JSON.stringify(cursor ?? {})), z.string(), { key: ["a", "b"] }, "test");
  const pages: Page[] = [];
  for await (const page of keysetPages(rows, place, { name: "the table", key: ["a", "b"], pageSize: rows.pageSize })) {
    pages.push(page);
  }
  return pages.flatMap(({ items }) => items);
}

/** Keys with gaps, in which few tenants have nearly all rows. */
const skewed = fc.array(
  fc.tuple(
    fc.oneof(
      { weight: 9, arbitrary: fc.constant("m") },
      { weight: 1, arbitrary: fc.constantFrom("", "A", "a", "Z", "é") },
    ),
    fc.oneof(fc.nat(30).map(String), fc.string({ maxLength: 2 })),
  ),
  { maxLength: 40 },
);
export const distinct = skewed.map((keys) => {
  const sorted = keys.toSorted(compare);
  return sorted.filter((key, index) => index === 0 || compare(sorted[index - 1] ?? [], key) !== 0);
});

/** Checks for many tables and samples that the partitions together yield exactly the rows of a serial walk. */
export async function partitionsCoverTables(seeds: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      distinct,
      // Keys of the sample can have been deleted since, and others inserted.
      skewed,
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 5 }),
      async (keys, sample, parts, pageSize) => {
        const rows = new Rows(keys, pageSize);
        const partitions = sqlPartitions(sample.toSorted(compare), parts);
        expect(partitions.length).toBeLessThanOrEqual(parts);
        expect(new Set(partitions.map(({ id }) => id)).size).toBe(partitions.length);
        const read = await Promise.all(partitions.map(({ cursor }) => walk(rows, cursor)));
        expect(read.flat()).toEqual(await walk(rows, undefined));
        expect(read.flat()).toEqual(rows.keys);
      },
    ),
    { numRuns: seeds },
  );
}
