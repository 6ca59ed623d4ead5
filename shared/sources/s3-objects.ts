import * as z from "zod";
import { type ListedObject, S3Reader } from "../aws/s3-requests.ts";
import { SourceError } from "../base/errors.ts";
import { rejectUnknownKeys, show } from "../base/options.ts";
import type { KeyRange } from "./key-ranges.ts";
import { pageSizeOption } from "./page-size.ts";
import { partitionsOption } from "./partition-limits.ts";
import { regionOption } from "./region-option.ts";
import { type BucketName, bucketAtSynth, bucketNameOf, checkBucketOption, checkKeyText } from "./s3-bucket.ts";
import { type ListedPart, listObjects, listRight } from "./s3-listing.ts";
import { rangePartition, S3_PARTITIONS, sampledKeyRanges } from "./s3-partitions.ts";
import type { Cursor, Page, PartitionContext, Source } from "./source.ts";

/** Options of `s3Objects`. */
export interface S3ObjectsOptions {
  /** The bucket: a general purpose bucket. */
  readonly bucket: BucketName;
  /** Only keys that begin with this text. Default `""`: all keys of the bucket. */
  readonly prefix?: string;
  /** Only keys after this one, in the order of their UTF-8 bytes. Default: from the first key. */
  readonly startAfter?: string;
  /**
   * The most partitions: 1 to 10,000. They are found by up to 4 requests for each of them, and at most 10,000 in all, when a
   * run starts. `1` reads the bucket as one part. Default 200. A bucket whose keys fit into one response is one part.
   */
  readonly partitions?: number;
  /** Number of items in a page: 1 to 200. Default 200. A request lists 1,000 keys, whatever the page size is. */
  readonly pageSize?: number;
  /** The region of the bucket. Default: the region of the function, or of your AWS configuration. */
  readonly region?: string;
}

/** An item of `s3Objects`. */
export interface S3Object {
  readonly bucket: string;
  /** The key, decoded. Pass it to the SDK as it is. */
  readonly key: string;
  /** In bytes. */
  readonly size: number;
  /** The ETag as S3 returns it, with its quotes. With `IfMatch: etag`, a `GetObject` of a changed object fails. */
  readonly etag: string;
  /** When the object was written, such as `"2026-11-28T01:02:03.000Z"`. */
  readonly lastModified: string;
  /** Such as `"STANDARD"`. Objects in `"GLACIER"` and `"DEEP_ARCHIVE"` must be restored before they can be read. */
  readonly storageClass: string;
}

/**
 * Makes a source from the objects of an S3 bucket: one item for each object, in the order of the keys. It lists the
 * current version of each object and does not read the objects. `s3Lines` reads them.
 *
 * **Partitions.** When a run starts, a sample of the keys divides them into ranges that several producers list at the same
 * time. One prefix with nearly all keys is divided, too. Whatever the sample was, each key is in exactly one range.
 *
 * **Restart.** The cursor is the last key that was read. S3's own continuation token is not used, because AWS does not
 * say how long it is valid. A run can be resumed after days.
 *
 * **Changes.** An object that is written while a run lists the bucket is an item if its key is after the cursor. An
 * object that is deleted after it was listed is still an item.
 *
 * **Folders.** An object whose key ends in `/`, such as the S3 console makes for a folder, is an item like any other.
 *
 * **Rights.** The producer of a deployed workflow gets `s3:ListBucket` on the bucket, for requests with this prefix. A
 * task that reads the objects needs its own right, in `permissions`.
 *
 * **Limits.** A request lists up to 1,000 keys. S3 answers up to 5,500 requests a second for each prefix.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
 *
 * @throws {ConfigurationError} An option is unknown or invalid, or the bucket is a directory bucket, which does not list
 *   its keys in order.
 * @throws {SourceError} While the source is read: the bucket does not exist, or the credentials may not list it, or S3
 *   does not answer in the order of the keys.
 * @example
 * ```ts
 * source: s3Objects({ bucket: "uploads", prefix: "2026/11/" }),
 * source: s3Objects({ bucket: ({ UPLOADS_BUCKET = "" }) => UPLOADS_BUCKET }),
 * ```
 */
export function s3Objects(options: S3ObjectsOptions): Source<S3Object> {
  rejectUnknownKeys(options, ["bucket", "prefix", "startAfter", "partitions", "pageSize", "region"], "s3Objects(...)");
  const { bucket, prefix = "", startAfter } = options;
  checkBucketOption(bucket);
  checkKeyText("prefix", prefix);
  if (startAfter !== undefined) checkKeyText("startAfter", startAfter);
  const pageSize = pageSizeOption(options.pageSize);
  const parts = partitionsOption(options.partitions, S3_PARTITIONS);
  const reader = new S3Reader(regionOption(options.region));
  const part: KeyRange<string> = startAfter === undefined || startAfter === "" ? {} : { after: startAfter };
  return {
    rights: (environment) => [listRight(bucketAtSynth(bucket, environment), prefix)],
    ...(parts > 1 && {
      partitions: async ({ signal }: PartitionContext) => {
        const keys = { bucket: bucketNameOf(bucket, process.env), prefix, part };
        return (await sampledKeyRanges(reader, keys, parts, signal)).map(rangePartition);
      },
    }),
    async *pages(cursor, context) {
      const name = bucketNameOf(bucket, process.env);
      const range = cursor === undefined ? part : readCursor(cursor);
      const objects = listObjects(reader, { bucket: name, prefix, part: range });
      yield* pagesOf(objects(context), pageSize, name, range.upTo);
    },
  };
}

async function* pagesOf(
  parts: AsyncIterable<ListedPart>,
  pageSize: number,
  bucket: string,
  upTo: string | undefined,
): AsyncGenerator<Page<S3Object>> {
  // Only when S3 says that nothing follows is a page the last one. So one response is held until the next one is there.
  let held: ListedObject[] = [];
  for await (const { objects } of parts) {
    held.push(...objects);
    while (held.length > pageSize) {
      const page = held.slice(0, pageSize);
      held = held.slice(pageSize);
      const next = { after: page.at(-1)?.key ?? "", ...(upTo !== undefined && { upTo }) };
      yield { items: page.map((object) => toItem(object, bucket)), next };
    }
  }
  yield { items: held.map((object) => toItem(object, bucket)) };
}

const toItem = ({ lastModified, ...object }: ListedObject, bucket: string): S3Object => ({
  bucket,
  key: object.key,
  size: object.size,
  etag: object.etag,
  lastModified: lastModified.toISOString(),
  storageClass: object.storageClass,
});

const cursorSchema = z.strictObject({
  /** The last key that was read, or the end of the partition before. Absent: the first key is the next one. */
  after: z.string().min(1).optional(),
  /** The end of the partition, inclusive. Absent: the end of the listing. */
  upTo: z.string().min(1).optional(),
});

function readCursor(cursor: Cursor): KeyRange<string> {
  const parsed = cursorSchema.safeParse(cursor);
  if (parsed.success) {
    const { after, upTo } = parsed.data;
    return { ...(after !== undefined && { after }), ...(upTo !== undefined && { upTo }) };
  }
  throw new SourceError(
    `the cursor ${show(cursor)} does not come from s3Objects(...): the workflow's source was probably replaced. Start a ` +
      "new run",
  );
}
