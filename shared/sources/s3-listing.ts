import type { ListedObject, S3Reader } from "../aws/s3-requests.ts";
import { SourceError } from "../base/errors.ts";
import { show } from "../base/options.ts";
import { compareUtf8, type KeyRange } from "./key-ranges.ts";
import { serviceRefusal } from "./service-refusal.ts";
import type { ReadContext, SourceRight } from "./source.ts";

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
  /** The most keys of a response. Default: as many as S3 lists at once. */
  readonly most?: number | undefined;
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
export function listObjects(reader: S3Reader, { bucket, prefix, part, most }: ListedKeys) {
  return async function* ({ signal }: Pick<ReadContext, "signal">): AsyncGenerator<ListedPart, void, void> {
    let { after } = part;
    let token: string | undefined;
    for (;;) {
      const listing = await reader.list({ bucket, prefix, after, token, most }, signal).catch((thrown) => {
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
