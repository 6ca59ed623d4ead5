import type { S3Reader } from "../aws/s3-requests.ts";
import type { KeyRange } from "./key-ranges.ts";
import { fitsCursor, LEAST_BYTES, type LinePart, type ListedText, piecesOf } from "./line-partitions.ts";
import { listObjects } from "./s3-listing.ts";

/** A range of keys, and its large objects. */
export interface ListedRange {
  readonly range: KeyRange<string>;
  /** In the order of their keys. */
  readonly large: readonly LargeObject[];
  /** How many bytes the objects have that were listed. */
  readonly bytes: number;
}

interface LargeObject extends ListedText {
  /** The key of the object before it in the range. Absent: it is the first one. */
  readonly before: string | undefined;
}

/** How many ranges are listed at the same time. */
const PARALLEL_LISTINGS = 32;
/** How many responses are listed to find large objects: those of a million objects, which cost $0.005. */
const MOST_RESPONSES = 1_000;

/**
 * Lists ranges of keys, and keeps their large objects. After 1,000 responses it stops: large objects that were not found until
 * then are not divided.
 *
 * @param leastBytes An object with more bytes is large.
 * @throws {SourceError} S3 refused a request, or did not answer in the order of the keys.
 */
export async function listRanges(
  reader: S3Reader,
  keys: { readonly bucket: string; readonly prefix: string },
  ranges: readonly KeyRange<string>[],
  { signal, leastBytes = LEAST_BYTES }: { readonly signal: AbortSignal; readonly leastBytes?: number | undefined },
): Promise<readonly ListedRange[]> {
  const found: ListedRange[] = ranges.map((range) => ({ range, large: [], bytes: 0 }));
  let responses = 0;
  let next = 0;
  const list = async () => {
    while (next < ranges.length) {
      const position = next++;
      const range = ranges[position] as KeyRange<string>;
      const large: LargeObject[] = [];
      let bytes = 0;
      let before: string | undefined;
      if (responses >= MOST_RESPONSES) return;
      for await (const { objects } of listObjects(reader, { ...keys, part: range })({ signal })) {
        responses++;
        for (const { key, etag, size } of objects) {
          if (size > leastBytes) large.push({ key, etag, size, before });
          bytes += size;
          before = key;
        }
        if (responses >= MOST_RESPONSES) break;
      }
      found[position] = { range, large, bytes };
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_LISTINGS, ranges.length) }, list));
  return found;
}

/**
 * Divides the large objects of ranges of keys into pieces. What is before and behind such an object stays a range. So each object
 * that was listed is in exactly one part.
 *
 * @param parts The most parts: at least as many as there are ranges.
 */
export function rangeParts(
  ranges: readonly ListedRange[],
  { parts, leastBytes = LEAST_BYTES }: { readonly parts: number; readonly leastBytes?: number | undefined },
): readonly LinePart[] {
  const total = ranges.reduce((sum, { bytes }) => sum + bytes, 0);
  const room = Math.max(1, parts - ranges.length);
  for (let target = Math.max(leastBytes, Math.ceil(total / room)); ; target *= 2) {
    const found = ranges.flatMap((range) => partsOf(range, target));
    // With a larger target, fewer objects are divided, and in the end none.
    if (found.length <= parts || found.length === ranges.length) return found;
  }
}

function partsOf({ range, large }: ListedRange, target: number): readonly LinePart[] {
  const parts: LinePart[] = [];
  let { after } = range;
  for (const { before, ...object } of large) {
    if (object.size <= target) continue;
    const pieces = piecesOf(object, target).map((piece): LinePart => ({ piece }));
    const hasBefore = before !== undefined && before !== after;
    const ahead: readonly LinePart[] = hasBefore ? [groupOf({ after, upTo: before })] : [];
    const behind = groupOf({ after: object.key, upTo: range.upTo });
    // An object with a very long key stays in its range.
    if (![...ahead, ...pieces, behind].every(fitsCursor)) continue;
    parts.push(...ahead, ...pieces);
    after = object.key;
  }
  return [...parts, groupOf({ after, upTo: range.upTo })];
}

const groupOf = ({ after, upTo }: { after: string | undefined; upTo: string | undefined }): LinePart => ({
  group: { ...(after !== undefined && { after }), ...(upTo !== undefined && { upTo }) },
});
