import { Buffer } from "node:buffer";
import { setTimeout } from "node:timers/promises";
import type { _Object, CompletedPart, S3Client } from "@aws-sdk/client-s3";
import { batchesOf } from "../base/batches.ts";
import { backoffMilliseconds, type RetryPolicy } from "../base/retry.ts";
import {
  ObjectMissingError,
  type ObjectStore,
  ObjectStoreError,
  type StoredObject,
  type StoreErrors,
} from "./object-store.ts";
import { MOST_DELETED_OBJECTS, SMALLEST_UPLOADED_PART_BYTES } from "./quotas.ts";
import { s3Location } from "./s3-location.ts";
import { LAST_RETRY_MILLISECONDS } from "./timeouts.ts";

/** The module `s3-sdk.ts`. */
export type S3Sdk = typeof import("./s3-sdk.ts");

/** How many bytes one request of a multipart upload sends. */
const UPLOAD_BYTES = 8 * 1_024 * 1_024;
if (UPLOAD_BYTES < SMALLEST_UPLOADED_PART_BYTES) throw new Error("S3 refuses smaller parts");

/** How many bytes one request of `stream` reads. A slow connection must transfer them within the timeout of a request. */
const READ_BYTES = 4 * 1_024 * 1_024;

/** Two writers wrote the same key at the same time: S3 asks to repeat the request. The SDK does not repeat it. */
const CONFLICT: RetryPolicy = { attempts: Number.POSITIVE_INFINITY, baseMilliseconds: 50, capMilliseconds: 1_000 };

/** What a store uses of its surroundings. */
export interface S3ObjectStoreOptions {
  /** Returns milliseconds. The clock must never be set back. Default `performance.now`. */
  readonly now?: () => number;
  /** Returns a random number from 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
  /** Default: a timer. */
  readonly sleep?: (milliseconds: number) => Promise<unknown>;
  /** The classes of the errors that the store throws. Default: the classes that this module imports. */
  readonly errors?: StoreErrors;
}

const OWN_ERRORS: StoreErrors = { ObjectStoreError, ObjectMissingError };

/** A part of an object. */
interface Range {
  readonly bytes: Uint8Array;
  /** The size of the whole object. */
  readonly size: number;
  readonly tag: string | undefined;
}

/**
 * Objects in an S3 bucket below a prefix. S3 has strong consistency, so each read and each listing sees all writes that
 * were answered before.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
 *
 * @example
 * ```ts
 * const sdk = await import("./s3-sdk.ts");
 * const store = new S3ObjectStore("s3://my-bucket/results/cities", sdk, new sdk.S3Client(clientConfig()));
 * ```
 */
export class S3ObjectStore implements ObjectStore {
  readonly url: string;
  readonly #sdk: S3Sdk;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #sleep: (milliseconds: number) => Promise<unknown>;
  readonly #errors: StoreErrors;

  /**
   * @param sdk The module `s3-sdk.ts`. A function loads it, and this module, only if its workflow has results.
   * @param client A client with the settings of `clientConfig`.
   * @throws {ConfigurationError} The URL is not one of S3.
   */
  constructor(
    url: string,
    sdk: S3Sdk,
    client: S3Client,
    {
      now = () => performance.now(),
      random = Math.random,
      sleep = setTimeout,
      errors = OWN_ERRORS,
    }: S3ObjectStoreOptions = {},
  ) {
    const { bucket, prefix } = s3Location(url);
    this.url = `s3://${bucket}/${prefix}`.replace(/\/$/, "");
    this.#sdk = sdk;
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#now = now;
    this.#random = random;
    this.#sleep = sleep;
    this.#errors = errors;
  }

  async put(key: string, body: Uint8Array): Promise<void> {
    await this.#during("write", key, async () => {
      await this.#client.send(new this.#sdk.PutObjectCommand({ ...this.#object(key), Body: body }));
    });
  }

  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
  async putIfAbsent(key: string, body: Uint8Array): Promise<boolean> {
    return await this.#during("write", key, async () => {
      const lastRetry = this.#now() + LAST_RETRY_MILLISECONDS;
      for (let attempt = 1; ; attempt++) {
        try {
          const object = { ...this.#object(key), Body: body, IfNoneMatch: "*" };
          await this.#client.send(new this.#sdk.PutObjectCommand(object));
          return true;
        } catch (error) {
          if (statusOf(error) === 412) return false;
          const pause = backoffMilliseconds(CONFLICT, attempt, this.#random());
          if (nameOf(error) !== "ConditionalRequestConflict" || this.#now() + pause > lastRetry) throw error;
          await this.#sleep(pause);
        }
      }
    });
  }

  async putStream(key: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    let upload: Upload | undefined;
    try {
      for await (const { bytes, isLast } of inPieces(chunks, UPLOAD_BYTES)) {
        if (upload === undefined && isLast) return await this.put(key, bytes);
        upload ??= await this.#startUpload(key);
        await upload.add(bytes);
      }
      await upload?.complete();
    } catch (error) {
      await upload?.abort();
      throw error;
    }
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return await this.#during("read", key, async () => {
      const body = await this.#unlessMissing(key, async () => {
        const { Body } = await this.#client.send(new this.#sdk.GetObjectCommand(this.#object(key)));
        return await Body?.transformToByteArray();
      });
      return body && asBuffer(body);
    });
  }

  async getRange(key: string, start: number, end: number): Promise<Uint8Array | undefined> {
    if (end <= start) throw new RangeError(`the end ${end} of a range must be above its start ${start}`);
    return (await this.#range(key, start, end))?.bytes;
  }

  async *stream(key: string): AsyncIterable<Uint8Array> {
    const first = await this.#range(key, 0, READ_BYTES);
    if (first === undefined) throw new this.#errors.ObjectMissingError(this.url, key);
    const { size, tag } = first;
    const read = (start: number) => {
      if (start >= size) return undefined;
      const range = this.#range(key, start, start + READ_BYTES, tag);
      // The caller may stop before it waits for this request.
      range.catch(() => {});
      return range;
    };
    let start = first.bytes.byteLength;
    // The next bytes are read while the caller works on the ones before.
    let next = read(start);
    if (first.bytes.byteLength > 0) yield first.bytes;
    while (next !== undefined) {
      const range = await next;
      if (range === undefined) throw new this.#errors.ObjectMissingError(this.url, key);
      start += range.bytes.byteLength;
      next = read(start);
      yield range.bytes;
    }
  }

  /**
   * S3 lists keys in the order of their UTF-8 bytes.
   * https://docs.aws.amazon.com/AmazonS3/latest/userguide/ListingKeysUsingAPIs.html
   */
  async *list(prefix: string): AsyncIterable<readonly StoredObject[]> {
    let token: string | undefined;
    do {
      const answer = await this.#during("list", prefix, async () => await this.#list(prefix, token));
      if (answer.Contents !== undefined) {
        yield answer.Contents.map(({ Key = "", Size = 0 }: _Object) => ({
          key: Key.slice(this.#prefix.length),
          size: Size,
        }));
      }
      token = answer.IsTruncated === true ? answer.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const group of batchesOf(keys, MOST_DELETED_OBJECTS)) {
      await this.#during("delete", group[0] ?? "", async () => await this.#deleteGroup(group));
    }
  }

  /** Deletes objects in one request. S3 answers for each object, so objects that S3 could not delete are tried again. */
  async #deleteGroup(keys: readonly string[]): Promise<void> {
    const lastRetry = this.#now() + LAST_RETRY_MILLISECONDS;
    let objects = keys.map((key) => ({ Key: this.#prefix + key }));
    for (let attempt = 1; ; attempt++) {
      const { Errors: errors = [] } = await this.#client.send(
        new this.#sdk.DeleteObjectsCommand({ Bucket: this.#bucket, Delete: { Objects: objects, Quiet: true } }),
      );
      const [first] = errors;
      if (first === undefined) return;
      const pause = backoffMilliseconds(CONFLICT, attempt, this.#random());
      const isFinal = errors.some(({ Code = "" }) => !RETRYABLE.includes(Code));
      if (isFinal || this.#now() + pause > lastRetry) {
        throw Object.assign(
          new Error(`${first.Message ?? ""} (${errors.length} of ${keys.length} objects, such as ${first.Key})`),
          {
            name: first.Code ?? "Error",
          },
        );
      }
      objects = errors.map(({ Key = "" }) => ({ Key }));
      await this.#sleep(pause);
    }
  }

  /** Reads a part of an object. Returns `undefined` if there is no such object. */
  async #range(key: string, start: number, end: number, tag?: string): Promise<Range | undefined> {
    return await this.#during(
      "read",
      key,
      async () =>
        await this.#unlessMissing(key, async () => {
          try {
            const { Body, ContentRange, ETag } = await this.#client.send(
              new this.#sdk.GetObjectCommand({
                ...this.#object(key),
                Range: `bytes=${start}-${end - 1}`,
                ...(tag !== undefined && { IfMatch: tag }),
              }),
            );
            const bytes = asBuffer((await Body?.transformToByteArray()) ?? new Uint8Array());
            return { bytes, size: sizeOf(ContentRange) ?? start + bytes.byteLength, tag: ETag };
          } catch (error) {
            // The object ends before the range begins. S3 says so for an empty object, too.
            if (statusOf(error) === 416) return { bytes: new Uint8Array(), size: start, tag };
            throw error;
          }
        }),
    );
  }

  /** Returns `undefined` if the object does not exist. */
  async #unlessMissing<Result>(key: string, read: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await read();
    } catch (error) {
      if (nameOf(error) === "NoSuchKey") return undefined;
      // A role that may list only below a prefix gets 403 for an object that does not exist.
      // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
      if (statusOf(error) === 403 && (await this.#isAbsent(key))) return undefined;
      throw error;
    }
  }

  /** Whether a listing shows that the object does not exist. False if the role may not list. */
  async #isAbsent(key: string): Promise<boolean> {
    try {
      const { Contents = [] } = await this.#list(key, undefined, 1);
      return Contents[0]?.Key !== this.#prefix + key;
    } catch {
      return false;
    }
  }

  async #list(prefix: string, token: string | undefined, most?: number) {
    return await this.#client.send(
      new this.#sdk.ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: this.#prefix + prefix,
        ...(token !== undefined && { ContinuationToken: token }),
        ...(most !== undefined && { MaxKeys: most }),
      }),
    );
  }

  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
  async #startUpload(key: string): Promise<Upload> {
    const { CreateMultipartUploadCommand } = this.#sdk;
    const { UploadId } = await this.#during(
      "write",
      key,
      async () =>
        await this.#client.send(new CreateMultipartUploadCommand({ ...this.#object(key), ChecksumAlgorithm: "CRC32" })),
    );
    if (UploadId === undefined)
      throw new this.#errors.ObjectStoreError(`write ${this.url}/${key}`, "S3 returned no upload id");
    return this.#upload(key, UploadId);
  }

  #upload(key: string, UploadId: string): Upload {
    const parts: CompletedPart[] = [];
    let size = 0;
    let sending: Promise<void> = Promise.resolve();
    const object = { ...this.#object(key), UploadId };
    const send = async (Body: Uint8Array, PartNumber: number) => {
      const { ETag, ChecksumCRC32 } = await this.#during(
        "write",
        key,
        async () =>
          await this.#client.send(
            new this.#sdk.UploadPartCommand({ ...object, PartNumber, Body, ChecksumAlgorithm: "CRC32" }),
          ),
      );
      parts.push({ PartNumber, ETag, ChecksumCRC32 });
    };
    return {
      add: async (bytes) => {
        // One piece is sent while the next one is collected.
        await sending;
        size += bytes.byteLength;
        sending = send(bytes, parts.length + 1);
        sending.catch(() => {});
      },
      complete: async () => {
        await sending;
        await this.#during("write", key, async () => {
          try {
            await this.#client.send(
              new this.#sdk.CompleteMultipartUploadCommand({ ...object, MultipartUpload: { Parts: parts } }),
            );
          } catch (error) {
            // The answer to an earlier attempt of this request was lost.
            if (nameOf(error) !== "NoSuchUpload" || (await this.#sizeOf(key)) !== size) throw error;
          }
        });
      },
      abort: async () => {
        await sending.catch(() => {});
        // An upload that stays costs its bytes, until the lifecycle of the bucket ends it.
        await this.#client.send(new this.#sdk.AbortMultipartUploadCommand(object)).catch(() => {});
      },
    };
  }

  async #sizeOf(key: string): Promise<number | undefined> {
    return (await this.#range(key, 0, 1))?.size;
  }

  #object(key: string) {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  async #during<Result>(action: string, key: string, act: () => Promise<Result>): Promise<Result> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof this.#errors.ObjectStoreError) throw error;
      throw new this.#errors.ObjectStoreError(`${action} ${this.url}/${key}`, explained(error));
    }
  }
}

/** A multipart upload of one object. */
interface Upload {
  add(bytes: Uint8Array): Promise<void>;
  complete(): Promise<void>;
  abort(): Promise<void>;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const RETRYABLE: readonly string[] = ["InternalError", "ServiceUnavailable", "SlowDown", "OperationAborted"];

/** What to do about errors of S3 that a configuration causes. */
const FIXES: Readonly<Record<string, string>> = {
  AccessDenied:
    "the role lacks a right on these objects, or on the KMS key of the bucket, or a policy of the bucket refuses it",
  NoSuchBucket: "the bucket was deleted: deploy the stack again",
  PermanentRedirect: "the bucket must be in the region of the stack",
  "KMS.DisabledException": "enable the KMS key of the bucket",
};

/** The error with its name and with what to do. Many messages of S3 do not name the error. */
function explained(error: unknown): Error {
  const name = nameOf(error);
  const message = error instanceof Error ? error.message : String(error);
  const fix = FIXES[name];
  return new Error(`${name}: ${message}${fix === undefined ? "" : ` (${fix})`}`, { cause: error });
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "Error");

const statusOf = (error: unknown): number | undefined =>
  (error as { readonly $metadata?: { readonly httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode;

/** The size of the whole object, from a header such as `bytes 0-99/1234`. */
function sizeOf(range: string | undefined): number | undefined {
  const size = /\/(\d+)$/.exec(range ?? "")?.[1];
  return size === undefined ? undefined : Number(size);
}

const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

/** Collects chunks into pieces of a size. Only the last piece is smaller. There is always a last piece. */
async function* inPieces(chunks: AsyncIterable<Uint8Array>, size: number) {
  let piece = Buffer.allocUnsafe(size);
  let length = 0;
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.byteLength; ) {
      if (length === size) {
        yield { bytes: piece, isLast: false };
        piece = Buffer.allocUnsafe(size);
        length = 0;
      }
      const taken = chunk.subarray(start, start + size - length);
      piece.set(taken, length);
      length += taken.byteLength;
      start += taken.byteLength;
    }
  }
  yield { bytes: piece.subarray(0, length), isLast: true };
}
