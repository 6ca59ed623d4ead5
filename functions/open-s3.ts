import { clientConfig } from "../shared/aws/client-config.ts";
import type { ObjectStore } from "../shared/aws/object-store.ts";
import { S3ObjectStore, type S3Sdk } from "../shared/aws/s3-object-store.ts";

/**
 * Opens a store of results in S3. The SDK for S3 is a file beside the bundle (`S3_FILE`), and only the functions of
 * workflows with results have the file. So the SDK makes no other function larger or its start slower.
 */
export async function openS3(url: string): Promise<ObjectStore> {
  // esbuild does not follow an import whose name is computed.
  const file = new URL("./s3.mjs", import.meta.url).href;
  const sdk: S3Sdk = await import(file);
  return new S3ObjectStore(url, sdk, new sdk.S3Client(clientConfig()));
}
