import type { ObjectStore } from "../aws/object-store.ts";
import { ConfigurationError } from "../base/errors.ts";
import { show } from "../base/options.ts";
import { FileObjectStore } from "./file-object-store.ts";

/**
 * The object store at a URL: `s3:` for a bucket, `file:` for a directory.
 *
 * @param openS3 Opens a store in S3. The caller passes it, because a function has the SDK for S3 in a file of its own.
 * @throws {ConfigurationError} The URL has another scheme.
 * @example const store = await objectStoreOfUrl("file:///home/me/.sluice/cities/results", openS3)
 */
export async function objectStoreOfUrl(
  url: string,
  openS3: (url: string) => Promise<ObjectStore>,
): Promise<ObjectStore> {
  if (url.startsWith("file:")) return new FileObjectStore(url);
  if (url.startsWith("s3:")) return await openS3(url);
  throw new ConfigurationError(`the URL of an object store must begin with s3: or file:, but is ${show(url)}`);
}
