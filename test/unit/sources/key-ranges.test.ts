import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { S3Reader } from "../../../shared/aws/s3-requests.ts";
import { boundariesOf, compareUtf8, keyRanges } from "../../../shared/sources/key-ranges.ts";
import { listObjects } from "../../../shared/sources/s3-listing.ts";
import { FakeS3 } from "../../helpers/fake-s3.ts";
import { seeds } from "../../helpers/seeds.ts";
import { never } from "./reading.ts";

let s3: FakeS3;
beforeEach(() => {
  s3 = new FakeS3();
});
afterEach(() => s3.restore());

/** Keys as buckets have them: few prefixes with many keys, some keys far away. */
const skewedKeys = fc.uniqueArray(
  fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 999 }).map((number) => `logs/2026/11/${number}`) },
    { weight: 1, arbitrary: fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }) },
  ),
  { maxLength: 40 },
);
const boundaries = fc.array(
  fc.oneof(
    fc.integer({ min: 0, max: 999 }).map((n) => `logs/2026/11/${n}`),
    fc.string({ unit: "grapheme" }),
  ),
  {
    maxLength: 12,
  },
);

test("any key is in exactly one range, whatever the boundaries are", () => {
  fc.assert(
    fc.property(skewedKeys, boundaries, (keys, at) => {
      const ranges = keyRanges(at, compareUtf8);
      for (const key of [...keys, ...at]) {
        const holding = ranges.filter(
          ({ after, upTo }) =>
            (after === undefined || compareUtf8(key, after) > 0) && (upTo === undefined || compareUtf8(key, upTo) <= 0),
        );
        expect(holding).toHaveLength(1);
      }
    }),
    { numRuns: seeds(200) },
  );
});

test("the listings of the ranges are together exactly the listing of the bucket", async () => {
  const list = async (part: { after?: string; upTo?: string }) => {
    const keys: string[] = [];
    const parts = listObjects(new S3Reader(), { bucket: "uploads", prefix: "", part })({ signal: never });
    for await (const { objects } of parts) keys.push(...objects.map(({ key }) => key));
    return keys;
  };
  await fc.assert(
    fc.asyncProperty(skewedKeys, boundaries, fc.integer({ min: 1, max: 20 }), async (keys, at, mostKeys) => {
      s3.empty();
      for (const key of keys) s3.put(key);
      s3.mostKeys = mostKeys;
      const listed: string[] = [];
      // S3 refuses no StartAfter but an empty one, which means the beginning.
      for (const range of keyRanges(
        at.filter((key) => key !== ""),
        compareUtf8,
      ))
        listed.push(...(await list(range)));
      expect(listed).toEqual(keys.toSorted(compareUtf8));
    }),
    { numRuns: seeds(50) },
  );
});

test("a range reads no response beyond its end", async () => {
  for (let index = 0; index < 50; index++) s3.put(`k${String(index).padStart(2, "0")}`);
  s3.mostKeys = 5;
  const parts = listObjects(new S3Reader(), { bucket: "uploads", prefix: "", part: { after: "k09", upTo: "k14" } });
  const responses: [number, boolean][] = [];
  for await (const { objects, isLast } of parts({ signal: never })) responses.push([objects.length, isLast]);
  expect(responses).toEqual([
    [5, false],
    [0, true],
  ]);
  expect(s3.inputsOf(ListObjectsV2Command)).toHaveLength(2);
});

test("boundaries of a sample divide it into parts of nearly the same size", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 1, max: 50 }), (size, parts) => {
      const sample = Array.from({ length: size }, (_, index) => index);
      const found = boundariesOf(sample, parts);
      expect(found).toHaveLength(Math.min(parts - 1, size));
      const ranges = keyRanges(found, (left, right) => left - right);
      const sizes = ranges.map(
        ({ after = -1, upTo = size - 1 }) => sample.filter((key) => key > after && key <= upTo).length,
      );
      expect(sizes.reduce((sum, each) => sum + each, 0)).toBe(size);
      if (size >= parts) expect(Math.max(...sizes)).toBeLessThanOrEqual(Math.ceil(size / parts) + 1);
    }),
  );
});

/** Composite keys of a table: few tenants, of which one has most rows, and ids with gaps. */
const tuple = fc.tuple(
  fc.constantFrom(0, 1, 1, 1, 1, 7),
  fc.integer({ min: 0, max: 60 }).map((id) => id * id),
);
const byTuple = ([a, b]: readonly [number, number], [c, d]: readonly [number, number]) => a - c || b - d;

test("rows with composite keys, gaps and repeated percentiles are in exactly one range each", () => {
  fc.assert(
    fc.property(
      fc.array(tuple, { maxLength: 60 }),
      fc.array(tuple, { maxLength: 20 }),
      fc.integer({ min: 1, max: 12 }),
      (rows, sample, parts) => {
        // A sample of rows has the same key more than once.
        const ranges = keyRanges(boundariesOf(sample.toSorted(byTuple), parts), byTuple);
        expect(ranges.length).toBeLessThanOrEqual(parts);
        for (const row of [...rows, ...sample]) {
          const holding = ranges.filter(
            ({ after, upTo }) =>
              (after === undefined || byTuple(row, after) > 0) && (upTo === undefined || byTuple(row, upTo) <= 0),
          );
          expect(holding).toHaveLength(1);
        }
      },
    ),
    { numRuns: seeds(200) },
  );
});
