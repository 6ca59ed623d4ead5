import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { SqsRequests } from "./sqs-requests.ts";

let sqs: SqsRequests;
let QueueUrl: string;
let FifoUrl: string;
let queues = 0;

beforeAll(() => {
  sqs = new SqsRequests();
});
afterAll(() => sqs.close());

beforeEach(async () => {
  queues++;
  QueueUrl = String((await sqs.output("CreateQueue", { QueueName: `q${queues}` })).QueueUrl);
  const fifo = { QueueName: `q${queues}.fifo`, Attributes: { FifoQueue: "true" } };
  FifoUrl = String((await sqs.output("CreateQueue", fifo)).QueueUrl);
});

type Message = Record<string, unknown> & { readonly ReceiptHandle: string };

async function receive(url: string, more: object = {}): Promise<Message[]> {
  const { Messages = [] } = await sqs.output("ReceiveMessage", { QueueUrl: url, MaxNumberOfMessages: 10, ...more });
  return Messages as Message[];
}

const send = (more: object = {}) => sqs.output("SendMessage", { QueueUrl, MessageBody: "x", ...more });
const counts = async (url: string) => {
  const all = await sqs.attributes(url, "All");
  return [
    all.ApproximateNumberOfMessages,
    all.ApproximateNumberOfMessagesNotVisible,
    all.ApproximateNumberOfMessagesDelayed,
  ].map(Number);
};

const md5 = (text: string | Buffer) => createHash("md5").update(text).digest("hex");

/** The bytes that the developer guide describes in "Calculating the MD5 message digest for message attributes". */
function attributesBytes(...attributes: readonly (readonly [string, string, number, Buffer])[]): Buffer {
  const part = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  return Buffer.concat(
    attributes.flatMap(([name, type, transport, value]) => [
      part(Buffer.from(name)),
      part(Buffer.from(type)),
      Buffer.of(transport),
      part(value),
    ]),
  );
}

const MessageAttributes = {
  zone: { DataType: "String", StringValue: "Zürich" },
  count: { DataType: "Number.int", StringValue: "7" },
  photo: { DataType: "Binary", BinaryValue: Buffer.of(0, 255).toString("base64") },
};

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html */
describe("a message", () => {
  test("is answered with its id and the digests of its parts", async () => {
    expect(await send()).toEqual({ MessageId: expect.stringMatching(/^[0-9a-f-]{36}$/), MD5OfMessageBody: md5("x") });
    const trace = "Root=1-5759e988-bd862e3fe1be46a994272793";
    const answer = await send({
      MessageAttributes,
      MessageSystemAttributes: { AWSTraceHeader: { DataType: "String", StringValue: trace } },
    });
    expect(answer).toEqual({
      MessageId: expect.any(String),
      MD5OfMessageBody: md5("x"),
      MD5OfMessageAttributes: md5(
        attributesBytes(
          ["count", "Number.int", 1, Buffer.from("7")],
          ["photo", "Binary", 2, Buffer.of(0, 255)],
          ["zone", "String", 1, Buffer.from("Zürich")],
        ),
      ),
      MD5OfMessageSystemAttributes: md5(attributesBytes(["AWSTraceHeader", "String", 1, Buffer.from(trace)])),
    });
  });

  test("is received with what the receiver asks for", async () => {
    sqs.now += 1_234;
    const { MessageId } = await send({ MessageAttributes, MessageGroupId: "g" });
    const looked = { VisibilityTimeout: 0 };
    const bare = { MessageId, ReceiptHandle: expect.any(String), MD5OfBody: md5("x"), Body: "x" };
    expect(await receive(QueueUrl, looked)).toEqual([bare]);
    expect(await receive(QueueUrl, { ...looked, MessageAttributeNames: ["none"], AttributeNames: ["None"] })).toEqual([
      bare,
    ]);
    const all = {
      ApproximateFirstReceiveTimestamp: `${sqs.now}`,
      ApproximateReceiveCount: "3",
      SenderId: "AIDACKCEVSQ6C2EXAMPLE",
      SentTimestamp: `${sqs.now}`,
      MessageGroupId: "g",
    };
    expect(await receive(QueueUrl, { ...looked, AttributeNames: ["All"] })).toEqual([{ ...bare, Attributes: all }]);
    expect(
      await receive(QueueUrl, {
        ...looked,
        AttributeNames: ["SenderId"],
        MessageSystemAttributeNames: ["ApproximateReceiveCount"],
      }),
    ).toEqual([{ ...bare, Attributes: { SenderId: all.SenderId, ApproximateReceiveCount: "4" } }]);
    expect(await receive(QueueUrl, { ...looked, MessageAttributeNames: ["All"] })).toEqual([
      {
        ...bare,
        MessageAttributes,
        MD5OfMessageAttributes: md5(
          attributesBytes(
            ["count", "Number.int", 1, Buffer.from("7")],
            ["photo", "Binary", 2, Buffer.of(0, 255)],
            ["zone", "String", 1, Buffer.from("Zürich")],
          ),
        ),
      },
    ]);
    expect(await receive(QueueUrl, { ...looked, MessageAttributeNames: ["count"] })).toEqual([
      {
        ...bare,
        MessageAttributes: { count: MessageAttributes.count },
        MD5OfMessageAttributes: md5(attributesBytes(["count", "Number.int", 1, Buffer.from("7")])),
      },
    ]);
  });

  test.each([
    [["All"], ["barcode", "bar.a", "foo"]],
    [[".*"], ["barcode", "bar.a", "foo"]],
    [["*"], ["barcode", "bar.a", "foo"]],
    [["bar.*"], ["barcode", "bar.a"]],
    [["bar"], []],
    [
      ["foo", "bar.a"],
      ["bar.a", "foo"],
    ],
    [["foo.*", "none"], ["foo"]],
    [["oo.*"], []],
  ])("is received with the attributes that match %j", async (MessageAttributeNames, names) => {
    const one = { DataType: "String", StringValue: "1" };
    await send({ MessageAttributes: { barcode: one, "bar.a": one, foo: one } });
    const [message] = await receive(QueueUrl, { MessageAttributeNames });
    expect(Object.keys(message?.MessageAttributes ?? {})).toEqual(names);
  });

  test("has the trace of its request, unless it has one of its own", async () => {
    const own = { AWSTraceHeader: { DataType: "String", StringValue: "Root=own" } };
    await sqs.ask("SendMessage", { QueueUrl, MessageBody: "a" }, { trace: "Root=request" });
    await sqs.ask("SendMessage", { QueueUrl, MessageBody: "b", MessageSystemAttributes: own }, { trace: "Root=x" });
    await sqs.ask("SendMessageBatch", { QueueUrl, Entries: [{ Id: "1", MessageBody: "c" }] }, { trace: "Root=batch" });
    const received = await receive(QueueUrl, { AttributeNames: ["AWSTraceHeader"] });
    expect(received.map(({ Body, Attributes }) => [Body, Attributes])).toEqual([
      ["a", { AWSTraceHeader: "Root=request" }],
      ["b", { AWSTraceHeader: "Root=own" }],
      ["c", { AWSTraceHeader: "Root=batch" }],
    ]);
  });

  test("is delayed by its own delay or by the queue's", async () => {
    await sqs.output("SetQueueAttributes", { QueueUrl, Attributes: { DelaySeconds: "5" } });
    await send({ MessageBody: "queue's" });
    await send({ MessageBody: "own", DelaySeconds: 2 });
    await send({ MessageBody: "none", DelaySeconds: 0 });
    expect(await counts(QueueUrl)).toEqual([1, 0, 2]);
    const bodies = async () => (await receive(QueueUrl)).map(({ Body }) => Body);
    expect(await bodies()).toEqual(["none"]);
    sqs.now += 2_000;
    expect(await bodies()).toEqual(["own"]);
    sqs.now += 2_999;
    expect(await bodies()).toEqual([]);
    sqs.now += 1;
    expect(await bodies()).toEqual(["queue's"]);
  });

  test("on a FIFO queue has the delay of the queue, and may have a delay of 0 only", async () => {
    await sqs.output("SetQueueAttributes", { QueueUrl: FifoUrl, Attributes: { DelaySeconds: "5" } });
    const ordered = { QueueUrl: FifoUrl, MessageGroupId: "g", MessageDeduplicationId: "1" };
    await send({ ...ordered, DelaySeconds: 0 });
    expect(await counts(FifoUrl)).toEqual([0, 0, 1]);
    expect(await sqs.refusal("SendMessage", { ...ordered, MessageBody: "x", DelaySeconds: 1 })).toBe(
      "InvalidParameterValueException: Value 1 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.",
    );
  });

  test("has a size that counts its attributes", async () => {
    await sqs.output("SetQueueAttributes", { QueueUrl, Attributes: { MaximumMessageSize: "1024" } });
    const text = { DataType: "String", StringValue: "ü".repeat(10) };
    const bytes = { DataType: "Binary", BinaryValue: Buffer.alloc(10).toString("base64") };
    // The names, types and values: 1 + 6 + 20, and 2 + 6 + 10.
    const message = (length: number) => ({
      QueueUrl,
      MessageBody: "x".repeat(length),
      MessageAttributes: { ü: bytes, a: text },
    });
    expect(await sqs.refusal("SendMessage", message(1_024 - 45))).toBe("not refused");
    expect(await sqs.refusal("SendMessage", message(1_024 - 44))).toBe(
      "InvalidParameterValueException: One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.",
    );
  });

  test.each(["\u0000", "\u0008", "\u000b", "\u000c", "\u000e", "\u001f", "\ud800", "\udfff", "\ufffe", "\uffff"])(
    "is refused with the character %j",
    async (character) => {
      const refusal = (message: object) => sqs.refusal("SendMessage", { QueueUrl, MessageBody: "x", ...message });
      expect(await refusal({ MessageBody: `a${character}b` })).toBe(
        "InvalidMessageContents: The message contains characters outside the allowed set.",
      );
      expect(await refusal({ MessageAttributes: { a: { DataType: "String", StringValue: character } } })).toBe(
        "InvalidParameterValueException: The message attribute 'a' contains characters outside the allowed set.",
      );
    },
  );

  test("is accepted with all other characters", async () => {
    const MessageBody = "\t\n\r \ud7ff\ue000\ufffd😀";
    await send({ MessageBody });
    expect((await receive(QueueUrl))[0]).toMatchObject({ Body: MessageBody, MD5OfBody: md5(MessageBody) });
  });
});

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html */
describe("the attributes of a message", () => {
  const refusal = (attributes: object) =>
    sqs.refusal("SendMessage", { QueueUrl, MessageBody: "x", MessageAttributes: attributes });
  const text = { DataType: "String", StringValue: "1" };

  test.each(["a", "a.b", "a-b_9", "ä", "日本", "awsx", "x".repeat(256)])("can have the name %s", async (name) => {
    expect(await refusal({ [name]: text })).toBe("not refused");
  });

  test.each(["", ".a", "a.", "a..b", "a b", "!a", "a!", "aws.a", "AWS.a", "Amazon.a", "x".repeat(257)])(
    "cannot have the name %j",
    async (name) => {
      expect(await refusal({ good: text, [name]: text })).toBe(
        `InvalidParameterValueException: The message attribute '${name}' has an invalid name: up to 256 letters, digits, hyphens, underscores and single inner periods.`,
      );
    },
  );

  test("are at most 10", async () => {
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`a${index}`, text]));
    expect(await refusal(many(10))).toBe("not refused");
    expect(await refusal(many(11))).toBe(
      "InvalidParameterValueException: Number of message attributes [11] exceeds the allowed maximum [10].",
    );
  });

  test.each(["String", "Number", "String.x", "Number.int", `String.${"x".repeat(249)}`])(
    "can have the type %s",
    async (DataType) => {
      expect(await refusal({ a: { ...text, DataType } })).toBe("not refused");
    },
  );

  test.each(["", "Text", "string", "xString", "Stringx", "String.", `String.${"x".repeat(250)}`])(
    "cannot have the type %j",
    async (DataType) => {
      expect(await refusal({ a: { ...text, DataType } })).toBe(
        "InvalidParameterValueException: The message attribute 'a' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.",
      );
    },
  );

  test.each([
    [{ DataType: "Binary", StringValue: "x" }, "must hold a Binary value."],
    [{ DataType: "String", BinaryValue: "eA==" }, "must hold a String value."],
    [{ DataType: "Number.int", BinaryValue: "eA==" }, "must hold a Number value."],
    [{ DataType: "Number", StringValue: "many" }, "must hold a number."],
    [{ DataType: "Number", StringValue: "Infinity" }, "must hold a number."],
    [{ StringValue: "x" }, "must contain a message attribute type."],
    [{ DataType: "String" }, "must contain one value."],
    [{ DataType: "String", StringValue: "x", BinaryValue: "eA==" }, "must contain one value."],
  ])("are refused: %j", async (attribute, reason) => {
    expect(await refusal({ a: attribute })).toBe(`InvalidParameterValueException: The message attribute 'a' ${reason}`);
  });

  test.each([
    [{ DataType: "String", StringValue: "" }, "String"],
    [{ DataType: "Number.int", StringValue: "" }, "Number"],
    [{ DataType: "Binary", BinaryValue: "" }, "Binary"],
  ])("are refused without a value: %j", async (attribute, kind) => {
    expect(await refusal({ a: attribute })).toBe(
      `InvalidParameterValueException: Message (user) attribute 'a' must contain a non-empty value of type '${kind}'.`,
    );
  });

  test.each(["-1.5e3", "0", "12345678901234567890"])("can be the number %s", async (StringValue) => {
    expect(await refusal({ a: { DataType: "Number", StringValue } })).toBe("not refused");
  });

  test("of the system are AWSTraceHeader only, as a text", async () => {
    const refused = (MessageSystemAttributes: object) =>
      sqs.refusal("SendMessage", { QueueUrl, MessageBody: "x", MessageSystemAttributes });
    expect(await refused({ AWSTraceHeader: { DataType: "Binary", BinaryValue: "eA==" } })).toBe(
      "InvalidParameterValueException: The message system attribute AWSTraceHeader must be a String.",
    );
    expect(await refused({ AWSTraceHeader: text, Other: text })).toBe(
      "InvalidParameterValueException: Message system attribute name 'Other' is invalid.",
    );
  });
});

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-exactly-once-processing.html */
describe("a message of a FIFO queue", () => {
  const ordered = (MessageGroupId: string, more: object = {}) => ({ QueueUrl: FifoUrl, MessageGroupId, ...more });

  test("is sent once for each deduplication id within five minutes", async () => {
    const first = await send(ordered("g", { MessageDeduplicationId: "1" }));
    expect(first).toEqual({
      MessageId: expect.any(String),
      MD5OfMessageBody: md5("x"),
      SequenceNumber: expect.stringMatching(/^\d{20}$/),
    });
    sqs.now += 299_999;
    const again = await send(ordered("other", { MessageDeduplicationId: "1", MessageBody: "y" }));
    expect(again).toEqual({ ...first, MD5OfMessageBody: md5("y") });
    const second = await send(ordered("g", { MessageDeduplicationId: "2" }));
    expect(String(second.SequenceNumber) > String(first.SequenceNumber)).toBe(true);
    sqs.now += 1;
    const after = await send(ordered("g", { MessageDeduplicationId: "1" }));
    expect(after.MessageId).not.toBe(first.MessageId);
    expect((await receive(FifoUrl, { AttributeNames: ["All"] })).map(({ Attributes }) => Attributes)).toMatchObject([
      { MessageDeduplicationId: "1", MessageGroupId: "g", SequenceNumber: first.SequenceNumber },
      { MessageDeduplicationId: "2", MessageGroupId: "g", SequenceNumber: second.SequenceNumber },
      { MessageDeduplicationId: "1", MessageGroupId: "g", SequenceNumber: after.SequenceNumber },
    ]);
  });

  test("is the same in another queue and, on request, in another group no more", async () => {
    const { QueueUrl: other } = await sqs.output("CreateQueue", {
      QueueName: `other${queues}.fifo`,
      Attributes: { FifoQueue: "true", DeduplicationScope: "messageGroup", FifoThroughputLimit: "perMessageGroupId" },
    });
    const first = await send(ordered("a", { MessageDeduplicationId: "1" }));
    const id = async (MessageGroupId: string) =>
      (await send({ QueueUrl: other, MessageGroupId, MessageDeduplicationId: "1" })).MessageId;
    const inOther = await id("a");
    expect(inOther).not.toBe(first.MessageId);
    expect(await id("a")).toBe(inOther);
    expect(await id("b")).not.toBe(inOther);
  });

  test("needs a deduplication id, or a queue that computes it from the body", async () => {
    expect(await sqs.refusal("SendMessage", ordered("g", { MessageBody: "x" }))).toBe(
      "InvalidParameterValueException: The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    );
    await sqs.output("SetQueueAttributes", {
      QueueUrl: FifoUrl,
      Attributes: { ContentBasedDeduplication: "true" },
    });
    const first = await send(ordered("g", { MessageBody: "a" }));
    expect((await send(ordered("g", { MessageBody: "a" }))).MessageId).toBe(first.MessageId);
    expect((await send(ordered("g", { MessageBody: "b" }))).MessageId).not.toBe(first.MessageId);
    const [message] = await receive(FifoUrl, { AttributeNames: ["MessageDeduplicationId"] });
    expect(message?.Attributes).toEqual({
      MessageDeduplicationId: createHash("sha256").update("a").digest("hex"),
    });
  });

  test.each(["a", "x".repeat(128), "!~"])("can have the group and the deduplication id %s", async (id) => {
    expect(await sqs.refusal("SendMessage", ordered(id, { MessageBody: "x", MessageDeduplicationId: id }))).toBe(
      "not refused",
    );
  });

  test.each(["", "x".repeat(129), "a b", "ä", " a", "a\u007f"])("cannot have the group or the id %j", async (id) => {
    const refused = (name: string) =>
      `InvalidParameterValueException: Value ${id} for parameter ${name} is invalid. Reason: ${name} can only include alphanumeric and punctuation characters. 1 to 128 in length.`;
    const group = ordered(id, { MessageBody: "x", MessageDeduplicationId: "1" });
    expect(await sqs.refusal("SendMessage", group)).toBe(refused("MessageGroupId"));
    const deduplication = ordered("g", { MessageBody: "x", MessageDeduplicationId: id });
    expect(await sqs.refusal("SendMessage", deduplication)).toBe(refused("MessageDeduplicationId"));
  });

  test("has a deduplication id, and a message of a standard queue cannot have one", async () => {
    expect(await sqs.refusal("SendMessage", { QueueUrl, MessageBody: "x", MessageDeduplicationId: "1" })).toBe(
      "InvalidParameterValueException: Value 1 for parameter MessageDeduplicationId is invalid. Reason: The request include parameter that is not valid for this queue type.",
    );
  });

  test("cannot be in a batch without a group or without a deduplication id: the whole batch is refused", async () => {
    const entry = (Id: string, more: object) => ({ Id, MessageBody: "x", MessageDeduplicationId: Id, ...more });
    const refusal = (more: object) =>
      sqs.refusal("SendMessageBatch", {
        QueueUrl: FifoUrl,
        Entries: [entry("1", { MessageGroupId: "g" }), entry("2", more)],
      });
    expect(await refusal({})).toBe(
      "InvalidParameterValueException: The request must contain the parameter MessageGroupId.",
    );
    expect(await refusal({ MessageGroupId: "g", MessageDeduplicationId: null })).toMatch(
      /^InvalidParameterValueException: The queue should either have ContentBasedDeduplication/,
    );
    expect(await counts(FifoUrl)).toEqual([0, 0, 0]);
  });

  test("is delivered with others of its group in their order, and blocks its group while it is in flight", async () => {
    for (const [group, body] of [
      ["a", "1"],
      ["b", "2"],
      ["a", "3"],
      ["b", "4"],
    ] as const) {
      await send(ordered(group, { MessageBody: body, MessageDeduplicationId: body }));
    }
    const bodies = (messages: Message[]) => messages.map(({ Body }) => Body);
    const first = await receive(FifoUrl, { MaxNumberOfMessages: 1 });
    expect(bodies(first)).toEqual(["1"]);
    const second = await receive(FifoUrl);
    expect(bodies(second)).toEqual(["2", "4"]);
    expect(await receive(FifoUrl)).toEqual([]);
    await sqs.output("DeleteMessage", { QueueUrl: FifoUrl, ReceiptHandle: first[0]?.ReceiptHandle });
    expect(bodies(await receive(FifoUrl))).toEqual(["3"]);
    expect(await counts(FifoUrl)).toEqual([0, 3, 0]);
  });

  test("is delivered with at most as many others as the receiver asks for, of several groups", async () => {
    for (const group of ["a", "b"]) {
      for (let index = 0; index < 4; index++) {
        await send(ordered(group, { MessageBody: `${group}${index}`, MessageDeduplicationId: `${group}${index}` }));
      }
    }
    const received = await receive(FifoUrl, { MaxNumberOfMessages: 6 });
    expect(received.map(({ Body }) => Body)).toEqual(["a0", "a1", "a2", "a3", "b0", "b1"]);
  });

  test("cannot be deleted or changed with a handle whose time is over", async () => {
    await send(ordered("g", { MessageDeduplicationId: "1" }));
    const [message] = await receive(FifoUrl);
    const handle = { QueueUrl: FifoUrl, ReceiptHandle: message?.ReceiptHandle };
    sqs.now += 30_000;
    expect(await sqs.refusal("ChangeMessageVisibility", { ...handle, VisibilityTimeout: 5 })).toBe(
      "MessageNotInflight: The message referred to isn't in flight.",
    );
    expect(await sqs.refusal("DeleteMessage", handle)).toBe(
      `InvalidParameterValueException: Value ${handle.ReceiptHandle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.`,
    );
    const [again] = await receive(FifoUrl);
    const changed = { ...handle, ReceiptHandle: again?.ReceiptHandle, VisibilityTimeout: 5 };
    expect(await sqs.refusal("ChangeMessageVisibility", { ...handle, VisibilityTimeout: 5 })).toMatch(
      /^MessageNotInflight/,
    );
    expect(await sqs.refusal("DeleteMessage", handle)).toMatch(/has expired\.$/);
    expect(await sqs.refusal("ChangeMessageVisibility", changed)).toBe("not refused");
    sqs.now += 4_999;
    expect(await sqs.refusal("DeleteMessage", changed)).toBe("not refused");
    // The message is gone. To delete it again is no error.
    expect(await sqs.refusal("DeleteMessage", changed)).toBe("not refused");
    expect(await counts(FifoUrl)).toEqual([0, 0, 0]);
  });
});

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html */
describe("the visibility of a message", () => {
  const change = (ReceiptHandle: string | undefined, VisibilityTimeout: number) =>
    sqs.refusal("ChangeMessageVisibility", { QueueUrl, ReceiptHandle, VisibilityTimeout });

  test("can be changed for 12 hours from its receive", async () => {
    await send();
    const [message] = await receive(QueueUrl);
    sqs.now += 10_000;
    expect(await change(message?.ReceiptHandle, 43_191)).toBe(
      "InvalidParameterValueException: Value 43191 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds].",
    );
    expect(await change(message?.ReceiptHandle, 43_190)).toBe("not refused");
    sqs.now += 43_189_999;
    expect(await receive(QueueUrl)).toEqual([]);
    sqs.now += 1;
    expect(await receive(QueueUrl)).toHaveLength(1);
  });

  test("is refused out of its range, and for a message that is gone", async () => {
    await send();
    const [message] = await receive(QueueUrl);
    for (const seconds of [-1, 43_201]) {
      expect(await change(message?.ReceiptHandle, seconds)).toBe(
        `InvalidParameterValueException: Value ${seconds} for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200, if provided.`,
      );
    }
    await sqs.output("DeleteMessage", { QueueUrl, ReceiptHandle: message?.ReceiptHandle });
    expect(await change(message?.ReceiptHandle, 0)).toBe(
      `InvalidParameterValueException: Value ${message?.ReceiptHandle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.`,
    );
  });

  test("is refused with a text that is no handle of the queue", async () => {
    await send();
    const [message] = await receive(QueueUrl);
    const good = String(message?.ReceiptHandle);
    const [r, queue, sequence, nonce] = good.split("-");
    const other = [r, Number.parseInt(String(queue), 36) + 1, sequence, nonce].join("-");
    for (const handle of ["", "r", "r-1-2", `x${good}`, `${good}-1`, other, `r-${queue}-zzzzzzzzzzz-1`]) {
      const refused = `ReceiptHandleIsInvalid: The input receipt handle "${handle}" is not a valid receipt handle.`;
      expect(await change(handle, 0)).toBe(refused);
      expect(await sqs.refusal("DeleteMessage", { QueueUrl, ReceiptHandle: handle })).toBe(refused);
    }
    expect(await counts(QueueUrl)).toEqual([0, 1, 0]);
  });

  test("of a batch is changed for each entry by itself", async () => {
    await send({ MessageBody: "a" });
    await send({ MessageBody: "b" });
    const [a, b] = await receive(QueueUrl);
    const { output } = await sqs.ask("ChangeMessageVisibilityBatch", {
      QueueUrl,
      Entries: [
        { Id: "a", ReceiptHandle: a?.ReceiptHandle, VisibilityTimeout: 0 },
        { Id: "bad", ReceiptHandle: "none", VisibilityTimeout: 0 },
        { Id: "b", ReceiptHandle: b?.ReceiptHandle, VisibilityTimeout: 60 },
        { Id: "incomplete", ReceiptHandle: b?.ReceiptHandle },
      ],
    });
    expect(output).toEqual({
      Successful: [{ Id: "a" }, { Id: "b" }],
      Failed: [
        {
          Id: "bad",
          Code: "ReceiptHandleIsInvalid",
          Message: 'The input receipt handle "none" is not a valid receipt handle.',
          SenderFault: true,
        },
        {
          Id: "incomplete",
          Code: "MissingParameter",
          Message: "The request must contain the parameter VisibilityTimeout.",
          SenderFault: true,
        },
      ],
    });
    expect((await receive(QueueUrl)).map(({ Body }) => Body)).toEqual(["a"]);
  });
});

describe("a batch", () => {
  test("is answered for each entry by itself", async () => {
    const { output } = await sqs.ask("SendMessageBatch", {
      QueueUrl,
      Entries: [
        { Id: "a", MessageBody: "a", MessageAttributes },
        { Id: "late", MessageBody: "x", DelaySeconds: 901 },
        { Id: "b", MessageBody: "b" },
      ],
    });
    expect(output).toEqual({
      Successful: [
        {
          Id: "a",
          MessageId: expect.any(String),
          MD5OfMessageBody: md5("a"),
          MD5OfMessageAttributes: expect.any(String),
        },
        { Id: "b", MessageId: expect.any(String), MD5OfMessageBody: md5("b") },
      ],
      Failed: [
        {
          Id: "late",
          Code: "InvalidParameterValue",
          Message: "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
          SenderFault: true,
        },
      ],
    });
    const received = await receive(QueueUrl);
    expect(received.map(({ Body }) => Body)).toEqual(["a", "b"]);
    const deleted = await sqs.ask("DeleteMessageBatch", {
      QueueUrl,
      Entries: [
        { Id: "1", ReceiptHandle: received[0]?.ReceiptHandle },
        { Id: "2", ReceiptHandle: received[1]?.ReceiptHandle },
      ],
    });
    expect(deleted.output).toEqual({ Successful: [{ Id: "1" }, { Id: "2" }] });
    expect(await counts(QueueUrl)).toEqual([0, 0, 0]);
  });

  test("has no list of successes if all its entries fail", async () => {
    const { output } = await sqs.ask("DeleteMessageBatch", {
      QueueUrl,
      Entries: [{ Id: "1", ReceiptHandle: "none" }],
    });
    expect(output).toEqual({ Failed: [expect.objectContaining({ Id: "1", Code: "ReceiptHandleIsInvalid" })] });
  });
});

describe("a purge", () => {
  test("deletes all messages, and can follow another one after 60 seconds", async () => {
    await send();
    await send({ DelaySeconds: 9 });
    await receive(QueueUrl);
    await send({ MessageBody: "visible" });
    await sqs.output("PurgeQueue", { QueueUrl });
    expect(await counts(QueueUrl)).toEqual([0, 0, 0]);
    await send();
    const name = QueueUrl.slice(QueueUrl.lastIndexOf("/") + 1);
    sqs.now += 59_999;
    expect(await sqs.refusal("PurgeQueue", { QueueUrl })).toBe(
      `PurgeQueueInProgress: Only one PurgeQueue operation on ${name} is allowed every 60 seconds.`,
    );
    expect(await counts(QueueUrl)).toEqual([1, 0, 0]);
    sqs.now += 1;
    expect(await sqs.refusal("PurgeQueue", { QueueUrl })).toBe("not refused");
    expect(await counts(QueueUrl)).toEqual([0, 0, 0]);
  });

  test("of a FIFO queue frees its groups and its deduplication ids", async () => {
    const message = { QueueUrl: FifoUrl, MessageGroupId: "g", MessageDeduplicationId: "1" };
    await send(message);
    await receive(FifoUrl);
    await sqs.output("PurgeQueue", { QueueUrl: FifoUrl });
    await send({ ...message, MessageBody: "again" });
    expect((await receive(FifoUrl)).map(({ Body }) => Body)).toEqual(["again"]);
  });

  test("is possible at once in a queue that was deleted and created again", async () => {
    await sqs.output("PurgeQueue", { QueueUrl });
    await sqs.output("DeleteQueue", { QueueUrl });
    sqs.now += 60_000;
    await sqs.output("CreateQueue", { QueueName: QueueUrl.slice(QueueUrl.lastIndexOf("/") + 1) });
    sqs.now -= 30_000;
    expect(await sqs.refusal("PurgeQueue", { QueueUrl })).toBe("not refused");
    expect(await sqs.refusal("PurgeQueue", { QueueUrl: `${QueueUrl}-none` })).toMatch(/^QueueDoesNotExist/);
  });
});
