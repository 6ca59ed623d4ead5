import fc from "fast-check";
import { expect } from "vitest";
import type { Source } from "../../../shared/sources/index.ts";
import { type S3LinesOptions, s3LinesWith } from "../../../shared/sources/s3-lines.ts";
import type { FakeS3 } from "../../helpers/fake-s3.ts";
import { itemsOf, itemsOfPartitions, readContext } from "./reading.ts";

/** A source whose partitions are small. */
export const inParts = (options: S3LinesOptions, leastBytes = 1, mostListings?: number): Source =>
  s3LinesWith(options, { now: () => 0, leastBytes, mostListings });

/** Lines of JSON: some are much longer than a partition, some are empty, and some are broken. */
const line = fc.oneof(
  { weight: 6, arbitrary: fc.nat(9_999).map(String) },
  { weight: 2, arbitrary: fc.string({ unit: "grapheme", maxLength: 8 }).map((text) => JSON.stringify(text)) },
  { weight: 1, arbitrary: fc.integer({ min: 100, max: 400 }).map((length) => JSON.stringify("ü".repeat(length))) },
  { weight: 1, arbitrary: fc.constantFrom("", " ", "{", "\ufeff") },
);

const body = fc.record({
  lines: fc.array(line, { maxLength: 25 }),
  encoding: fc.constantFrom("utf-8", "utf-16le", "utf-16be"),
  mark: fc.boolean(),
  lineEnd: fc.constantFrom("\n", "\r\n", "\r\r\n"),
  endsInLineEnd: fc.boolean(),
});

function bytesOf(text: string, encoding: string): Buffer {
  if (encoding === "utf-8") return Buffer.from(text);
  const bytes = Buffer.from(text, "utf16le");
  return encoding === "utf-16le" ? bytes : bytes.swap16();
}

/** An item without what a reader of a piece does not know: the number of the line. */
const withoutLine = (item: unknown): string => JSON.stringify(item).replace(/:\d+ \(byte/, " (byte");

/** Checks for many objects that the partitions together yield exactly the items of a serial walk. */
export async function partitionsCoverObjects(s3: FakeS3, seeds: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      fc.array(body, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom("jsonl", "csv"),
      fc.boolean(),
      async (bodies, leastBytes, pageSize, format, isOne) => {
        s3.empty();
        s3.mostKeys = 2;
        // All objects of a source have one encoding.
        const encoding = bodies[0]?.encoding ?? "utf-8";
        for (const [index, { lines, mark, lineEnd, endsInLineEnd }] of bodies.entries()) {
          const text = ["1", ...lines].join(lineEnd) + (endsInLineEnd ? lineEnd : "");
          s3.put(`in/${index}`, bytesOf((mark ? "\ufeff" : "") + text, encoding));
        }
        const place = { bucket: s3.bucket, ...(isOne ? { key: "in/0" } : { prefix: "in/" }), encoding, pageSize };
        const options = {
          ...place,
          maxItemBytes: 300,
          ...(format === "csv" ? { format: "csv", quote: false } : { format: "jsonl" }),
        } as S3LinesOptions;
        const read = await itemsOfPartitions(inParts(options, leastBytes), { restartAfter: 1 + (pageSize % 2) });
        expect(read.flat().map(withoutLine)).toEqual((await itemsOf(inParts(options))).map(withoutLine));
      },
    ),
    { numRuns: seeds },
  );
}

/** Lines of a byte or two, in an object that is often empty and sometimes much larger than the others. */
const counted = fc.oneof(
  { weight: 4, arbitrary: fc.nat({ max: 3 }) },
  { weight: 1, arbitrary: fc.integer({ min: 20, max: 120 }) },
);

/**
 * Checks for many buckets with more objects than are listed one after the other that the partitions together yield exactly the
 * items of a serial walk, and that large objects are divided.
 */
export async function rangesCoverObjects(s3: FakeS3, seeds: number): Promise<void> {
  let divided = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(counted, { minLength: 3, maxLength: 14 }),
      fc.integer({ min: 4, max: 60 }),
      fc.integer({ min: 2, max: 40 }),
      fc.integer({ min: 1, max: 3 }),
      async (sizes, leastBytes, parts, mostKeys) => {
        s3.empty();
        s3.mostKeys = mostKeys;
        for (const [index, lines] of sizes.entries()) {
          const text = Array.from({ length: lines }, (_, line) => `${(index + line) % 10}\n`).join("");
          s3.put(`in/${String(index * 7).padStart(3, "0")}`, text);
        }
        const options = { bucket: s3.bucket, prefix: "in/", format: "jsonl", partitions: parts } as const;
        const source = inParts(options, leastBytes, 1);
        const read = await itemsOfPartitions(source, { restartAfter: 1 });
        expect(read.length).toBeLessThanOrEqual(parts);
        expect(read.flat()).toEqual(await itemsOf(inParts(options)));
        const partitions = JSON.stringify(await source.partitions?.(readContext()));
        if (partitions.includes("piece") && partitions.includes("group")) divided++;
      },
    ),
    { numRuns: seeds },
  );
  // A test of undivided objects shows nothing.
  expect(divided).toBeGreaterThan(seeds / 10);
}
