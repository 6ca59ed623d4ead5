import { createHash } from "node:crypto";
import { request } from "node:http";
import {
  CancelMessageMoveTaskCommand,
  ChangeMessageVisibilityBatchCommand,
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListDeadLetterSourceQueuesCommand,
  ListMessageMoveTasksCommand,
  ListQueuesCommand,
  ListQueueTagsCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  StartMessageMoveTaskCommand,
  TagQueueCommand,
  UntagQueueCommand,
} from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Peer, refusal, type SettableClock, type TestQueue } from "./peer.ts";

/** An SQS that was started for the suite. */
export interface StartedPeer {
  readonly endpoint: string;
  readonly stop: () => Promise<void>;
  /** Its clock, if the suite can set it. Default: the machine's clock, so that cases really wait. */
  readonly clock?: SettableClock;
}

type Case = (peer: Peer) => Promise<void>;

const mebibyte = 1_048_576;

/**
 * What AWS documents, one case for each behaviour. Each case has queues of its own. Where LocalStack's tests have recorded
 * another behaviour on AWS, the case asserts what was recorded, and says so.
 */
export const cases: Readonly<Record<string, Case>> = {
  // Queues

  async "CreateQueue gives the same queue for the same attributes, and refuses others"({ client }) {
    const name = `t-${crypto.randomUUID()}`;
    const create = (seconds: string) =>
      client.send(new CreateQueueCommand({ QueueName: name, Attributes: { VisibilityTimeout: seconds } }));
    const first = await create("40");
    expect((await create("40")).QueueUrl).toBe(first.QueueUrl);
    expect(await refusal(create("41"))).toBe("QueueNameExists");
  },

  async "CreateQueue refuses a name that breaks the rules"({ client }) {
    for (const name of ["with space", "dots.are.not", "x".repeat(81)]) {
      expect(await refusal(client.send(new CreateQueueCommand({ QueueName: name })))).toBe("InvalidParameterValue");
    }
  },

  async "CreateQueue wants .fifo at the end of a FIFO queue's name, and of no other's"({ client }) {
    const fifo = new CreateQueueCommand({ QueueName: `t-${crypto.randomUUID()}`, Attributes: { FifoQueue: "true" } });
    expect(await refusal(client.send(fifo))).toBe("InvalidParameterValue");
    const standard = new CreateQueueCommand({ QueueName: `t-${crypto.randomUUID()}.fifo` });
    expect(await refusal(client.send(standard))).toBe("InvalidParameterValue");
  },

  async "GetQueueUrl finds a queue; QueueDoesNotExist stands for every other"(peer) {
    const queue = await peer.queue();
    const { QueueUrl } = await peer.client.send(new GetQueueUrlCommand({ QueueName: queue.name }));
    expect(QueueUrl).toBe(queue.url);
    expect(await refusal(peer.client.send(new GetQueueUrlCommand({ QueueName: "t-none" })))).toBe("QueueDoesNotExist");
    const none = { ...queue, url: `${queue.url}-none` };
    expect(await refusal(peer.send(none, "x"))).toBe("QueueDoesNotExist");
    expect(await refusal(peer.receive(none))).toBe("QueueDoesNotExist");
  },

  async "DeleteQueue removes the queue"(peer) {
    const queue = await peer.queue();
    await peer.client.send(new DeleteQueueCommand({ QueueUrl: queue.url }));
    expect(await refusal(peer.send(queue, "x"))).toBe("QueueDoesNotExist");
  },

  async "The name of a deleted queue is free after 60 seconds"(peer) {
    const queue = await peer.queue();
    await peer.client.send(new DeleteQueueCommand({ QueueUrl: queue.url }));
    const create = () => peer.client.send(new CreateQueueCommand({ QueueName: queue.name }));
    expect(await refusal(create())).toBe("QueueDeletedRecently");
    if (!peer.hasClock) return;
    peer.advance(59);
    expect(await refusal(create())).toBe("QueueDeletedRecently");
    peer.advance(1);
    expect((await create()).QueueUrl).toBe(queue.url);
  },

  async "CreateQueue refuses FifoQueue for a standard queue, also with the value false"({ client }) {
    const create = new CreateQueueCommand({
      QueueName: `t-${crypto.randomUUID()}`,
      Attributes: { FifoQueue: "false" },
    });
    expect(await refusal(client.send(create))).toBe("InvalidAttributeName");
  },

  async "CreateQueue keeps the tags of a new queue, and TagQueue and UntagQueue change them"({ client }) {
    const QueueName = `t-${crypto.randomUUID()}`;
    const { QueueUrl } = await client.send(
      new CreateQueueCommand({ QueueName, tags: { team: "cities", stage: "test" } }),
    );
    const tags = async () => (await client.send(new ListQueueTagsCommand({ QueueUrl }))).Tags;
    expect(await tags()).toEqual({ team: "cities", stage: "test" });
    await client.send(new TagQueueCommand({ QueueUrl, Tags: { stage: "live", empty: "" } }));
    await client.send(new UntagQueueCommand({ QueueUrl, TagKeys: ["team", "unknown"] }));
    expect(await tags()).toEqual({ stage: "live", empty: "" });
    await client.send(new UntagQueueCommand({ QueueUrl, TagKeys: ["stage", "empty"] }));
    expect(await tags()).toBeUndefined();
  },

  async "Empty lists are absent from an answer"(peer) {
    const queue = await peer.queue();
    const none = await peer.client.send(new ListQueuesCommand({ QueueNamePrefix: `${queue.name}-none` }));
    expect(none.QueueUrls).toBeUndefined();
    const { Attributes } = await peer.client.send(new GetQueueAttributesCommand({ QueueUrl: queue.url }));
    expect(Attributes).toBeUndefined();
  },

  async "ListQueues filters by prefix and gives pages"({ client }) {
    const prefix = `p-${crypto.randomUUID()}`;
    for (const n of [1, 2, 3]) await client.send(new CreateQueueCommand({ QueueName: `${prefix}-${n}` }));
    const seen: string[] = [];
    let NextToken: string | undefined;
    let pages = 0;
    do {
      const page = await client.send(
        new ListQueuesCommand({ QueueNamePrefix: prefix, MaxResults: 2, ...(NextToken && { NextToken }) }),
      );
      seen.push(...(page.QueueUrls ?? []));
      NextToken = page.NextToken;
      pages += 1;
    } while (NextToken !== undefined);
    expect(seen.map((url) => url.slice(-1)).sort()).toEqual(["1", "2", "3"]);
    expect(pages).toBe(2);
  },

  async "GetQueueAttributes gives the documented defaults"(peer) {
    const all = await peer.attributes(await peer.queue(), "All");
    expect(all).toMatchObject({
      DelaySeconds: "0",
      MaximumMessageSize: "1048576",
      MessageRetentionPeriod: "345600",
      ReceiveMessageWaitTimeSeconds: "0",
      VisibilityTimeout: "30",
    });
    expect(all.QueueArn).toMatch(/^arn:aws:sqs:us-east-1:\d{12}:t-/);
    expect(Math.abs(Number(all.CreatedTimestamp) * 1000 - peer.now())).toBeLessThan(60_000);
  },

  async "GetQueueAttributes gives only what is asked for, and knows its names"(peer) {
    const queue = await peer.queue();
    expect(await peer.attributes(queue, "VisibilityTimeout")).toEqual({ VisibilityTimeout: "30" });
    const unknown = new GetQueueAttributesCommand({ QueueUrl: queue.url, AttributeNames: ["Nonsense" as "All"] });
    expect(await refusal(peer.client.send(unknown))).toBe("InvalidAttributeName");
  },

  async "SetQueueAttributes changes attributes and checks their ranges"(peer) {
    const queue = await peer.queue();
    const set = (Attributes: Record<string, string>) =>
      peer.client.send(new SetQueueAttributesCommand({ QueueUrl: queue.url, Attributes }));
    await set({ VisibilityTimeout: "43200", DelaySeconds: "900", MessageRetentionPeriod: "60" });
    expect(await peer.attributes(queue, "All")).toMatchObject({
      VisibilityTimeout: "43200",
      DelaySeconds: "900",
      MessageRetentionPeriod: "60",
    });
    for (const [name, value] of [
      ["VisibilityTimeout", "43201"],
      ["DelaySeconds", "901"],
      ["MessageRetentionPeriod", "59"],
      ["MessageRetentionPeriod", "1209601"],
      ["ReceiveMessageWaitTimeSeconds", "21"],
      ["MaximumMessageSize", "1023"],
      ["MaximumMessageSize", "1048577"],
      ["VisibilityTimeout", "-1"],
      ["VisibilityTimeout", "soon"],
    ] as const) {
      expect(await refusal(set({ [name]: value })), `${name}=${value}`).toBe("InvalidAttributeValue");
    }
  },

  async "An unknown attribute is refused"(peer) {
    const queue = await peer.queue();
    const set = new SetQueueAttributesCommand({
      QueueUrl: queue.url,
      Attributes: { Nonsense: "1" } as Record<string, string>,
    });
    expect(await refusal(peer.client.send(set))).toBe("InvalidAttributeName");
  },

  async "An unknown action is refused with UnknownOperationException"({ endpoint }) {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: {
        authorization: "AWS4-HMAC-SHA256 Credential=test/20261127/us-east-1/sqs/aws4_request",
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "AmazonSQS.DoNonsense",
      },
      body: "{}",
    });
    expect(response.ok).toBe(false);
    expect(((await response.json()) as { __type: string }).__type).toContain("UnknownOperationException");
  },

  async "Errors carry the type in the body and the older code in x-amzn-query-error"({ endpoint }) {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "AmazonSQS.GetQueueUrl",
        authorization: "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request",
      },
      body: JSON.stringify({ QueueName: "t-none" }),
    });
    expect(response.status).toBe(400);
    expect(response.headers.get("x-amzn-query-error")).toBe("AWS.SimpleQueueService.NonExistentQueue;Sender");
    expect(((await response.json()) as { __type: string }).__type).toBe("com.amazonaws.sqs#QueueDoesNotExist");
  },

  // Messages

  async "A message is received as it was sent, with its MD5 and its attributes"(peer) {
    const queue = await peer.queue();
    const body = 'plain, "quoted", ünïcode 漢字\n\t';
    const sent = await peer.send(queue, body);
    const message = await peer.receiveOne(queue);
    expect(message).toMatchObject({ Body: body, MessageId: sent.MessageId });
    expect(message.MD5OfBody).toBe(createHash("md5").update(body).digest("hex"));
    expect(message.Attributes).toMatchObject({ ApproximateReceiveCount: "1" });
    expect(message.Attributes?.SenderId).toBeTruthy();
    for (const name of ["SentTimestamp", "ApproximateFirstReceiveTimestamp"] as const) {
      expect(Math.abs(Number(message.Attributes?.[name]) - peer.now())).toBeLessThan(60_000);
    }
  },

  async "Characters outside the basic plane are allowed"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "fan-out 🚀🏙️ 𝒳");
    expect((await peer.receiveOne(queue)).Body).toBe("fan-out 🚀🏙️ 𝒳");
  },

  async "Control characters and non-characters are refused"(peer) {
    const queue = await peer.queue();
    for (const character of ["\u0000", "\u0008", "\u000b", "\u001f", "\uffff"]) {
      expect(await refusal(peer.send(queue, `x${character}`))).toBe("InvalidMessageContents");
    }
  },

  async "An empty message is refused"(peer) {
    expect(await refusal(peer.send(await peer.queue(), ""))).toMatch(/MissingParameter|InvalidParameterValue/);
  },

  async "Message attributes come back, and their MD5 is right"(peer) {
    const queue = await peer.queue();
    const MessageAttributes = {
      zeta: { DataType: "String", StringValue: "Größe" },
      alpha: { DataType: "Number.int", StringValue: "42" },
      bin: { DataType: "Binary", BinaryValue: new Uint8Array([0, 1, 254, 255]) },
    };
    const sent = await peer.send(queue, "x", { MessageAttributes });
    // From the algorithm in the developer guide, by hand: see md5OfParts.
    const expected = md5OfParts([
      ["alpha", "Number.int", 1, Buffer.from("42")],
      ["bin", "Binary", 2, Buffer.from([0, 1, 254, 255])],
      ["zeta", "String", 1, Buffer.from("Größe")],
    ]);
    expect(sent.MD5OfMessageAttributes).toBe(expected);
    const message = await peer.receiveOne(queue);
    expect(message.MD5OfMessageAttributes).toBe(expected);
    expect(message.MessageAttributes).toEqual(MessageAttributes);
  },

  async "A receive gives only the message attributes that it asks for"(peer) {
    const queue = await peer.queue();
    const value = { DataType: "String", StringValue: "v" };
    await peer.send(queue, "x", { MessageAttributes: { "trace.a": value, "trace.b": value, other: value } });
    const message = await peer.receiveOne(queue, {
      MessageAttributeNames: ["trace.*"],
      MessageSystemAttributeNames: ["SentTimestamp"],
      VisibilityTimeout: 0,
    });
    expect(Object.keys(message.MessageAttributes ?? {}).sort()).toEqual(["trace.a", "trace.b"]);
    expect(Object.keys(message.Attributes ?? {})).toEqual(["SentTimestamp"]);
    // "tr.*" asks for every name that begins with "tr", and "*" for every name.
    for (const [name, expected] of [
      ["tr.*", ["trace.a", "trace.b"]],
      ["*", ["other", "trace.a", "trace.b"]],
    ] as const) {
      const { MessageAttributes } = await peer.receiveOne(queue, {
        MessageAttributeNames: [name],
        VisibilityTimeout: 0,
      });
      expect(Object.keys(MessageAttributes ?? {}).sort(), name).toEqual(expected);
    }
  },

  async "At most ten message attributes are allowed"(peer) {
    const queue = await peer.queue();
    const attributes = (n: number) =>
      Object.fromEntries(Array.from({ length: n }, (_, i) => [`a${i}`, { DataType: "String", StringValue: "v" }]));
    await peer.send(queue, "x", { MessageAttributes: attributes(10) });
    expect(await refusal(peer.send(queue, "x", { MessageAttributes: attributes(11) }))).toBe("InvalidParameterValue");
  },

  async "A message attribute needs a known type and a value"(peer) {
    const queue = await peer.queue();
    for (const MessageAttributes of [
      { a: { DataType: "Nonsense", StringValue: "v" } },
      { a: { DataType: "String", StringValue: "" } },
      { a: { DataType: "Number", StringValue: "many" } },
      { a: { DataType: "String", StringValue: "control\u0001" } },
      { "aws.a": { DataType: "String", StringValue: "v" } },
    ]) {
      expect(await refusal(peer.send(queue, "x", { MessageAttributes })), JSON.stringify(MessageAttributes)).toBe(
        "InvalidParameterValue",
      );
    }
  },

  async "AWSTraceHeader travels with the message"(peer) {
    const queue = await peer.queue();
    const StringValue = "Root=1-5759e988-bd862e3fe1be46a994272793";
    await peer.send(queue, "x", { MessageSystemAttributes: { AWSTraceHeader: { DataType: "String", StringValue } } });
    expect((await peer.receiveOne(queue)).Attributes?.AWSTraceHeader).toBe(StringValue);
  },

  async "The header X-Amzn-Trace-Id of a request becomes AWSTraceHeader"(peer) {
    const queue = await peer.queue();
    const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    const command = new SendMessageCommand({ QueueUrl: queue.url, MessageBody: "x" });
    command.middlewareStack.add(
      (next) => (args) => {
        (args.request as { readonly headers: Record<string, string> }).headers["x-amzn-trace-id"] = trace;
        return next(args);
      },
      { step: "build", name: "trace" },
    );
    await peer.client.send(command, {});
    expect((await peer.receiveOne(queue)).Attributes?.AWSTraceHeader).toBe(trace);
  },

  async "A message of 1 MiB is taken, a byte more is not"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "x".repeat(mebibyte));
    expect((await peer.receiveOne(queue)).Body).toHaveLength(mebibyte);
    expect(await refusal(peer.send(queue, "x".repeat(mebibyte + 1)))).toBe("InvalidParameterValue");
  },

  async "Attributes and multi-byte characters count towards the size"(peer) {
    const queue = await peer.queue();
    const MessageAttributes = { name: { DataType: "String", StringValue: "value" } };
    const room = mebibyte - "nameStringvalue".length;
    await peer.send(queue, "x".repeat(room), { MessageAttributes });
    expect(await refusal(peer.send(queue, "x".repeat(room + 1), { MessageAttributes }))).toBe("InvalidParameterValue");
    expect(await refusal(peer.send(queue, `${"ü".repeat(mebibyte / 2)}x`))).toBe("InvalidParameterValue");
  },

  async "A queue's MaximumMessageSize is enforced"(peer) {
    const queue = await peer.queue({ MaximumMessageSize: "1024" });
    await peer.send(queue, "x".repeat(1024));
    expect(await refusal(peer.send(queue, "x".repeat(1025)))).toBe("InvalidParameterValue");
  },

  async "DelaySeconds hides a message at first"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "later", { DelaySeconds: peer.aWhile });
    expect(await peer.receive(queue)).toEqual([]);
    expect(await peer.counts(queue)).toEqual([0, 0, 1]);
    peer.advance(peer.aWhile);
    expect((await peer.receiveOne(queue, { WaitTimeSeconds: 20 })).Body).toBe("later");
  },

  async "DelaySeconds is 0 to 900"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "x", { DelaySeconds: 900 });
    expect(await refusal(peer.send(queue, "x", { DelaySeconds: 901 }))).toBe("InvalidParameterValue");
  },

  async "A queue's DelaySeconds is the default, and a message's own comes before it"(peer) {
    const queue = await peer.queue({ DelaySeconds: "900" });
    await peer.send(queue, "queue's");
    await peer.send(queue, "own", { DelaySeconds: 0 });
    expect((await peer.receiveOne(queue)).Body).toBe("own");
    expect(await peer.counts(queue)).toEqual([0, 1, 1]);
  },

  // Batches

  async "SendMessageBatch sends ten, and answers by id"(peer) {
    const queue = await peer.queue();
    const { Successful } = await sendBatch(peer, queue, numbered(10));
    expect(Successful?.map(({ Id }) => Id).sort()).toEqual(numbered(10).map(({ Id }) => Id));
    expect(await peer.counts(queue)).toEqual([10, 0, 0]);
    expect(await peer.receive(queue, { MaxNumberOfMessages: 10 })).toHaveLength(10);
  },

  async "A batch has 1 to 10 entries"(peer) {
    const queue = await peer.queue();
    expect(await refusal(sendBatch(peer, queue, []))).toBe("EmptyBatchRequest");
    expect(await refusal(sendBatch(peer, queue, numbered(11)))).toBe("TooManyEntriesInBatchRequest");
  },

  async "A batch's ids are distinct and well formed"(peer) {
    const queue = await peer.queue();
    const [entry = { Id: "", MessageBody: "" }] = numbered(1);
    expect(await refusal(sendBatch(peer, queue, [entry, entry]))).toBe("BatchEntryIdsNotDistinct");
    for (const Id of ["with space", "x".repeat(81)]) {
      expect(await refusal(sendBatch(peer, queue, [{ ...entry, Id }]))).toBe("InvalidBatchEntryId");
    }
  },

  async "A batch of more than 1 MiB is refused as a whole"(peer) {
    const queue = await peer.queue();
    const half = (Id: string, extra = 0) => ({ Id, MessageBody: "x".repeat(mebibyte / 2 + extra) });
    expect(await refusal(sendBatch(peer, queue, [half("a"), half("b", 1)]))).toBe("BatchRequestTooLong");
    expect(await peer.counts(queue)).toEqual([0, 0, 0]);
    await sendBatch(peer, queue, [half("a"), half("b")]);
    expect(await peer.counts(queue)).toEqual([2, 0, 0]);
  },

  async "A bad entry fails alone, with its code"(peer) {
    const queue = await peer.queue();
    const { Successful, Failed } = await sendBatch(peer, queue, [
      { Id: "good", MessageBody: "x" },
      { Id: "bad", MessageBody: "x\u0001" },
      { Id: "late", MessageBody: "x", DelaySeconds: 901 },
    ]);
    expect(Successful?.map(({ Id }) => Id)).toEqual(["good"]);
    const codes = Object.fromEntries((Failed ?? []).map(({ Id, Code, SenderFault }) => [Id, [Code, SenderFault]]));
    expect(codes).toEqual({ bad: ["InvalidMessageContents", true], late: ["InvalidParameterValue", true] });
    expect(await peer.counts(queue)).toEqual([1, 0, 0]);
  },

  async "DeleteMessageBatch deletes, and a bad handle fails alone"(peer) {
    const queue = await peer.queue();
    await sendBatch(peer, queue, numbered(3));
    const messages = await peer.receive(queue, { MaxNumberOfMessages: 10 });
    expect(messages).toHaveLength(3);
    const Entries = messages.map(({ ReceiptHandle }, i) => ({ Id: `m${i}`, ReceiptHandle }));
    const { Successful, Failed } = await peer.client.send(
      new DeleteMessageBatchCommand({
        QueueUrl: queue.url,
        Entries: [...Entries, { Id: "bad", ReceiptHandle: "nonsense" }],
      }),
    );
    expect(Successful?.map(({ Id }) => Id).sort()).toEqual(["m0", "m1", "m2"]);
    expect(Failed?.map(({ Id, Code, SenderFault }) => [Id, Code, SenderFault])).toEqual([
      ["bad", "ReceiptHandleIsInvalid", true],
    ]);
    expect(await peer.counts(queue)).toEqual([0, 0, 0]);
  },

  async "ChangeMessageVisibilityBatch changes, and a bad handle fails alone"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "x");
    const message = await peer.receiveOne(queue);
    const { Successful, Failed } = await peer.client.send(
      new ChangeMessageVisibilityBatchCommand({
        QueueUrl: queue.url,
        Entries: [
          { Id: "good", ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: 0 },
          { Id: "bad", ReceiptHandle: "nonsense", VisibilityTimeout: 0 },
        ],
      }),
    );
    expect(Successful?.map(({ Id }) => Id)).toEqual(["good"]);
    expect(Failed?.map(({ Id, Code }) => [Id, Code])).toEqual([["bad", "ReceiptHandleIsInvalid"]]);
    expect((await peer.receiveOne(queue)).Attributes?.ApproximateReceiveCount).toBe("2");
  },

  // Receiving

  async "ReceiveMessage checks its ranges"(peer) {
    const queue = await peer.queue();
    for (const bad of [
      { MaxNumberOfMessages: 0 },
      { MaxNumberOfMessages: 11 },
      { WaitTimeSeconds: 21 },
      { WaitTimeSeconds: -1 },
      { VisibilityTimeout: 43_201 },
    ]) {
      expect(await refusal(peer.receive(queue, bad)), JSON.stringify(bad)).toBe("InvalidParameterValue");
    }
  },

  async "A received message is in flight until its visibility timeout, and then counts on"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "x");
    const first = await peer.receiveOne(queue, { VisibilityTimeout: peer.aWhile });
    expect(await peer.receive(queue)).toEqual([]);
    expect(await peer.counts(queue)).toEqual([0, 1, 0]);
    peer.advance(peer.aWhile);
    const second = await peer.receiveOne(queue, { WaitTimeSeconds: 20 });
    expect(second.MessageId).toBe(first.MessageId);
    expect(second.ReceiptHandle).not.toBe(first.ReceiptHandle);
    expect(second.Attributes).toMatchObject({
      ApproximateReceiveCount: "2",
      ApproximateFirstReceiveTimestamp: first.Attributes?.ApproximateFirstReceiveTimestamp,
      SentTimestamp: first.Attributes?.SentTimestamp,
    });
  },

  async "Counts are right without another receive"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "x");
    await peer.receiveOne(queue, { VisibilityTimeout: 1 });
    peer.advance(1);
    await vi.waitFor(async () => expect(await peer.counts(queue)).toEqual([1, 0, 0]), {
      timeout: 15_000,
      interval: 50,
    });
  },

  async "A long poll ends as soon as a message is sent"(peer) {
    const queue = await peer.queue();
    const poll = peer.receive(queue, { WaitTimeSeconds: 20 });
    await peer.send(queue, "x");
    expect((await poll).map(({ Body }) => Body)).toEqual(["x"]);
  },

  async "A long poll ends empty after its time"(peer) {
    const queue = await peer.queue();
    const start = performance.now();
    expect(await peer.receive(queue, { WaitTimeSeconds: 1 })).toEqual([]);
    expect(performance.now() - start).toBeGreaterThan(900);
  },

  async "The queue's ReceiveMessageWaitTimeSeconds is the default wait"(peer) {
    const queue = await peer.queue({ ReceiveMessageWaitTimeSeconds: "20" });
    const poll = peer.receive(queue);
    await peer.send(queue, "x");
    expect(await poll).toHaveLength(1);
  },

  async "Each message goes to one of the waiting polls"(peer) {
    const queue = await peer.queue();
    const polls = [1, 2, 3].map(() => peer.receive(queue, { WaitTimeSeconds: 20, MaxNumberOfMessages: 1 }));
    for (const body of ["a", "b", "c"]) await peer.send(queue, body);
    const bodies = (await Promise.all(polls)).flat().map(({ Body }) => Body);
    expect(bodies.sort()).toEqual(["a", "b", "c"]);
  },

  async "A long poll that the client gives up swallows no message"(peer) {
    const queue = await peer.queue();
    for (const turn of [1, 2, 3]) {
      const abort = new AbortController();
      const command = new ReceiveMessageCommand({ QueueUrl: queue.url, WaitTimeSeconds: 20 });
      const poll = peer.client.send(command, { abortSignal: abort.signal });
      // A round trip, so that the poll is waiting before it is given up.
      await peer.counts(queue);
      abort.abort();
      expect(await refusal(poll)).toBe("AbortError");
      await peer.send(queue, `turn ${turn}`);
      const message = await peer.receiveOne(queue);
      expect(message).toMatchObject({ Body: `turn ${turn}`, Attributes: { ApproximateReceiveCount: "1" } });
      await peer.delete(queue, message);
    }
  },

  async "A connection that breaks during a long poll swallows no message"(peer) {
    const queue = await peer.queue();
    const poll = await openPoll(peer.endpoint, queue);
    // A round trip, so that the server has the poll.
    await peer.counts(queue);
    poll.destroy();
    await peer.send(queue, "x");
    expect((await peer.receiveOne(queue)).Body).toBe("x");
  },

  // Visibility and receipt handles

  async "ChangeMessageVisibility to 0 makes a message visible at once"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "x");
    const message = await peer.receiveOne(queue);
    const waiting = peer.receive(queue, { WaitTimeSeconds: 20 });
    await changeVisibility(peer, queue, message.ReceiptHandle, 0);
    expect((await waiting)[0]?.MessageId).toBe(message.MessageId);
  },

  async "ChangeMessageVisibility lengthens the time in flight"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "x");
    const message = await peer.receiveOne(queue, { VisibilityTimeout: peer.aWhile });
    await changeVisibility(peer, queue, message.ReceiptHandle, 10 * peer.aWhile);
    expect(await peer.receiveWithin(queue, peer.aWhile + 1)).toEqual([]);
    expect(await peer.counts(queue)).toEqual([0, 1, 0]);
  },

  async "ChangeMessageVisibility refuses more than 12 hours"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "x");
    const { ReceiptHandle } = await peer.receiveOne(queue);
    expect(await refusal(changeVisibility(peer, queue, ReceiptHandle, 43_201))).toBe("InvalidParameterValue");
  },

  async "ChangeMessageVisibility of a standard queue hides a message through a handle that has expired"(peer) {
    // The API reference promises MessageNotInflight. LocalStack's tests record a success on AWS.
    const queue = await peer.queue();
    await peer.send(queue, "x");
    const { ReceiptHandle } = await peer.receiveOne(queue);
    await changeVisibility(peer, queue, ReceiptHandle, 0);
    await changeVisibility(peer, queue, ReceiptHandle, 600);
    expect(await peer.counts(queue)).toEqual([0, 1, 0]);
  },

  async "ChangeMessageVisibility of a standard queue exposes a message that another receiver holds"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "x");
    const early = await peer.receiveOne(queue, { VisibilityTimeout: 0 });
    await peer.receiveOne(queue);
    expect(await peer.counts(queue)).toEqual([0, 1, 0]);
    await changeVisibility(peer, queue, early.ReceiptHandle, 0);
    expect((await peer.receiveOne(queue)).Attributes?.ApproximateReceiveCount).toBe("3");
  },

  async "ChangeMessageVisibility of a FIFO queue refuses a handle that has expired"(peer) {
    const queue = await fifo(peer);
    await peer.send(queue, "x", { MessageGroupId: "g" });
    const { ReceiptHandle } = await peer.receiveOne(queue);
    await changeVisibility(peer, queue, ReceiptHandle, 0);
    expect(await refusal(changeVisibility(peer, queue, ReceiptHandle, 10))).toMatch(
      /MessageNotInflight|InvalidParameterValue/,
    );
  },

  async "ChangeMessageVisibility of a deleted message is refused"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "x");
    const message = await peer.receiveOne(queue);
    await peer.delete(queue, message);
    expect(await refusal(changeVisibility(peer, queue, message.ReceiptHandle, 10))).toMatch(
      /InvalidParameterValue|MessageNotInflight/,
    );
  },

  async "DeleteMessage deletes, twice is no error, and nonsense is refused"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "x");
    const message = await peer.receiveOne(queue);
    await peer.delete(queue, message);
    await peer.delete(queue, message);
    expect(await peer.counts(queue)).toEqual([0, 0, 0]);
    const nonsense = new DeleteMessageCommand({ QueueUrl: queue.url, ReceiptHandle: "nonsense" });
    expect(await refusal(peer.client.send(nonsense))).toBe("ReceiptHandleIsInvalid");
  },

  async "An expired handle still deletes on a standard queue"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "x");
    const message = await peer.receiveOne(queue, { VisibilityTimeout: 0 });
    await peer.delete(queue, message);
    expect(await peer.receive(queue)).toEqual([]);
  },

  async "A handle from before another receive deletes nothing"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "x");
    const first = await peer.receiveOne(queue, { VisibilityTimeout: 0 });
    const second = await peer.receiveOne(queue);
    await peer.delete(queue, first);
    expect(await peer.counts(queue)).toEqual([0, 1, 0]);
    await peer.delete(queue, second);
    expect(await peer.counts(queue)).toEqual([0, 0, 0]);
  },

  async "PurgeQueue deletes all messages, once a minute"(peer) {
    const queue = await peer.queue();
    await sendBatch(peer, queue, numbered(5));
    await peer.receiveOne(queue);
    const purge = () => peer.client.send(new PurgeQueueCommand({ QueueUrl: queue.url }));
    await purge();
    expect(await peer.counts(queue)).toEqual([0, 0, 0]);
    expect(await refusal(purge())).toBe("PurgeQueueInProgress");
  },

  // Dead letters

  async "A message moves to the dead-letter queue at receive maxReceiveCount + 1"(peer) {
    const { queue, dead } = await peer.queueWithDeadLetters(2);
    const sent = await peer.send(queue, "poison", {
      MessageAttributes: { a: { DataType: "String", StringValue: "kept" } },
    });
    let sentAt: string | undefined;
    for (const count of ["1", "2"]) {
      const message = await peer.receiveOne(queue, { VisibilityTimeout: 0 });
      expect(message.Attributes?.ApproximateReceiveCount).toBe(count);
      sentAt = message.Attributes?.SentTimestamp;
    }
    expect(await peer.receive(queue)).toEqual([]);
    const deadLetter = await peer.receiveOne(dead);
    expect(deadLetter).toMatchObject({
      Body: "poison",
      MessageId: sent.MessageId,
      Attributes: { SentTimestamp: sentAt },
    });
    expect(deadLetter.MessageAttributes?.a?.StringValue).toBe("kept");
    expect(await peer.counts(queue)).toEqual([0, 0, 0]);
  },

  async "A dead letter names its source, and counts its receives in all queues"(peer) {
    const { queue, dead } = await peer.queueWithDeadLetters(3);
    await peer.send(queue, "poison");
    for (let receives = 0; receives < 3; receives++) await peer.receiveOne(queue, { VisibilityTimeout: 0 });
    expect(await peer.receive(queue)).toEqual([]);
    const deadLetter = await peer.receiveOne(dead);
    expect(deadLetter.Attributes).toMatchObject({
      ApproximateReceiveCount: "4",
      DeadLetterQueueSourceArn: queue.arn,
    });
  },

  async "ListDeadLetterSourceQueues lists the sources"(peer) {
    const { queue, dead } = await peer.queueWithDeadLetters(3);
    const list = await peer.client.send(new ListDeadLetterSourceQueuesCommand({ QueueUrl: dead.url }));
    expect(list.queueUrls).toEqual([queue.url]);
  },

  async "A redrive policy needs an existing target of the same type"(peer) {
    const fifo = await peer.queue({ FifoQueue: "true" });
    for (const deadLetterTargetArn of [fifo.arn, `${fifo.arn.slice(0, -5)}-none`]) {
      const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 1 });
      expect(await refusal(peer.queue({ RedrivePolicy }))).toMatch(
        /^(InvalidParameterValue|InvalidAttributeValue|QueueDoesNotExist)$/,
      );
    }
  },

  async "maxReceiveCount is 1 to 1,000"(peer) {
    const dead = await peer.queue();
    for (const maxReceiveCount of [0, 1_001]) {
      const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount });
      expect(await refusal(peer.queue({ RedrivePolicy }))).toMatch(/^Invalid(Parameter|Attribute)Value$/);
    }
  },

  async "StartMessageMoveTask moves dead letters back to where they came from, as new messages"(peer) {
    const { queue, dead, ids } = await deadLetters(peer, 3);
    await peer.client.send(new StartMessageMoveTaskCommand({ SourceArn: dead.arn }));
    await moveTaskBecomes(peer, dead, "COMPLETED");
    const moved = await peer.receive(queue, { MaxNumberOfMessages: 10 });
    expect(moved).toHaveLength(3);
    expect(moved.map(({ Attributes }) => Attributes?.ApproximateReceiveCount)).toEqual(["1", "1", "1"]);
    expect(moved.some(({ MessageId = "" }) => ids.includes(MessageId))).toBe(false);
    const { Results } = await peer.client.send(new ListMessageMoveTasksCommand({ SourceArn: dead.arn }));
    expect(Results?.[0]).toMatchObject({
      SourceArn: dead.arn,
      ApproximateNumberOfMessagesMoved: 3,
      ApproximateNumberOfMessagesToMove: 3,
    });
    expect(Results?.[0]?.TaskHandle).toBeUndefined();
  },

  async "StartMessageMoveTask moves to another queue if asked"(peer) {
    const { dead } = await deadLetters(peer, 1);
    const other = await peer.queue();
    await peer.client.send(new StartMessageMoveTaskCommand({ SourceArn: dead.arn, DestinationArn: other.arn }));
    expect((await peer.receiveOne(other, { WaitTimeSeconds: 5 })).Body).toBe("poison 0");
  },

  async "A dead letter that was sent directly cannot go back without a destination"(peer) {
    const { dead } = await peer.queueWithDeadLetters(1);
    await peer.send(dead, "direct");
    await peer.client.send(new StartMessageMoveTaskCommand({ SourceArn: dead.arn }));
    await moveTaskBecomes(peer, dead, "FAILED");
    const { Results } = await peer.client.send(new ListMessageMoveTasksCommand({ SourceArn: dead.arn }));
    expect(Results?.[0]?.FailureReason).toContain("CouldNotDetermineMessageSource");
    expect(await peer.counts(dead)).toEqual([1, 0, 0]);
  },

  async "StartMessageMoveTask wants a source that is a dead-letter queue"(peer) {
    const queue = await peer.queue();
    const start = (SourceArn: string) => peer.client.send(new StartMessageMoveTaskCommand({ SourceArn }));
    expect(await refusal(start(queue.arn))).toBe("InvalidParameterValue");
    expect(await refusal(start(`${queue.arn}-none`))).toBe("ResourceNotFoundException");
  },

  async "A move task runs alone, keeps its rate and can be cancelled"(peer) {
    const { dead } = await deadLetters(peer, 5);
    const start = new StartMessageMoveTaskCommand({ SourceArn: dead.arn, MaxNumberOfMessagesPerSecond: 1 });
    const { TaskHandle } = await peer.client.send(start);
    expect(await refusal(peer.client.send(start))).toBe("InvalidParameterValue");
    const { ApproximateNumberOfMessagesMoved: moved = 5 } = await peer.client.send(
      new CancelMessageMoveTaskCommand({ TaskHandle }),
    );
    expect(moved).toBeLessThan(5);
    expect(await moveTaskStatus(peer, dead)).toMatch(/^CANCELL(ED|ING)$/);
    expect((await peer.counts(dead))[0]).toBe(5 - moved);
  },

  async "CancelMessageMoveTask refuses a task that is over"(peer) {
    const { dead } = await deadLetters(peer, 1);
    const { TaskHandle } = await peer.client.send(new StartMessageMoveTaskCommand({ SourceArn: dead.arn }));
    await moveTaskBecomes(peer, dead, "COMPLETED");
    const cancel = peer.client.send(new CancelMessageMoveTaskCommand({ TaskHandle }));
    expect(await refusal(cancel)).toMatch(/^(UnsupportedOperation|ResourceNotFoundException)$/);
  },

  async "CancelMessageMoveTask tells a handle that is none from the handle of an unknown task"(peer) {
    const { dead } = await peer.queueWithDeadLetters(1);
    const cancel = (TaskHandle: string) => peer.client.send(new CancelMessageMoveTaskCommand({ TaskHandle }));
    const handle = (sourceArn: string) =>
      Buffer.from(JSON.stringify({ taskId: crypto.randomUUID(), sourceArn })).toString("base64");
    expect(await refusal(cancel("nonsense"))).toBe("InvalidParameterValue");
    expect(await refusal(cancel(handle(dead.arn)))).toBe("ResourceNotFoundException");
    expect(await refusal(cancel(handle(`${dead.arn}-none`)))).toBe("ResourceNotFoundException");
  },

  // FIFO

  async "A FIFO queue keeps the order of a group, also within a batch"(peer) {
    const queue = await fifo(peer);
    await sendBatch(
      peer,
      queue,
      numbered(10).map((entry) => ({ ...entry, MessageGroupId: "g" })),
    );
    const messages = await peer.receive(queue, { MaxNumberOfMessages: 10 });
    expect(messages.map(({ Body }) => Body)).toEqual(numbered(10).map(({ MessageBody }) => MessageBody));
    const sequences = messages.map(({ Attributes }) => BigInt(Attributes?.SequenceNumber ?? 0));
    expect(sequences).toEqual([...sequences].sort((a, b) => (a < b ? -1 : 1)));
    expect(messages[0]?.Attributes).toMatchObject({ MessageGroupId: "g" });
    expect(messages[0]?.Attributes?.MessageDeduplicationId).toBeTruthy();
  },

  async "A group with a message in flight is blocked; other groups are not"(peer) {
    const queue = await fifo(peer);
    for (const [group, body] of [
      ["a", "a1"],
      ["a", "a2"],
      ["b", "b1"],
    ] as const) {
      await peer.send(queue, body, { MessageGroupId: group });
    }
    const first = await peer.receiveOne(queue, { MaxNumberOfMessages: 1 });
    expect(first.Body).toBe("a1");
    const others = await peer.receive(queue, { MaxNumberOfMessages: 10 });
    expect(others.map(({ Body }) => Body)).toEqual(["b1"]);
    expect(await peer.receive(queue)).toEqual([]);
    const waiting = peer.receive(queue, { WaitTimeSeconds: 20 });
    await peer.delete(queue, first);
    expect((await waiting).map(({ Body }) => Body)).toEqual(["a2"]);
  },

  async "A failed message of a group comes back before its successors"(peer) {
    const queue = await fifo(peer);
    for (const body of ["1", "2"]) await peer.send(queue, body, { MessageGroupId: "g" });
    const first = await peer.receiveOne(queue, { MaxNumberOfMessages: 1 });
    await changeVisibility(peer, queue, first.ReceiptHandle, 0);
    const again = await peer.receive(queue, { MaxNumberOfMessages: 10 });
    expect(again.map(({ Body }) => Body)).toEqual(["1", "2"]);
  },

  async "A FIFO message needs a group and a deduplication id"(peer) {
    const queue = await peer.queue({ FifoQueue: "true" });
    expect(await refusal(peer.send(queue, "x", { MessageDeduplicationId: "d" }))).toBe("MissingParameter");
    expect(await refusal(peer.send(queue, "x", { MessageGroupId: "g" }))).toBe("InvalidParameterValue");
  },

  async "A FIFO batch with an entry without a group or a deduplication id is refused whole"(peer) {
    const queue = await peer.queue({ FifoQueue: "true" });
    const good = { Id: "good", MessageBody: "x", MessageGroupId: "g", MessageDeduplicationId: "1" };
    for (const bad of [
      { Id: "bad", MessageBody: "x", MessageDeduplicationId: "2" },
      { Id: "bad", MessageBody: "x", MessageGroupId: "g" },
    ]) {
      expect(await refusal(sendBatch(peer, queue, [good, bad]))).toBe("InvalidParameterValue");
    }
    expect(await peer.counts(queue)).toEqual([0, 0, 0]);
  },

  async "A FIFO queue applies its own delay to a message with a delay of 0"(peer) {
    const queue = await peer.queue({ FifoQueue: "true", ContentBasedDeduplication: "true", DelaySeconds: "900" });
    await peer.send(queue, "x", { MessageGroupId: "g", DelaySeconds: 0 });
    expect(await peer.receive(queue)).toEqual([]);
    expect(await peer.counts(queue)).toEqual([0, 0, 1]);
  },

  async "PurgeQueue forgets deduplication ids"(peer) {
    const queue = await fifo(peer);
    await peer.send(queue, "x", { MessageGroupId: "g" });
    await peer.client.send(new PurgeQueueCommand({ QueueUrl: queue.url }));
    await peer.send(queue, "x", { MessageGroupId: "g" });
    expect((await peer.receiveOne(queue)).Body).toBe("x");
  },

  async "A message that becomes visible again is received before a later message of its group in flight"(peer) {
    const queue = await fifo(peer);
    for (const body of ["1", "2"]) await peer.send(queue, body, { MessageGroupId: "g" });
    const [first] = await peer.receive(queue, { MaxNumberOfMessages: 10 });
    await changeVisibility(peer, queue, first?.ReceiptHandle, 0);
    const again = await peer.receive(queue, { MaxNumberOfMessages: 10 });
    expect(again.map(({ Body }) => Body)).toEqual(["1"]);
  },

  async "A FIFO queue takes no delay per message"(peer) {
    const queue = await fifo(peer);
    expect(await refusal(peer.send(queue, "x", { MessageGroupId: "g", DelaySeconds: 1 }))).toBe(
      "InvalidParameterValue",
    );
  },

  async "A deduplication id counts once, even after its message was deleted"(peer) {
    const queue = await peer.queue({ FifoQueue: "true" });
    const send = (body: string, group: string) =>
      peer.send(queue, body, { MessageGroupId: group, MessageDeduplicationId: "same" });
    const first = await send("one", "g");
    const second = await send("two", "h");
    expect(second.MessageId).toBe(first.MessageId);
    expect(second.SequenceNumber).toBe(first.SequenceNumber);
    const message = await peer.receiveOne(queue);
    expect(message.Body).toBe("one");
    await peer.delete(queue, message);
    await send("three", "g");
    expect(await peer.receive(queue)).toEqual([]);
  },

  async "ContentBasedDeduplication goes by the body"(peer) {
    const queue = await fifo(peer);
    for (const body of ["same", "same", "other"]) await peer.send(queue, body, { MessageGroupId: "g" });
    const messages = await peer.receive(queue, { MaxNumberOfMessages: 10 });
    expect(messages.map(({ Body }) => Body)).toEqual(["same", "other"]);
  },

  async "An expired handle deletes nothing on a FIFO queue"(peer) {
    const queue = await fifo(peer);
    await peer.send(queue, "x", { MessageGroupId: "g" });
    const message = await peer.receiveOne(queue, { VisibilityTimeout: 0 });
    expect(await refusal(peer.delete(queue, message))).toBe("InvalidParameterValue");
    expect((await peer.receiveOne(queue)).Body).toBe("x");
  },

  async "A FIFO queue's dead letters keep their group"(peer) {
    const { queue, dead } = await peer.queueWithDeadLetters(1, {
      FifoQueue: "true",
      ContentBasedDeduplication: "true",
    });
    await peer.send(queue, "poison", { MessageGroupId: "g" });
    await peer.receiveOne(queue, { VisibilityTimeout: 0 });
    expect(await peer.receive(queue)).toEqual([]);
    expect(await peer.receiveOne(dead)).toMatchObject({ Body: "poison", Attributes: { MessageGroupId: "g" } });
  },

  async "A standard queue takes a message group id, and no deduplication id"(peer) {
    const queue = await peer.queue();
    await peer.send(queue, "x", { MessageGroupId: "tenant" });
    expect((await peer.receiveOne(queue)).Attributes?.MessageGroupId).toBe("tenant");
    expect(await refusal(peer.send(queue, "x", { MessageDeduplicationId: "d" }))).toBe("InvalidParameterValue");
  },
};

export interface ConformanceOptions {
  /**
   * Where this peer departs from AWS's documentation, by case. Such a case must fail, so that the table cannot outlive
   * the difference.
   */
  readonly differences?: Readonly<Record<string, string>>;
  /** Cases that sometimes fail with this peer, by no fault of the suite. They are not run, and the value says why. */
  readonly unsteady?: Readonly<Record<string, string>>;
  /** Whether it is started with a clock that the suite can set. */
  readonly hasClock?: boolean;
}

/** Runs every case against an SQS, which the suite knows only by its endpoint. */
export function conformance(
  name: string,
  start: () => Promise<StartedPeer>,
  { differences = {}, unsteady = {}, hasClock = false }: ConformanceOptions = {},
): void {
  vi.setConfig({ maxConcurrency: 100, testTimeout: 120_000 });
  describe(`SQS as AWS documents it: ${name}`, () => {
    let started: StartedPeer | undefined;
    let peer: Peer | undefined;
    beforeAll(async () => {
      started = await start();
      peer = new Peer(started.endpoint, started.clock);
    });
    afterAll(async () => {
      peer?.client.destroy();
      await started?.stop();
    });

    // Cases that really wait run at the same time. Where the clock can be set, each case sets it for itself alone.
    const each = hasClock ? it.sequential : it.concurrent;
    for (const [title, run] of Object.entries(cases)) {
      const difference = differences[title];
      const reason = unsteady[title];
      if (reason !== undefined) {
        it.skip(`not run: ${title} (${reason})`);
        continue;
      }
      const attempt = async () => {
        if (peer === undefined) throw new Error(`${name} did not start`);
        await run(peer);
      };
      // A machine may stand still for longer than a case by the machine's clock allows for.
      if (difference === undefined) each(title, { retry: hasClock ? 0 : 2 }, attempt);
      else {
        each(`differs: ${title} (${difference})`, async () => {
          await expect(attempt(), "it conforms now: take it out of the table of differences").rejects.toThrow();
        });
      }
    }

    it("is told apart in existing cases only", () => {
      expect(Object.keys(cases)).toEqual(
        expect.arrayContaining([...Object.keys(differences), ...Object.keys(unsteady)]),
      );
    });
  });
}

interface Entry {
  readonly Id: string;
  readonly MessageBody: string;
  readonly DelaySeconds?: number;
  readonly MessageGroupId?: string;
  readonly MessageDeduplicationId?: string;
}

function numbered(count: number): Entry[] {
  return Array.from({ length: count }, (_, i) => ({ Id: `e${i}`, MessageBody: `body ${i}` }));
}

function sendBatch(peer: Peer, queue: TestQueue, entries: readonly Entry[]) {
  return peer.client.send(new SendMessageBatchCommand({ QueueUrl: queue.url, Entries: [...entries] }));
}

function changeVisibility(peer: Peer, queue: TestQueue, ReceiptHandle: string | undefined, VisibilityTimeout: number) {
  return peer.client.send(
    new ChangeMessageVisibilityCommand({ QueueUrl: queue.url, ReceiptHandle, VisibilityTimeout }),
  );
}

function fifo(peer: Peer): Promise<TestQueue> {
  return peer.queue({ FifoQueue: "true", ContentBasedDeduplication: "true" });
}

/** A dead-letter queue with `count` messages that a redrive policy moved there. */
async function deadLetters(peer: Peer, count: number) {
  const { queue, dead } = await peer.queueWithDeadLetters(1);
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    ids.push((await peer.send(queue, `poison ${i}`)).MessageId ?? "");
    await peer.receiveOne(queue, { VisibilityTimeout: 0 });
    await peer.receive(queue);
  }
  expect(await peer.counts(dead)).toEqual([count, 0, 0]);
  return { queue, dead, ids };
}

async function moveTaskStatus(peer: Peer, dead: TestQueue): Promise<string | undefined> {
  const { Results } = await peer.client.send(new ListMessageMoveTasksCommand({ SourceArn: dead.arn }));
  return Results?.[0]?.Status;
}

async function moveTaskBecomes(peer: Peer, dead: TestQueue, status: string): Promise<void> {
  const check = async () => {
    // A task moves messages at a rate.
    peer.advance(1);
    expect(await moveTaskStatus(peer, dead)).toBe(status);
  };
  await vi.waitFor(check, { timeout: 60_000, interval: 20 });
}

/** A long poll over a connection of its own, once it has been written. */
async function openPoll(endpoint: string, queue: TestQueue) {
  const url = new URL(endpoint);
  const poll = request({
    host: url.hostname,
    port: url.port,
    method: "POST",
    agent: false,
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": "AmazonSQS.ReceiveMessage",
      authorization: "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request",
    },
  });
  poll.on("error", () => undefined);
  await new Promise<void>((resolve) => {
    poll.end(JSON.stringify({ QueueUrl: queue.url, WaitTimeSeconds: 20 }), () => resolve());
  });
  return poll;
}

function md5OfParts(parts: readonly (readonly [string, string, 1 | 2, Buffer])[]): string {
  const length = (bytes: Buffer) => Buffer.of(bytes.length >> 24, bytes.length >> 16, bytes.length >> 8, bytes.length);
  const hash = createHash("md5");
  for (const [name, type, transport, value] of parts) {
    for (const bytes of [Buffer.from(name), Buffer.from(type)]) hash.update(length(bytes)).update(bytes);
    hash.update(Buffer.of(transport)).update(length(value)).update(value);
  }
  return hash.digest("hex");
}
