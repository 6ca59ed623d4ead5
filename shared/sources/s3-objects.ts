import * as z from "zod";
import { type ListedObject, S3Reader } from "../aws/s3-objects.ts";
import { SourceError } from "../base/errors.ts";
import { rejectUnknownKeys, show } from "../base/options.ts";
import { compareUtf8, type KeyRange } from "./key-ranges.ts";
import { pageSizeOption } from "./page-size.ts";
import { regionOption } from "./region-option.ts";
import { type BucketName, bucketAtSynth, bucketNameOf, checkBucketOption, checkKeyText } from "./s3-bucket.ts";
import { serviceRefusal } from "./service-refusal.ts";
import type { Cursor, Page, ReadContext, Source, SourceRight } from "./source.ts";

/** Options of `s3Objects`. */
export interface S3ObjectsOptions {
  /** The bucket: a general purpose bucket. */
  readonly bucket: BucketName;
  /** Only keys that begin with this text. Default `""`: all keys of the bucket. */
  readonly prefix?: string;
  /** Only keys after this one, in the order of their UTF-8 bytes. Default: from the first key. */
  readonly startAfter?: string;
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
  rejectUnknownKeys(options, ["bucket", "prefix", "startAfter", "pageSize", "region"], "s3Objects(...)");
  const { bucket, prefix = "", startAfter } = options;
  checkBucketOption(bucket);
  checkKeyText("prefix", prefix);
  if (startAfter !== undefined) checkKeyText("startAfter", startAfter);
  const pageSize = pageSizeOption(options.pageSize);
  const reader = new S3Reader(regionOption(options.region));
  const part: KeyRange<string> = startAfter === undefined ? {} : { after: startAfter };
  return {
    rights: (environment) => [listRight(bucketAtSynth(bucket, environment), prefix)],
    async *pages(cursor, context) {
      const name = bucketNameOf(bucket, process.env);
      const after = cursor === undefined ? part.after : readCursor(cursor);
      const objects = listObjects(reader, {
        bucket: name,
        prefix,
        part: { ...part, ...(after !== undefined && { after }) },
      });
      yield* pagesOf(objects(context), pageSize, name);
    },
  };
}

/** The right to list the keys of a bucket with exactly this prefix. */
export function listRight(bucket: string, prefix: string): SourceRight {
  return {
    actions: ["s3:ListBucket"],
    resources: [{ service: "s3", region: "", account: "", resource: bucket }],
    // The request has no parameter `prefix` if the prefix is empty.
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
    ...(prefix !== "" && { conditions: { StringEquals: { "s3:prefix": withoutVariables(prefix) } } }),
  };
}

/**
 * A text in a condition in which `${...}` names no policy variable.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
 */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is the syntax of policies.
const withoutVariables = (text: string): string => text.replaceAll("${", "${$}{");

/** Which keys of a bucket to list. */
export interface ListedKeys {
  readonly bucket: string;
  readonly prefix: string;
  readonly part: KeyRange<string>;
}

/** One response of S3, and whether it was the last one of the part. */
export interface ListedPart {
  readonly objects: readonly ListedObject[];
  readonly isLast: boolean;
}

/**
 * Lists the objects of a part, response by response.
 *
 * @throws {SourceError} S3 refused a request, or did not answer in the order of the keys.
 */
export function listObjects(reader: S3Reader, { bucket, prefix, part }: ListedKeys) {
  return async function* ({ signal }: Pick<ReadContext, "signal">): AsyncGenerator<ListedPart, void, void> {
    let { after } = part;
    let token: string | undefined;
    for (;;) {
      const listing = await reader.list({ bucket, prefix, after, token }, signal).catch((thrown) => {
        throw listFailure(thrown, bucket, prefix, signal);
      });
      const place = `s3://${bucket}/${prefix}`;
      for (const { key } of listing.objects) {
        if (after !== undefined && compareUtf8(key, after) <= 0) throw unordered(place, key, after);
        if (!key.startsWith(prefix)) throw foreign(place, key);
        after = key;
      }
      const { upTo } = part;
      const within =
        upTo === undefined ? listing.objects : listing.objects.filter(({ key }) => compareUtf8(key, upTo) <= 0);
      const isLast = !listing.truncated || within.length < listing.objects.length;
      yield { objects: within, isLast };
      if (isLast) return;
      // A truncated response without keys cannot be continued after its last key.
      token = listing.objects.length === 0 ? listing.token : undefined;
      if (listing.objects.length === 0 && token === undefined) {
        throw new SourceError(`the listing of ${place} says that more keys follow, but has neither a key nor a token`);
      }
    }
  };
}

async function* pagesOf(
  parts: AsyncIterable<ListedPart>,
  pageSize: number,
  bucket: string,
): AsyncGenerator<Page<S3Object>> {
  // Only when S3 says that nothing follows is a page the last one. So one response is held until the next one is there.
  let held: ListedObject[] = [];
  for await (const { objects } of parts) {
    held.push(...objects);
    while (held.length > pageSize) {
      const page = held.slice(0, pageSize);
      held = held.slice(pageSize);
      yield { items: page.map((object) => toItem(object, bucket)), next: { after: page.at(-1)?.key ?? "" } };
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
  /** The last key that was read. */
  after: z.string().min(1),
});

function readCursor(cursor: Cursor): string {
  const parsed = cursorSchema.safeParse(cursor);
  if (parsed.success) return parsed.data.after;
  throw new SourceError(
    `the cursor ${show(cursor)} does not come from s3Objects(...): the workflow's source was probably replaced. Start a ` +
      "new run",
  );
}

function listFailure(thrown: unknown, bucket: string, prefix: string, signal: AbortSignal): unknown {
  return serviceRefusal(thrown, {
    action: `list s3://${bucket}/${prefix}`,
    right: `s3:ListBucket on arn:aws:s3:::${bucket}`,
    signal,
    fixes: S3_FIXES,
  });
}

/** Errors of S3 that last. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
export const S3_FIXES: Readonly<Record<string, string>> = {
  NoSuchBucket: "Correct the option bucket, or create the bucket",
  InvalidBucketName: "Correct the option bucket",
  PermanentRedirect: "The bucket is in another region: set the option region",
  IllegalLocationConstraintException: "The bucket is in another region: set the option region",
  AuthorizationHeaderMalformed: "The bucket is in another region: set the option region",
};

function unordered(place: string, key: string, after: string): SourceError {
  return new SourceError(
    `the listing of ${place} has the key ${show(key)} after ${show(after)}, which is not the order of the keys' UTF-8 bytes. ` +
      "Such a bucket cannot be read in parts: use a general purpose bucket of S3",
    { permanent: true },
  );
}

function foreign(place: string, key: string): SourceError {
  return new SourceError(`the listing of ${place} has the key ${show(key)}, which does not begin with the prefix`, {
    permanent: true,
  });
}
