import { clientConfig } from "../shared/aws/client-config.ts";
import { ObjectMissingError, type ObjectStore, ObjectStoreError } from "../shared/aws/object-store.ts";

/** Opens a store of results in S3. Its code is a file beside the bundle (`S3_FILE`), which only workflows with results have. */
export async function openS3(url: string): Promise<ObjectStore> {
  // esbuild does not follow an import whose name is computed.
  const file = new URL("./s3.mjs", import.meta.url).href;
  const { openS3Store }: typeof import("../shared/aws/s3-file.ts") = await import(file);
  return openS3Store(url, clientConfig(), { ObjectStoreError, ObjectMissingError });
}
