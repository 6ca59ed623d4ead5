import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { sdkStreamMixin } from "@smithy/core/serde";
import { mockClient } from "aws-sdk-client-mock";

/** An error as the SDK throws it for an answer of S3. */
export function s3Error(name: string, httpStatusCode: number): S3ServiceException {
  return new S3ServiceException({
    name,
    message: `${name} of the test`,
    $fault: "client",
    $metadata: { httpStatusCode },
  });
}

/** One bucket of S3 in memory, behind a client of the SDK. It answers as S3 does where `S3ObjectStore` relies on it. */
export class FakeS3Bucket {
  readonly client = new S3Client({ region: "us-east-1", credentials: { accessKeyId: "a", secretAccessKey: "s" } });
  readonly mock = mockClient(this.client);
  readonly objects = new Map<string, Buffer>();
  readonly uploads = new Map<string, Map<number, Buffer>>();
  /** How many objects one listing has at most. */
  page = 1_000;
  #written = 0;
  readonly #tags = new WeakMap<Buffer, string>();

  constructor() {
    this.mock.on(PutObjectCommand).callsFake(async ({ Key, Body, IfNoneMatch }) => {
      if (IfNoneMatch === "*" && this.objects.has(Key)) throw s3Error("PreconditionFailed", 412);
      this.objects.set(Key, Buffer.from(Body));
      return {};
    });
    this.mock.on(GetObjectCommand).callsFake(async ({ Key, Range, IfMatch }) => this.#get(Key, Range, IfMatch));
    this.mock.on(ListObjectsV2Command).callsFake(async (input) => this.#list(input));
    this.mock.on(DeleteObjectsCommand).callsFake(async ({ Delete }) => {
      for (const { Key } of Delete.Objects) this.objects.delete(Key);
      return {};
    });
    this.mock.on(CreateMultipartUploadCommand).callsFake(async () => {
      const UploadId = `upload-${this.uploads.size + 1}`;
      this.uploads.set(UploadId, new Map());
      return { UploadId };
    });
    this.mock.on(UploadPartCommand).callsFake(async ({ UploadId, PartNumber, Body }) => {
      this.uploads.get(UploadId)?.set(PartNumber, Buffer.from(Body));
      return { ETag: `"${PartNumber}"`, ChecksumCRC32: `crc-${PartNumber}` };
    });
    this.mock.on(CompleteMultipartUploadCommand).callsFake(async ({ Key, UploadId, MultipartUpload }) => {
      const parts = this.uploads.get(UploadId);
      if (parts === undefined) throw s3Error("NoSuchUpload", 404);
      const listed: { PartNumber: number; ETag: string }[] = MultipartUpload.Parts;
      const bodies = listed.map(({ PartNumber }) => parts.get(PartNumber) ?? Buffer.alloc(0));
      this.objects.set(Key, Buffer.concat(bodies));
      this.uploads.delete(UploadId);
      return {};
    });
    this.mock.on(AbortMultipartUploadCommand).callsFake(async ({ UploadId }) => {
      this.uploads.delete(UploadId);
      return {};
    });
  }

  #get(key: string, range: string | undefined, tag: string | undefined) {
    const object = this.objects.get(key);
    if (object === undefined) throw s3Error("NoSuchKey", 404);
    const ETag = this.#tags.get(object) ?? `"${this.#written++}"`;
    this.#tags.set(object, ETag);
    if (tag !== undefined && tag !== ETag) throw s3Error("PreconditionFailed", 412);
    const [, start = "0", end = ""] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
    if (range !== undefined && Number(start) >= object.length) throw s3Error("InvalidRange", 416);
    const body = range === undefined ? object : object.subarray(Number(start), Number(end) + 1);
    return {
      ETag,
      Body: sdkStreamMixin(Readable.from(body.length === 0 ? [] : [body])),
      ...(range !== undefined && {
        ContentRange: `bytes ${start}-${Number(start) + body.length - 1}/${object.length}`,
      }),
    };
  }

  #list(input: ListObjectsV2Command["input"]) {
    const { Prefix = "", ContinuationToken = "", MaxKeys = this.page } = input;
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(Prefix) && key > ContinuationToken).sort();
    const page = keys.slice(0, Math.min(MaxKeys, this.page));
    return {
      ...(page.length > 0 && { Contents: page.map((Key) => ({ Key, Size: this.objects.get(Key)?.length })) }),
      IsTruncated: page.length < keys.length,
      NextContinuationToken: page.at(-1),
    };
  }
}
