import { Readable } from "node:stream";
import { SQSClient } from "@aws-sdk/client-sqs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Queue } from "../../../shared/aws/queue.ts";

const URL = "https://sqs.eu-west-1.amazonaws.com/000000000000/queue";

beforeEach(() => {
  vi.stubEnv("AWS_LAMBDA_FUNCTION_NAME", "consumer");
  vi.stubEnv("_X_AMZN_TRACE_ID", "Root=1;Lineage=a:1|b:2");
});
afterEach(() => vi.unstubAllEnvs());

/** A queue whose requests are remembered, and each answered by one of these. */
function queueAnswering(...answers: readonly object[]) {
  const requests: { readonly headers: Readonly<Record<string, string>>; readonly body: string }[] = [];
  const client = new SQSClient({
    region: "eu-west-1",
    credentials: { accessKeyId: "id", secretAccessKey: "secret" },
    md5: false,
    cacheMiddleware: true,
    requestHandler: {
      metadata: { handlerProtocol: "test" },
      async handle({ headers, body }: { headers: Record<string, string>; body: Uint8Array | string }) {
        const answer = JSON.stringify(answers[requests.length] ?? {});
        requests.push({ headers, body: Buffer.from(body as Uint8Array).toString() });
        return { response: { statusCode: 200, headers: {}, body: Readable.from([Buffer.from(answer)]) } };
      },
      updateHttpClientConfig() {},
      httpHandlerConfigs: () => ({}),
    } as never,
  });
  return { queue: new Queue(client, URL), requests };
}

test("a replacement message is sent without the trace header by which Lambda detects loops", async () => {
  const { queue, requests } = queueAnswering();
  await queue.sendAll([{ body: "traced" }]);
  await queue.sendUntraced({ body: "untraced", delaySeconds: 900 });
  await queue.sendAll([{ body: "traced" }]);
  const traceOf = ({ headers }: (typeof requests)[number]) =>
    Object.entries(headers).find(([name]) => name.toLowerCase() === "x-amzn-trace-id")?.[1];
  expect(requests.map(traceOf)).toEqual(["Root=1;Lineage=a:1|b:2", undefined, "Root=1;Lineage=a:1|b:2"]);
  expect(JSON.parse(requests[1]?.body ?? "")).toEqual({
    QueueUrl: URL,
    Entries: [{ Id: "0", MessageBody: "untraced", DelaySeconds: 900 }],
  });
});

test("a message that SQS refuses is sent again, and it is an error if SQS refuses it in every round", async () => {
  const refused = { Failed: [{ Id: "0", Code: "InternalError", Message: "try again", SenderFault: false }] };
  const once = queueAnswering(refused);
  await once.queue.sendUntraced({ body: "a" });
  expect(once.requests).toHaveLength(2);
  const never = queueAnswering(...Array(5).fill(refused));
  await expect(never.queue.sendUntraced({ body: "a" })).rejects.toMatchObject({ code: "SEND_FAILED" });
});

test("A change of the visibility sends no try of its request after its signal", async () => {
  const signals: (AbortSignal | undefined)[] = [];
  const client = new SQSClient({
    region: "eu-west-1",
    credentials: { accessKeyId: "id", secretAccessKey: "secret" },
    maxAttempts: 3,
    requestHandler: {
      metadata: { handlerProtocol: "test" },
      async handle(_request: unknown, options?: { abortSignal?: AbortSignal }) {
        signals.push(options?.abortSignal);
        // The signal fires while the first try is under way.
        controller.abort();
        throw Object.assign(new Error("the request was aborted"), { name: "AbortError" });
      },
      updateHttpClientConfig() {},
      httpHandlerConfigs: () => ({}),
      destroy() {},
    } as never,
  });
  const controller = new AbortController();
  await expect(new Queue(client, URL).changeVisibility("handle", 5_000, controller.signal)).rejects.toThrow("aborted");
  expect(signals).toEqual([controller.signal]);
});
