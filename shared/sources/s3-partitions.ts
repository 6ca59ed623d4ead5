import type { S3Reader } from "../aws/s3-requests.ts";
import { compareUtf8, type KeyRange } from "./key-ranges.ts";
import { type FirstKeys, sampledRanges } from "./key-sample.ts";
import { type ListedKeys, listObjects } from "./s3-listing.ts";
import type { Partition } from "./source.ts";

/** Without the option, a source in S3 has at most this many partitions. */
export const S3_PARTITIONS = 200;

/** How many requests a sample takes for each partition, and how many keys each of them lists. */
const SAMPLE = { requestsPerPartition: 4, mostRequests: 10_000, keys: 200 } as const;
/** A cursor has two keys, and the ledger stores cursors of partitions of up to 2 KiB. */
const LONGEST_KEY_BYTES = 900;

/**
 * Divides the keys of a bucket into ranges, by a sample of them. Requests for the sample have the prefix of the source, so
 * the right to list exactly this prefix suffices. The order of the keys is that of their UTF-8 bytes, in which S3 lists
 * them. A key that begins a range need not exist: S3 accepts any text in `StartAfter`.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
 *
 * @throws {SourceError} S3 refused a request, or did not answer in the order of the keys.
 */
export async function sampledKeyRanges(
  reader: S3Reader,
  { bucket, prefix, part }: ListedKeys,
  parts: number,
  signal: AbortSignal,
): Promise<readonly KeyRange<string>[]> {
  let isFirst = true;
  const list = async (after: string | undefined): Promise<FirstKeys> => {
    // If one response has all keys, the source is not divided.
    const most = isFirst ? undefined : SAMPLE.keys;
    isFirst = false;
    const listed = listObjects(reader, { bucket, prefix, part: after === undefined ? {} : { after }, most });
    for await (const { objects, isLast } of listed({ signal })) {
      // A response can lack keys although more keys follow.
      if (objects.length > 0 || isLast) return { keys: objects.map(({ key }) => key), isLast };
    }
    return { keys: [], isLast: true };
  };
  return await sampledRanges({
    prefix,
    after: part.after,
    parts,
    requests: Math.min(SAMPLE.requestsPerPartition * parts, SAMPLE.mostRequests),
    isUsable: (boundary) => Buffer.byteLength(JSON.stringify(boundary)) <= LONGEST_KEY_BYTES,
    list,
    compare: compareUtf8,
  });
}

/** The partition of a range of keys. */
export const rangePartition = (range: KeyRange<string>, index: number): Partition => ({
  id: idOf(range, index),
  cursor: { ...range },
});

/** A name that says which keys failed, in messages about the partition. */
function idOf({ after, upTo }: KeyRange<string>, index: number): string {
  const end = (key: string) => key.slice(0, 60).replaceAll(/[^ -~]/g, "?");
  const from = after === undefined ? "from the first key" : `after ${end(after)}`;
  return `${index}: ${from} ${upTo === undefined ? "to the last key" : `up to ${end(upTo)}`}`;
}
