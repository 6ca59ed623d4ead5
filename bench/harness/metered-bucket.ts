import type { S3Client } from "@aws-sdk/client-s3";
import { PRICES } from "../../shared/aws/prices.ts";
import { S3ObjectStore } from "../../shared/aws/s3-object-store.ts";
import * as sdk from "../../shared/aws/s3-sdk.ts";

/** Deletions and `AbortMultipartUpload` cost nothing. */
const DOLLARS = PRICES.s3;

const OF_ACTION: Readonly<Record<string, number>> = {
  PutObjectCommand: DOLLARS.write,
  ListObjectsV2Command: DOLLARS.write,
  CreateMultipartUploadCommand: DOLLARS.write,
  UploadPartCommand: DOLLARS.write,
  CompleteMultipartUploadCommand: DOLLARS.write,
  GetObjectCommand: DOLLARS.read,
  DeleteObjectsCommand: 0,
};

const KEYS_PER_LISTING = 1_000;

/** What the store sends. Each command is one request. */
interface Command {
  readonly constructor: { readonly name: string };
  readonly input: {
    readonly Key?: string;
    readonly Body?: Uint8Array;
    readonly IfNoneMatch?: string;
    readonly Range?: string;
    readonly Prefix?: string;
    readonly ContinuationToken?: string;
    readonly UploadId?: string;
    readonly Delete?: { readonly Objects: readonly { readonly Key: string }[] };
  };
}

/** A bucket of S3 in memory. It counts the requests of the product's own store. */
export class MeteredBucket {
  readonly objects = new Map<string, Uint8Array>();
  readonly requests: Record<string, number> = {};
  readonly #uploads = new Map<string, Uint8Array[]>();
  readonly store = new S3ObjectStore("s3://metered/results", sdk, {
    send: (command: Command) => this.#answer(command),
  } as unknown as S3Client);

  /** The dollars of all requests so far, and of a month of the objects that exist. */
  get dollars(): number {
    const requests = Object.entries(this.requests).reduce(
      (sum, [action, count]) => sum + count * (OF_ACTION[action] ?? Number.NaN),
      0,
    );
    const bytes = [...this.objects.values()].reduce((sum, body) => sum + body.byteLength, 0);
    return requests + (bytes / 2 ** 30) * DOLLARS.gigabyteMonth;
  }

  async #answer({ constructor: { name }, input }: Command): Promise<unknown> {
    this.requests[name] = (this.requests[name] ?? 0) + 1;
    const { Key = "", Body = new Uint8Array(), UploadId = "" } = input;
    switch (name) {
      case "PutObjectCommand":
        if (input.IfNoneMatch === "*" && this.objects.has(Key)) throw httpError(412);
        this.objects.set(Key, Uint8Array.from(Body));
        return {};
      case "CreateMultipartUploadCommand":
        this.#uploads.set(Key, []);
        return { UploadId: Key };
      case "UploadPartCommand":
        this.#uploads.get(UploadId)?.push(Uint8Array.from(Body));
        return { ETag: "etag" };
      case "CompleteMultipartUploadCommand":
        this.objects.set(Key, Buffer.concat(this.#uploads.get(UploadId) ?? []));
        return {};
      case "GetObjectCommand":
        return this.#get(Key, input.Range);
      case "ListObjectsV2Command":
        return this.#list(input);
      case "DeleteObjectsCommand":
        for (const object of input.Delete?.Objects ?? []) this.objects.delete(object.Key);
        return {};
      default:
        throw new Error(`the price of ${name} is not known`);
    }
  }

  #get(key: string, range: string | undefined) {
    const object = this.objects.get(key);
    if (object === undefined) throw Object.assign(httpError(404), { name: "NoSuchKey" });
    const [, start = "0", end = ""] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
    const body = range === undefined ? object : object.subarray(Number(start), Number(end) + 1);
    return {
      Body: { transformToByteArray: async () => body },
      ETag: "etag",
      ...(range !== undefined && {
        ContentRange: `bytes ${start}-${Number(start) + body.length - 1}/${object.length}`,
      }),
    };
  }

  #list({ Prefix = "", ContinuationToken = "" }: Command["input"]) {
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(Prefix) && key > ContinuationToken).sort();
    const page = keys.slice(0, KEYS_PER_LISTING);
    return {
      ...(page.length > 0 && { Contents: page.map((Key) => ({ Key, Size: this.objects.get(Key)?.byteLength })) }),
      IsTruncated: page.length < keys.length,
      NextContinuationToken: page.at(-1),
    };
  }
}

const httpError = (httpStatusCode: number) =>
  Object.assign(new Error(`HTTP ${httpStatusCode}`), { $metadata: { httpStatusCode } });
