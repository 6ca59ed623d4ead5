import { createHash, createHmac } from "node:crypto";
import { Readable } from "node:stream";
import { SendMessageBatchCommand, SQSClient, type SQSClientConfig } from "@aws-sdk/client-sqs";
import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { LEAN_CLIENT } from "../../../shared/aws/lean-client.ts";

const { sha256: Sha256, streamCollector } = LEAN_CLIENT;

afterEach(() => {
  vi.useRealTimers();
});

test("a request is signed as the SDK's own client signs it", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse("2026-03-01T12:00:00Z") });

  const [lean, own] = [await signatureBy(LEAN_CLIENT), await signatureBy({})];

  expect(lean).toMatch(
    /^AWS4-HMAC-SHA256 Credential=id\/20260301\/eu-west-1\/sqs\/aws4_request, .*Signature=[0-9a-f]{64}$/,
  );
  expect(lean).toBe(own);
});

async function signatureBy(config: SQSClientConfig): Promise<string | undefined> {
  let signature: string | undefined;
  const client = new SQSClient({
    ...config,
    region: "eu-west-1",
    credentials: { accessKeyId: "id", secretAccessKey: "secret", sessionToken: "token" },
    md5: false,
    requestHandler: {
      metadata: { handlerProtocol: "test" },
      async handle({ headers }: { headers: Record<string, string> }) {
        signature = headers.authorization;
        return { response: { statusCode: 200, headers: {}, body: Readable.from([Buffer.from("{}")]) } };
      },
      updateHttpClientConfig() {},
      httpHandlerConfigs: () => ({}),
    },
  });
  client.middlewareStack.addRelativeTo(withSameId as never, { relation: "after", toMiddleware: "retryMiddleware" });
  await client.send(
    new SendMessageBatchCommand({
      QueueUrl: "https://sqs.eu-west-1.amazonaws.com/000000000000/queue",
      Entries: [{ Id: "0", MessageBody: "größer" }],
    }),
  );
  return signature;
}

/** It is signed too, and else differs between two requests. */
const withSameId =
  (next: (args: unknown) => Promise<unknown>) => (args: { request: { headers: Record<string, string> } }) => {
    args.request.headers["amz-sdk-invocation-id"] = "the same";
    return next(args);
  };

test("a digest is SHA-256, or HMAC with a secret, of text and of all kinds of bytes", async () => {
  const part = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.uint8Array(),
    fc.uint8Array().map((bytes) => new Uint8Array(bytes).buffer),
    fc.uint8Array({ minLength: 2 }).map((bytes) => bytes.subarray(1)),
  );
  await fc.assert(
    fc.asyncProperty(fc.option(part, { nil: undefined }), fc.array(part), async (secret, parts) => {
      const digest = new Sha256(secret);
      for (const each of parts) digest.update(each);

      const expected = secret === undefined ? createHash("sha256") : createHmac("sha256", toBuffer(secret));
      for (const each of parts) expected.update(toBuffer(each));
      expect(Buffer.from(await digest.digest())).toEqual(expected.digest());
    }),
  );
});

test("a digest starts again after a reset", async () => {
  const digest = new Sha256("secret");
  digest.update("dropped");
  digest.reset();
  digest.update("kept");

  expect(Buffer.from(await digest.digest())).toEqual(createHmac("sha256", "secret").update("kept").digest());
});

function toBuffer(data: string | ArrayBuffer | Uint8Array): Buffer {
  if (typeof data === "string") return Buffer.from(data);
  return data instanceof ArrayBuffer ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

test("a body is collected from all of its chunks", async () => {
  const body = Readable.from([Buffer.from("{"), Buffer.from('"a":'), Buffer.from("1}")]);

  expect(Buffer.from(await streamCollector(body)).toString()).toBe('{"a":1}');
});

test("a body without chunks is empty", async () => {
  expect(await streamCollector(Readable.from([]))).toHaveLength(0);
});

test("a body that ends too early is an error", async () => {
  const body = new Readable({ read() {} });
  body.push("half of");
  const collected = streamCollector(body);

  body.destroy(new Error("the connection was closed"));

  await expect(collected).rejects.toThrow("the connection was closed");
});
