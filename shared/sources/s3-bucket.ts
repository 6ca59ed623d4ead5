import { ConfigurationError, SourceError } from "../base/errors.ts";
import { show } from "../base/options.ts";
import type { Environment } from "./source.ts";

/**
 * The name of a bucket, or a function that returns the name from the environment variables of the deployed function.
 *
 * @example `"uploads"`, `({ BUCKET = "" }) => BUCKET`
 */
export type BucketName = string | ((environment: Environment) => string);

/** @throws {ConfigurationError} The value is neither the name of a general purpose bucket nor a function. */
export function checkBucketOption(bucket: unknown): void {
  if (typeof bucket === "function") return;
  const wrong = faultOf(bucket);
  if (wrong !== undefined) throw new ConfigurationError(wrong);
}

/**
 * The name of the bucket, when the source reads it.
 *
 * @throws {SourceError} `permanent`: the function returned something else than the name of a general purpose bucket.
 */
export function bucketNameOf(bucket: BucketName, environment: Environment): string {
  if (typeof bucket !== "function") return bucket;
  const name = bucket(environment);
  const wrong = faultOf(name);
  if (wrong !== undefined) throw new SourceError(wrong, { permanent: true });
  return name;
}

/**
 * The name of the bucket for a policy, at synth. It can be a token of the CDK.
 *
 * @throws {ConfigurationError} The function returned no name.
 */
export function bucketAtSynth(bucket: BucketName, environment: Environment): string {
  const name: unknown = typeof bucket === "function" ? bucket(environment) : bucket;
  if (typeof name === "string" && name !== "") return name;
  throw new ConfigurationError(
    `the function bucket returned ${show(name)}: name the variable that it reads in the workflow's option environment, and ` +
      "set the variable",
  );
}

/**
 * What is wrong with the name of a bucket. Directory buckets, whose names end in `--x-s3`, do not list their keys in
 * order, and do not know `StartAfter`. So a run could not continue where it stopped.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-differences.html
 */
function faultOf(name: unknown): string | undefined {
  if (typeof name === "string" && /--(?:x|xa)-s3$/.test(name)) {
    return (
      `bucket is the directory bucket ${show(name)}, which does not list its keys in order: a run could not continue where ` +
      "it stopped. Use a general purpose bucket, or your own readPage"
    );
  }
  // Buckets from before 2018 may have upper-case letters and underscores.
  if (typeof name === "string" && /^[A-Za-z0-9][A-Za-z0-9._-]{2,254}$/.test(name)) return undefined;
  return `bucket must be the name of a bucket, but is ${show(name)}: write the name alone, such as "uploads", and no ARN or URL`;
}

/** @throws {ConfigurationError} The value cannot be a key of S3, or the start of one. */
export function checkKeyText(option: string, value: unknown): void {
  if (typeof value === "string" && value.isWellFormed() && Buffer.byteLength(value) <= LONGEST_KEY_BYTES) return;
  throw new ConfigurationError(
    `${option} must be a text of at most ${LONGEST_KEY_BYTES} bytes in UTF-8, but is ${show(value)}: write it without ` +
      's3:// and without the bucket, such as "2026/11/"',
  );
}

/**
 * S3: the longest key, in bytes of UTF-8.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
 */
const LONGEST_KEY_BYTES = 1_024;
