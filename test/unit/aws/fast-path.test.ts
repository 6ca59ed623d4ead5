import { createHash, createHmac } from "node:crypto";
import { Readable } from "node:stream";
import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Blueprints, sendCommand, useFastPath } from "../../../shared/aws/fast-path.ts";
import { httpServer } from "../../helpers/silent-servers.ts";

const QueueUrl = "https://sqs.eu-west-1.amazonaws.com/000000000000/queue";
const SECRET = "secret";
const SDK_ONLY = "amz-sdk-invocation-id";

interface Request {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}
type Answer = { readonly status?: number; readonly json?: unknown } | Error;

/** What answers requests in turn, the last one for ever, and remembers them. */
function service(...answers: readonly Answer[]) {
  const requests: Request[] = [];
  const requestHandler = {
    metadata: { handlerProtocol: "test" },
    async handle(request: Request) {
      requests.push(request);
      const answer = answers[Math.min(requests.length, answers.length) - 1] ?? {};
      if (answer instanceof Error) throw answer;
      const { status = 200, json = {} } = answer;
      const body = Readable.from([Buffer.from(JSON.stringify(json))]);
      return { response: { statusCode: status, headers: {}, body } };
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
  const config = {
    region: "eu-west-1",
    credentials: { accessKeyId: "id", secretAccessKey: SECRET },
    md5: false as const,
    requestHandler: requestHandler as never,
  };
  return { requests, config };
}

function fastSqs(config: ConstructorParameters<typeof SQSClient>[0], blueprints: Blueprints = new Map()): SQSClient {
  const client = new SQSClient(config ?? {});
  useFastPath(client, blueprints);
  return client;
}

const send = (client: SQSClient, ...bodies: readonly string[]) =>
  sendCommand(client, SendMessageBatchCommand, {
    QueueUrl,
    Entries: bodies.map((MessageBody, index) => ({ Id: String(index), MessageBody })),
  });

// Of the SDK's bytes `Buffer.from` would ask for their value, which it warns of.
const textOf = ({ body }: Request): string => (typeof body === "string" ? body : new TextDecoder().decode(body));
const isSdks = ({ headers }: Request): boolean => SDK_ONLY in headers;

beforeEach(() => {
  // No pause.
  vi.spyOn(Math, "random").mockReturnValue(0);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

test("the SDK makes the first request of a command, and the fast path's requests and outputs are the same", async () => {
  const { requests, config } = service({ json: { Successful: [{ Id: "0", MessageId: "m" }] } });
  const client = fastSqs(config);

  const [first, second] = [await send(client, "a"), await send(client, "a")];

  expect(requests.map(isSdks)).toEqual([true, false]);
  expect(second.Successful).toEqual(first.Successful);
  const [sdks, ours] = requests as [Request, Request];
  expect(textOf(ours)).toBe(textOf(sdks));
  for (const part of ["method", "protocol", "hostname", "path"] as const) expect(ours[part]).toBe(sdks[part]);
  const common = ["content-type", "x-amz-target", "x-amzn-query-mode", "x-amz-user-agent", "user-agent", "host"];
  expect(Object.keys(sdks.headers)).toEqual(expect.arrayContaining(common));
  for (const name of common) expect(ours.headers[name]).toBe(sdks.headers[name]);
});

test("for any message, the fast path sends the same body as the SDK, with a valid signature", async () => {
  const { requests, config } = service();
  const [plain, fast] = [new SQSClient(config), fastSqs(config)];
  await send(fast, "first");
  const text = fc.string({ unit: "binary" }).map((any) => any.toWellFormed());
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 10 }), async (bodies) => {
      requests.length = 0;
      await send(plain, ...bodies);
      await send(fast, ...bodies);

      const [sdks, ours] = requests as [Request, Request];
      expect(JSON.parse(textOf(ours))).toEqual(JSON.parse(textOf(sdks)));
      expect(ours.headers.Authorization).toMatch(/Signature=[0-9a-f]{64}$/);
      expect(/Signature=(.*)$/.exec(ours.headers.Authorization ?? "")?.[1]).toBe(signatureOf(ours));
    }),
  );
});

/** By the dead letter of https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
function signatureOf({ method, path, headers, body }: Request, secret = SECRET): string {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
  const [, scope = "", names = ""] =
    /Credential=id\/(.*), SignedHeaders=(.*), Signature/.exec(lower.get("authorization") ?? "") ?? [];
  const canonical = names.split(";").map((name) => `${name}:${lower.get(name)}\n`);
  const hash = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex");
  const request = [method, path, "", canonical.join(""), names, hash(body)].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", lower.get("x-amz-date"), scope, hash(request)].join("\n");
  const hmac = (key: string | Uint8Array, data: string) => createHmac("sha256", key).update(data).digest();
  const key = scope.split("/").reduce<string | Buffer>(hmac, `AWS4${secret}`);
  return createHmac("sha256", key).update(toSign).digest("hex");
}

test("a request is signed for its host, date, action and length, with the current credentials", async () => {
  const { requests, config } = service();
  let turn = 0;
  const credentials = async () => ({
    accessKeyId: "id",
    secretAccessKey: `secret ${++turn}`,
    sessionToken: `token ${turn}`,
    expiration: new Date(0),
  });
  const client = fastSqs({ ...config, credentials });
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse("2026-03-01T12:00:00Z") });
  await send(client, "a");
  await send(client, "a");
  vi.setSystemTime("2026-03-02T12:34:56Z");
  await send(client, "longer");

  const [, second, third] = requests as [Request, Request, Request];
  expect(second.headers["X-Amz-Date"]).toBe("20260301T120000Z");
  expect(third.headers["X-Amz-Date"]).toBe("20260302T123456Z");
  expect(Number(third.headers["Content-Length"])).toBe(textOf(third).length);
  for (const each of [second, third]) {
    const secret = each.headers["X-Amz-Security-Token"]?.replace("token", "secret");
    expect(/Signature=(.*)$/.exec(each.headers.Authorization ?? "")?.[1]).toBe(signatureOf(each, secret));
  }
  expect(second.headers["X-Amz-Security-Token"]).toMatch(/^token/);
  expect(second.headers["X-Amz-Security-Token"]).not.toBe(third.headers["X-Amz-Security-Token"]);
  const signed = /SignedHeaders=(.*), /.exec(third.headers.Authorization ?? "")?.[1]?.split(";");
  expect(signed).toEqual(
    expect.arrayContaining(["host", "x-amz-date", "x-amz-target", "content-length", "x-amz-security-token"]),
  );
  expect(signed).not.toContain(SDK_ONLY);
});

test.each([
  ["is refused for now", { status: 503, json: { message: "slow down" } }],
  ["is lost", Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" })],
])("if a request %s, the SDK repeats it", async (_, failure) => {
  const successful = { Successful: [{ Id: "0" }] };
  const { requests, config } = service({}, failure, { json: successful });
  const client = fastSqs(config);
  await send(client, "a");

  const output = await send(client, "b");

  expect(output).toMatchObject(successful);
  expect(requests.map(isSdks)).toEqual([true, false, true]);
  expect(textOf(requests[2] as Request)).toBe(textOf(requests[1] as Request));
});

test("an error has the SDK's class", async () => {
  const refusal = { status: 400, json: { __type: "com.amazonaws.sqs#QueueDoesNotExist", message: "no such queue" } };
  const client = fastSqs(service({}, refusal).config);
  await send(client, "a");

  await expect(send(client, "b")).rejects.toThrow(QueueDoesNotExist);
});

test("a write whose condition is false fails at once, with the SDK's error", async () => {
  vi.mocked(Math.random).mockImplementation(() => expect.fail("there is nothing to wait for"));
  const __type = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
  const { config, requests } = service(
    {},
    { status: 400, json: { __type, message: "The conditional request failed" } },
  );
  const client = new DynamoDBClient(config);
  useFastPath(client, new Map());
  const update = () =>
    sendCommand(client, UpdateItemCommand, { TableName: "ledger", Key: { pk: { S: "a" }, sk: { S: "b" } } });
  await update();

  await expect(update()).rejects.toThrow(ConditionalCheckFailedException);
  expect(requests).toHaveLength(3);
});

test("a row is written and read as the SDK writes and reads it", async () => {
  const Attributes = {
    size: { N: "3" },
    done: { NS: ["0", "2"] },
    ended: { BOOL: true },
    more: { M: { a: { L: [] } } },
  };
  const { config, requests } = service({ json: { Attributes } });
  const client = new DynamoDBClient(config);
  useFastPath(client, new Map());
  const update = () =>
    sendCommand(client, UpdateItemCommand, {
      TableName: "ledger",
      Key: { pk: { S: "a" }, sk: { S: "b" } },
      UpdateExpression: "SET #a = :a ADD #b :b",
      ExpressionAttributeNames: { "#a": "a", "#b": "b" },
      ExpressionAttributeValues: { ":a": { M: { x: { NULL: true } } }, ":b": { NS: ["1", "12"] } },
    });

  const [first, second] = [await update(), await update()];

  expect(requests.map(isSdks)).toEqual([true, false]);
  expect(JSON.parse(textOf(requests[1] as Request))).toEqual(JSON.parse(textOf(requests[0] as Request)));
  expect(second.Attributes).toEqual(first.Attributes);
  expect(second.Attributes).toEqual(Attributes);
});

test("the SDK sends messages with attributes, because these can be bytes", async () => {
  const { config, requests } = service();
  const client = fastSqs(config);
  await send(client, "a");
  const BinaryValue = Buffer.from([0, 255]);
  const entry = { Id: "0", MessageBody: "a", MessageAttributes: { bytes: { DataType: "Binary", BinaryValue } } };

  await sendCommand(client, SendMessageBatchCommand, { QueueUrl, Entries: [entry] });

  expect(requests.map(isSdks)).toEqual([true, true]);
  expect(textOf(requests[1] as Request)).toContain('"BinaryValue":"AP8="');
});

test("the fast path returns attributes like the SDK, and bytes as bytes", async () => {
  const MessageAttributes = {
    bytes: { DataType: "Binary", BinaryValue: "AP8=" },
    BinaryValue: { DataType: "String", StringValue: "AP8=" },
  };
  const message = { MessageId: "m", Body: '{"BinaryValue":"AP8="}', MessageAttributes };
  const { config, requests } = service({ json: { Messages: [message] } });
  const client = fastSqs(config);
  const receive = () => sendCommand(client, ReceiveMessageCommand, { QueueUrl, MessageAttributeNames: ["All"] });

  const [first, second] = [await receive(), await receive()];

  expect(requests.map(isSdks)).toEqual([true, false]);
  const bytes = second.Messages?.[0]?.MessageAttributes?.bytes?.BinaryValue;
  expect([...(bytes ?? [])]).toEqual([0, 255]);
  expect([...(first.Messages?.[0]?.MessageAttributes?.bytes?.BinaryValue ?? [])]).toEqual([0, 255]);
  expect(second.Messages?.[0]?.Body).toBe(message.Body);
  expect(second.Messages?.[0]?.MessageAttributes?.BinaryValue).toEqual(MessageAttributes.BinaryValue);
});

test("each request has the trace of its own invocation", async () => {
  vi.stubEnv("AWS_LAMBDA_FUNCTION_NAME", "consumer");
  const { config, requests } = service();
  const client = fastSqs(config);
  for (const trace of ["Root=1", "Root=2", "Root=3"]) {
    vi.stubEnv("_X_AMZN_TRACE_ID", trace);
    await send(client, "a");
  }

  expect(requests.map(({ headers }) => headers["X-Amzn-Trace-Id"])).toEqual(["Root=1", "Root=2", "Root=3"]);
});

test("a request has the time of AWS if the SDK found that this machine's clock differs", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse("2026-03-01T12:00:00Z") });
  const { config, requests } = service();
  const client = fastSqs(config);
  await send(client, "a");
  client.config.systemClockOffset = 600_000;

  await send(client, "b");

  expect(requests[1]?.headers["X-Amz-Date"]).toBe("20260301T121000Z");
});

test("an input without entries is sent, so that the service refuses it", async () => {
  const { config, requests } = service();
  await sendCommand(fastSqs(config), SendMessageBatchCommand, { QueueUrl, Entries: undefined });

  expect(requests).toHaveLength(1);
});

test("each queue has its own blueprints", async () => {
  // The SDK warns of a queue in another region than the client's.
  vi.spyOn(console, "warn").mockReturnValue();
  const { config, requests } = service();
  const client = fastSqs(config);
  const elsewhere = "https://sqs.us-east-2.amazonaws.com/000000000000/other";
  for (const url of [QueueUrl, elsewhere, elsewhere]) {
    await sendCommand(client, GetQueueAttributesCommand, { QueueUrl: url, AttributeNames: ["All"] });
  }

  expect(requests.map(isSdks)).toEqual([true, true, false]);
  expect(requests.map(({ hostname }) => hostname)).toEqual([
    "sqs.eu-west-1.amazonaws.com",
    "sqs.us-east-2.amazonaws.com",
    "sqs.us-east-2.amazonaws.com",
  ]);
});

test("clients with the same settings share blueprints", async () => {
  const blueprints: Blueprints = new Map();
  const [one, other] = [service(), service()];
  await send(fastSqs(one.config, blueprints), "a");

  await send(fastSqs(other.config, blueprints), "a");

  expect(other.requests.map(isSdks)).toEqual([false]);
});

describe("on the wire", () => {
  const ENTRIES = [{ Id: "0", ReceiptHandle: "handle" }];
  const KEY = { pk: { S: "run" }, sk: { S: "page" } };
  const RESULTS = { Successful: [{ Id: "0" }], Failed: [{ Id: "1", Code: "Busy", SenderFault: false, Message: "m" }] };
  const sqs = (config: object) => new SQSClient(config);
  const dynamoDb = (config: object) => new DynamoDBClient(config);
  const TEXT = 'ä \u2028 \u{1f600} "quoted"';

  test.each([
    [
      "SendMessageBatch",
      sqs,
      SendMessageBatchCommand,
      { QueueUrl, Entries: [{ Id: "0", MessageBody: TEXT }] },
      RESULTS,
    ],
    [
      "ReceiveMessage",
      sqs,
      ReceiveMessageCommand,
      { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, MessageAttributeNames: ["All"] },
      { Messages: [{ MessageId: "m", Body: TEXT, Attributes: { ApproximateReceiveCount: "1" } }] },
    ],
    ["DeleteMessageBatch", sqs, DeleteMessageBatchCommand, { QueueUrl, Entries: ENTRIES }, RESULTS],
    [
      "ChangeMessageVisibilityBatch",
      sqs,
      ChangeMessageVisibilityBatchCommand,
      { QueueUrl, Entries: [{ ...ENTRIES[0], VisibilityTimeout: 0 }] },
      RESULTS,
    ],
    [
      "GetQueueAttributes",
      sqs,
      GetQueueAttributesCommand,
      { QueueUrl, AttributeNames: ["All"] },
      { Attributes: { ApproximateNumberOfMessages: "3" } },
    ],
    [
      "GetItem",
      dynamoDb,
      GetItemCommand,
      { TableName: "ledger", Key: KEY, ConsistentRead: true },
      { Item: { text: { S: TEXT }, done: { NS: ["1", "2"] }, none: { NULL: true }, list: { L: [{ BOOL: false }] } } },
    ],
    [
      "UpdateItem",
      dynamoDb,
      UpdateItemCommand,
      {
        TableName: "ledger",
        Key: KEY,
        UpdateExpression: "SET #a = :a ADD #b :b",
        ExpressionAttributeNames: { "#a": "a", "#b": "b" },
        ExpressionAttributeValues: { ":a": { M: { x: { S: TEXT } } }, ":b": { NS: ["1"] } },
      },
      { Attributes: { size: { N: "12345678901234567890" } } },
    ],
  ] as const)(
    "%s by the fast path is what the installed SDK sends and reads",
    async (action, create, Command, input, json) => {
      const requests: { head: unknown; headers: Record<string, unknown>; body: unknown }[] = [];
      const endpoint = await httpServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on("data", (chunk) => chunks.push(chunk));
        request.on("end", () => {
          const { method, url, httpVersion, headers } = request;
          requests.push({ head: { method, url, httpVersion }, headers, body: JSON.parse(`${Buffer.concat(chunks)}`) });
          response.setHeader("content-type", "application/x-amz-json-1.0").end(JSON.stringify(json));
        });
      });
      const credentials = { accessKeyId: "id", secretAccessKey: SECRET };
      const client = create({ endpoint, region: "eu-west-1", credentials, md5: false });
      const fallbacks = vi.fn();
      useFastPath(client, new Map(), fallbacks);
      const request = () => sendCommand<object, { $metadata?: unknown }>(client, Command as never, input);

      const [{ $metadata: _, ...sdks }, ours] = [await request(), await request()];

      // A change of either fails here: then read what the new protocol sends, or take the fast path out.
      expect(client.config.protocol.getShapeId()).toBe("aws.protocols#awsJson1_0");
      expect(fallbacks).not.toHaveBeenCalled();
      expect(requests.map(({ headers }) => SDK_ONLY in headers)).toEqual([true, false]);
      const [first, second] = requests;
      expect(first?.head).toEqual({ method: "POST", url: "/", httpVersion: "1.1" });
      expect(second?.head).toEqual(first?.head);
      expect(first?.headers["content-type"]).toBe("application/x-amz-json-1.0");
      expect(String(first?.headers["x-amz-target"]).split(".").at(-1)).toBe(action);
      expect(first?.body).toEqual(input);
      expect(second?.body).toEqual(input);
      // A request's own: its signature, its date, and how often the SDK has tried it.
      const common = (headers: Record<string, unknown> = {}) =>
        Object.entries(headers).filter(
          ([name]) => !/^(authorization|x-amz-date|amz-sdk-.*|x-amz-content-sha256)$/.test(name),
        );
      expect(Object.fromEntries(common(second?.headers))).toEqual(Object.fromEntries(common(first?.headers)));
      expect(ours).toEqual(sdks);
    },
  );
});

describe("the SDK makes a request instead of the fast path, and the fallback is counted", () => {
  const fast = (config: object) => {
    const onFallback = vi.fn();
    const client = new SQSClient(config);
    useFastPath(client, new Map(), onFallback);
    return { client, onFallback };
  };

  test("if a request fails", async () => {
    const { requests, config } = service({}, { status: 503 }, {});
    const { client, onFallback } = fast(config);
    await send(client, "a");
    expect(onFallback).not.toHaveBeenCalled();

    await send(client, "b");

    expect(onFallback).toHaveBeenCalledTimes(1);
    expect(requests.map(isSdks)).toEqual([true, false, true]);
  });

  test("if a response is not JSON", async () => {
    const { config } = service();
    const answers = ["{}", "\xbf", "{}"];
    config.requestHandler = {
      ...(config.requestHandler as object),
      handle: async () => ({ response: { statusCode: 200, headers: {}, body: Readable.from([answers.shift()]) } }),
    } as never;
    const { client, onFallback } = fast(config);
    await send(client, "a");

    await send(client, "b");

    expect(onFallback).toHaveBeenCalledTimes(1);
  });

  test("if the SDK uses another protocol", async () => {
    const { requests, config } = service();
    const other = new SQSClient(config).config.protocol;
    vi.spyOn(other, "getShapeId").mockReturnValue("smithy.protocols#rpcv2Cbor");
    const { client, onFallback } = fast({ ...config, protocol: other });

    for (const body of ["a", "b", "c"]) await send(client, body);

    expect(requests.map(isSdks)).toEqual([true, true, true]);
    expect(onFallback).toHaveBeenCalledTimes(3);
  });

  test.each<[string, Partial<Request>]>([
    ["has another content type", { headers: { "content-type": "application/cbor" } }],
    ["names another action", { headers: { "x-amz-target": "AmazonSQS.SendMessages" } }],
    ["is sent by another method", { method: "PUT" }],
    ["has another body", { body: JSON.stringify({ QueueUrl, entries: [] }) }],
    ["has a body that is no JSON", { body: "QueueUrl=queue" }],
  ])("if the SDK's request %s", async (_, change) => {
    const { requests, config } = service();
    const { client, onFallback } = fast(config);
    client.middlewareStack.add(
      (next) => (args) => {
        const { headers, ...request } = args.request as Request;
        const changed = { ...request, ...change, headers: { ...headers, ...change.headers } };
        Object.assign(args.request as object, changed);
        return next(args);
      },
      { step: "build", priority: "low" },
    );

    for (const body of ["a", "b", "c"]) await send(client, body);

    expect(requests.map(isSdks)).toEqual([true, true, true]);
    // The first request of a command is the SDK's in any case.
    expect(onFallback).toHaveBeenCalledTimes(2);
  });

  test("a false condition and a message with attributes are not fallbacks", async () => {
    const unmet = { status: 400, json: { __type: "ConditionalCheckFailedException", message: "unmet" } };
    const onFallback = vi.fn();
    const client = new DynamoDBClient(service({}, unmet).config);
    useFastPath(client, new Map(), onFallback);
    const update = () => sendCommand(client, UpdateItemCommand, { TableName: "ledger", Key: { pk: { S: "a" } } });
    await update();
    await expect(update()).rejects.toThrow(ConditionalCheckFailedException);
    const queue = fast(service().config);
    const MessageAttributes = { a: { DataType: "String", StringValue: "b" } };
    for (let request = 0; request < 2; request++) {
      const Entries = [{ Id: "0", MessageBody: "a", MessageAttributes }];
      await sendCommand(queue.client, SendMessageBatchCommand, { QueueUrl, Entries });
    }

    expect(onFallback).not.toHaveBeenCalled();
    expect(queue.onFallback).not.toHaveBeenCalled();
  });
});
