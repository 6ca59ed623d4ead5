import fc from "fast-check";
import { expect } from "vitest";
import { compareUtf8 } from "../../../shared/sources/key-ranges.ts";
import { s3Objects } from "../../../shared/sources/s3-objects.ts";
import type { FakeS3 } from "../../helpers/fake-s3.ts";
import { itemsOf, itemsOfPartitions } from "./reading.ts";

/** Keys as buckets have them: one prefix with nearly all keys, long beginnings that all share, and odd characters. */
export const skewedKeys = fc
  .tuple(
    fc.constantFrom("", "logs/2026/11/28/", "\u{10ffff}", "ü"),
    fc.uniqueArray(
      fc.oneof(
        { weight: 6, arbitrary: fc.nat(999).map((number) => `large/part-${number}`) },
        { weight: 1, arbitrary: fc.nat(99).map((number) => `${number}/x`) },
        // UTF-16 units would order these in another way than UTF-8 bytes do.
        { weight: 1, arbitrary: fc.constantFrom("\uffee", "\u{1f600}", "\ue000", "\ud7ff", "~", "\x7f", " ", "\x01") },
        { weight: 1, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 5 }) },
      ),
      { maxLength: 40 },
    ),
  )
  .map(([begin, keys]) => keys.map((key) => begin + key));

/** Checks for many buckets that the partitions together yield exactly the keys of a serial walk. */
export async function partitionsCoverBuckets(s3: FakeS3, seeds: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      skewedKeys,
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 2, max: 40 }),
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(undefined, "large/part-5", "logs/2026/11/28/large/part-3"),
      async (keys, mostKeys, partitions, pageSize, startAfter) => {
        s3.empty();
        for (const key of keys) s3.put(key);
        s3.mostKeys = mostKeys;
        const options = { bucket: s3.bucket, partitions, pageSize, ...(startAfter !== undefined && { startAfter }) };
        const read = await itemsOfPartitions(s3Objects(options), { restartAfter: 1 + (keys.length % 3) });
        expect(read.length).toBeLessThanOrEqual(partitions);
        const listed = read.flat().map(({ key }) => key);
        expect(listed).toEqual((await itemsOf(s3Objects(options))).map(({ key }) => key));
        const wanted = keys.filter((key) => startAfter === undefined || compareUtf8(key, startAfter) > 0);
        expect(listed).toEqual(wanted.toSorted(compareUtf8));
      },
    ),
    { numRuns: seeds },
  );
}
