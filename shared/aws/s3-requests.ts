import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3";
import { clientConfig } from "./client-config.ts";
import { MOST_LISTED_KEYS } from "./quotas.ts";

/** How long one request may take, from its start to the last byte of its response. A range of 8 MiB fits into it. */
const REQUEST_TIMEOUT_MILLISECONDS = 30_000;

/** One object of a listing. */
export interface ListedObject {
  readonly key: string;
  /** In bytes. */
  readonly size: number;
  readonly etag: string;
  readonly lastModified: Date;
  readonly storageClass: string;
}

/** One response of a listing. */
export interface Listing {
  readonly objects: readonly ListedObject[];
  /** Whether keys follow. S3 says so in every response. */
  readonly truncated: boolean;
  /** Continues this listing. It is needed only if a truncated response has no key. */
  readonly token: string | undefined;
}

/** Which version of which object to read. */
export interface ObjectVersion {
  readonly bucket: string;
  readonly key: string;
  readonly etag: string;
}

/** Which keys to list. */
export interface ListRequest {
  readonly bucket: string;
  readonly prefix: string;
  /** List only keys after this one. */
  readonly after?: string | undefined;
  readonly token?: string | undefined;
  /** The most keys of the response. Default: 1,000. */
  readonly most?: number | undefined;
}

/**
 * Reads objects of S3. The client is loaded and created with the first request, so a workflow without S3 pays nothing.
 * Its credentials, region and endpoint are the user's own: those that the AWS SDK finds.
 */
export class S3Reader {
  readonly #config: S3ClientConfig;
  #loaded: Promise<{ readonly client: S3Client; readonly sdk: typeof import("./s3-reading-sdk.ts") }> | undefined;

  /** @param config Settings that the SDK would otherwise find itself. */
  constructor(config: S3ClientConfig = {}) {
    this.#config = config;
  }

  /**
   * Lists up to 1,000 keys in the order of their UTF-8 bytes, as general purpose buckets list them. Directory buckets do
   * not.
   * https://docs.aws.amazon.com/AmazonS3/latest/userguide/ListingKeysUsingAPIs.html
   *
   * Keys are requested in URL encoding, because XML 1.0 cannot hold every character of a key. S3 then writes a space as
   * `+` and a plus sign as `%2B`.
   * https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
   *
   * @throws {Error} S3 refused the request, or its response lacks a field that decides whether the listing has ended.
   */
  async list(
    { bucket, prefix, after, token, most = MOST_LISTED_KEYS }: ListRequest,
    signal: AbortSignal,
  ): Promise<Listing> {
    const { client, sdk } = await this.#load();
    const command = new sdk.ListObjectsV2Command({
      Bucket: bucket,
      MaxKeys: most,
      EncodingType: "url",
      ...(prefix !== "" && { Prefix: prefix }),
      ...(after !== undefined && { StartAfter: after }),
      ...(token !== undefined && { ContinuationToken: token }),
    });
    const {
      Contents = [],
      IsTruncated,
      NextContinuationToken,
      EncodingType,
    } = await client.send(command, {
      abortSignal: signal,
    });
    if (typeof IsTruncated !== "boolean") throw new Error("the response does not say whether more keys follow");
    const decode = EncodingType === "url" ? decodeKey : (key: string) => key;
    const objects = Contents.map(({ Key, Size, ETag, LastModified, StorageClass = "STANDARD" }) => {
      if (Key === undefined || Size === undefined || ETag === undefined || LastModified === undefined) {
        throw new Error(`the object ${JSON.stringify(Key)} lacks its key, size, ETag or time in the response`);
      }
      return { key: decode(Key), size: Size, etag: ETag, lastModified: LastModified, storageClass: StorageClass };
    });
    return { objects, truncated: IsTruncated, token: NextContinuationToken };
  }

  /** The size and the ETag of an object. */
  async head(
    bucket: string,
    key: string,
    signal: AbortSignal,
  ): Promise<{ readonly size: number; readonly etag: string }> {
    const { client, sdk } = await this.#load();
    const command = new sdk.HeadObjectCommand({ Bucket: bucket, Key: key });
    const { ContentLength: size, ETag: etag } = await client.send(command, { abortSignal: signal });
    if (size === undefined || etag === undefined) throw new Error("the response lacks the size or the ETag");
    return { size, etag };
  }

  /**
   * Reads the bytes of an object from `start` up to but not including `end`, if the object still has the ETag.
   * https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
   *
   * @param end More than `start`, and at most the size of the object.
   * @throws {Error} `PreconditionFailed`: the object has another ETag. Or the response has another length.
   */
  async read(
    { bucket, key, etag }: ObjectVersion,
    start: number,
    end: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { client, sdk } = await this.#load();
    const range = `bytes=${start}-${end - 1}`;
    const command = new sdk.GetObjectCommand({ Bucket: bucket, Key: key, IfMatch: etag, Range: range });
    const { Body } = await client.send(command, { abortSignal: signal });
    const bytes = await Body?.transformToByteArray();
    if (bytes?.length !== end - start) {
      throw new Error(`the response to ${range} has ${bytes?.length ?? 0} bytes instead of ${end - start}`);
    }
    return bytes;
  }

  #load() {
    this.#loaded ??= import("./s3-reading-sdk.ts").then((sdk) => ({
      sdk,
      client: new sdk.S3Client({
        ...clientConfig({ requestTimeoutMilliseconds: REQUEST_TIMEOUT_MILLISECONDS }),
        ...this.#config,
      }),
    }));
    return this.#loaded;
  }
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch (cause) {
    throw new Error(`the key ${JSON.stringify(key)} is not URL-encoded UTF-8`, { cause });
  }
}
