import { extname } from "node:path";
import type { S3ClientConfig } from "@aws-sdk/client-s3";
import { ConfigurationError } from "../base/errors.ts";
import { clientConfig } from "./client-config.ts";
import { RequestHandler } from "./request-handler.ts";
import { S3ObjectStore, type S3Sdk } from "./s3-object-store.ts";

/**
 * How long a command or a script waits for the answer to one request. Such a request transfers up to 16 MB, perhaps over a
 * slow connection.
 */
const REQUEST_TIMEOUT_MILLISECONDS = 60_000;

/**
 * Opens a store in S3 for a command or a script. The SDK for S3 is loaded only now.
 *
 * @param config Settings of the client. Default: the AWS SDK finds the credentials, the region and the endpoint.
 * @throws {ConfigurationError} The code runs in a function, which has no right to read the results of other workflows.
 */
export async function openS3(url: string, config: S3ClientConfig = {}): Promise<S3ObjectStore> {
  const requestHandler = new RequestHandler({ requestTimeoutMilliseconds: REQUEST_TIMEOUT_MILLISECONDS });
  const sdk = await loadSdk();
  return new S3ObjectStore(url, sdk, new sdk.S3Client({ ...clientConfig(), ...config, requestHandler }));
}

async function loadSdk(): Promise<S3Sdk> {
  // esbuild follows no import whose name is computed. So the bundles of the functions do not contain the SDK for S3.
  const name = "s3-sdk";
  try {
    return await import(new URL(`${name}${extname(import.meta.url)}`, import.meta.url).href);
  } catch (cause) {
    throw new ConfigurationError(
      "the SDK for S3 cannot be loaded here. In a function, only onComplete can read results: pass the summary that it " +
        "receives to readResults",
      { cause },
    );
  }
}
