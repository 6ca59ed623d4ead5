import type { S3ClientConfig } from "@aws-sdk/client-s3";
import type { StoreErrors } from "./object-store.ts";
import { S3ObjectStore } from "./s3-object-store.ts";
import * as sdk from "./s3-sdk.ts";

/**
 * The entry of the file `s3.mjs`, which the functions of workflows with results have beside their bundles. It contains the
 * store and the SDK for S3, so they make no other function larger or its start slower.
 *
 * @param errors The classes of the bundle. The file has classes of the same names, but `instanceof` would not know them.
 * @throws {ConfigurationError} The URL is not one of S3.
 */
export function openS3Store(url: string, config: S3ClientConfig, errors: StoreErrors): S3ObjectStore {
  return new S3ObjectStore(url, sdk, new sdk.S3Client(config), { errors });
}
