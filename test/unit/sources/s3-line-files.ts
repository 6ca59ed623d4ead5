import fc from "fast-check";
import { expect } from "vitest";
import type { Source } from "../../../shared/sources/index.ts";
import { type S3LinesOptions, s3LinesWith } from "../../../shared/sources/s3-lines.ts";
import type { FakeS3 } from "../../helpers/fake-s3.ts";
import { itemsOf, itemsOfPartitions } from "./reading.ts";

/** A source whose partitions are small. */
export const inParts = (options: S3LinesOptions, leastBytes = 1): Source =>
  s3LinesWith(options, { now: () => 0, leastBytes });

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
