import { ConfigurationError } from "../base/errors.ts";
import { show } from "../base/options.ts";

/** A bucket, and where the objects of a store are in it. */
export interface S3Location {
  readonly bucket: string;
  /** What the keys of all objects begin with. Empty, or with `/` at its end. */
  readonly prefix: string;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const S3_URL = /^s3:\/\/(?<bucket>[a-z0-9][a-z0-9.-]+[a-z0-9])(?:\/(?<prefix>.*))?$/;

/** Directory buckets have this suffix. They list their objects in no order. */
const DIRECTORY_BUCKET = "--x-s3";

/**
 * Reads the URL of an object store in S3.
 *
 * @throws {ConfigurationError} The URL has another form, or names a directory bucket.
 * @example s3Location("s3://my-bucket/results/cities") // { bucket: "my-bucket", prefix: "results/cities/" }
 */
export function s3Location(url: string): S3Location {
  const { bucket, prefix = "" } = S3_URL.exec(url)?.groups ?? {};
  if (bucket === undefined) {
    throw new ConfigurationError(
      `the URL of an object store in S3 must be s3://<bucket>/<prefix>, but is ${show(url)}: the name of a bucket has ` +
        "lower-case letters, digits, dots and hyphens",
    );
  }
  if (bucket.endsWith(DIRECTORY_BUCKET)) {
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
    throw new ConfigurationError(
      `${show(bucket)} is a directory bucket, which does not list its objects in the order of their keys: use a general ` +
        "purpose bucket",
    );
  }
  const path = prefix.replace(/\/$/, "");
  return { bucket, prefix: path === "" ? "" : `${path}/` };
}
