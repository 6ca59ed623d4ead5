import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  GetObjectCommand,
  type GetObjectCommandInput,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  S3Client,
} from "@aws-sdk/client-s3";
import { mockClient } from "aws-sdk-client-mock";

const BEGIN = new Date("2026-11-28T01:02:03.000Z");

/** The error that S3 answers, as the SDK throws it. */
export const s3Error = (name: string, message = name, headers: Record<string, string> = {}) =>
  Object.assign(new Error(message), { name, $response: { headers }, $metadata: {} });

/** Encodes a key as S3 does when a listing asks for URL encoding. */
const encode = (key: string) => encodeURIComponent(key).replaceAll("%20", "+").replaceAll("%2F", "/");

/** The UTF-8 bytes of keys, each of them as one character. */
const bytesOfKeys = new Map<string, string>();
function bytesOf(key: string): string {
  const known = bytesOfKeys.get(key);
  if (known !== undefined) return known;
  const bytes = Buffer.from(key).toString("latin1");
  bytesOfKeys.set(key, bytes);
  return bytes;
}

/** The order of the keys' UTF-8 bytes. */
function byUtf8(left: string, right: string): number {
  const [one, other] = [bytesOf(left), bytesOf(right)];
  return one < other ? -1 : Number(one > other);
}

/** A bucket in the place of S3: each client of the process reads from it until `restore()`. */
export class FakeS3 {
  readonly mock = mockClient(S3Client);
  readonly objects = new Map<string, Buffer>();
  /** The most keys of a response. */
  mostKeys = 1_000;
  readonly bucket: string;
  readonly #etags = new Map<string, string>();

  constructor(bucket = "uploads") {
    this.bucket = bucket;
    this.mock.on(ListObjectsV2Command).callsFake((input) => this.#list(input));
    this.mock.on(HeadObjectCommand).callsFake(({ Key }) => {
      const body = this.#bodyOf(Key);
      return { ContentLength: body.length, ETag: this.etagOf(Key) };
    });
    this.mock.on(GetObjectCommand).callsFake((input) => this.#get(input));
  }

  put(key: string, body: string | Buffer = ""): void {
    const bytes = Buffer.from(body);
    this.objects.set(key, bytes);
    this.#etags.set(key, `"${createHash("md5").update(bytes).digest("hex")}"`);
  }

  etagOf = (key: string): string => this.#etags.get(key) ?? "";

  /** The inputs of all requests of one kind. */
  inputsOf<Input>(command: new (input: Input) => unknown): readonly Input[] {
    return this.mock
      .calls()
      .map(({ args: [sent] }) => sent as unknown)
      .filter((sent) => sent instanceof command)
      .map((sent) => (sent as { input: Input }).input);
  }

  /** Forgets all objects and requests. */
  empty(): void {
    this.objects.clear();
    bytesOfKeys.clear();
    this.mock.resetHistory();
  }

  restore(): void {
    this.mock.restore();
  }

  #bodyOf(key: string | undefined): Buffer {
    const body = this.objects.get(key ?? "");
    if (body === undefined) throw s3Error("NoSuchKey", "The specified key does not exist.");
    return body;
  }

  #list({ Bucket, Prefix = "", StartAfter = "", MaxKeys = 1_000, EncodingType }: ListObjectsV2CommandInput) {
    if (Bucket !== this.bucket) throw s3Error("NoSuchBucket", "The specified bucket does not exist");
    const keys = [...this.objects.keys()]
      .filter((key) => key.startsWith(Prefix) && byUtf8(key, StartAfter) > 0)
      .sort(byUtf8);
    const page = keys.slice(0, Math.min(MaxKeys, this.mostKeys));
    return {
      EncodingType,
      IsTruncated: page.length < keys.length,
      NextContinuationToken: "opaque",
      Contents: page.map((key) => ({
        Key: EncodingType === "url" ? encode(key) : key,
        Size: this.#bodyOf(key).length,
        ETag: this.etagOf(key),
        LastModified: BEGIN,
      })),
    };
  }

  #get({ Key, Range, IfMatch }: GetObjectCommandInput) {
    const body = this.#bodyOf(Key);
    if (IfMatch !== undefined && IfMatch !== this.etagOf(Key ?? "")) {
      throw s3Error("PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
    }
    const [, from = "0", to = ""] = /^bytes=(\d+)-(\d+)$/.exec(Range ?? "") ?? [];
    const part = body.subarray(Number(from), to === "" ? body.length : Number(to) + 1);
    const stream = Readable.from(part.length === 0 ? [] : [part], { objectMode: false });
    return {
      ContentLength: part.length,
      ETag: this.etagOf(Key ?? ""),
      Body: Object.assign(stream, { transformToByteArray: async () => Uint8Array.from(part) }),
    };
  }
}
