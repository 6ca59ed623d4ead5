import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { queueArn, queueNameOfArn } from "../../../../local/sqs/queue-registry.ts";
import { SqsRequests } from "./sqs-requests.ts";

let sqs: SqsRequests;

beforeAll(() => {
  sqs = new SqsRequests();
});
afterAll(() => sqs.close());

let queues = 0;

/** Creates a queue, and returns its URL. */
async function create(Attributes: Record<string, string> = {}): Promise<string> {
  queues++;
  const QueueName = `q${queues}${Attributes.FifoQueue ? ".fifo" : ""}`;
  return String((await sqs.output("CreateQueue", { QueueName, Attributes })).QueueUrl);
}

const nameOf = (url: string) => url.slice(url.lastIndexOf("/") + 1);
const set = (QueueUrl: string, Attributes: object) => sqs.refusal("SetQueueAttributes", { QueueUrl, Attributes });

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html */
describe("the attributes of a queue", () => {
  test("have SQS's defaults", async () => {
    const url = await create();
    expect(await sqs.attributes(url, "All")).toEqual({
      DelaySeconds: "0",
      MaximumMessageSize: "1048576",
      MessageRetentionPeriod: "345600",
      ReceiveMessageWaitTimeSeconds: "0",
      VisibilityTimeout: "30",
      SqsManagedSseEnabled: "true",
      QueueArn: `arn:aws:sqs:us-east-1:000000000000:${nameOf(url)}`,
      CreatedTimestamp: "1000000000",
      LastModifiedTimestamp: "1000000000",
      ApproximateNumberOfMessages: "0",
      ApproximateNumberOfMessagesNotVisible: "0",
      ApproximateNumberOfMessagesDelayed: "0",
    });
  });

  test("have further defaults on a FIFO queue", async () => {
    expect(await sqs.attributes(await create({ FifoQueue: "true" }), "All")).toMatchObject({
      FifoQueue: "true",
      ContentBasedDeduplication: "false",
      DeduplicationScope: "queue",
      FifoThroughputLimit: "perQueue",
      SqsManagedSseEnabled: "true",
    });
  });

  test.each([
    ["DelaySeconds", 0, 900],
    ["MaximumMessageSize", 1_024, 1_048_576],
    ["MessageRetentionPeriod", 60, 1_209_600],
    ["ReceiveMessageWaitTimeSeconds", 0, 20],
    ["VisibilityTimeout", 0, 43_200],
  ])("have the range of %s", async (name, min, max) => {
    const url = await create({ [name]: `${min}` });
    expect(await sqs.attributes(url, name)).toEqual({ [name]: `${min}` });
    expect(await set(url, { [name]: `${max}` })).toBe("not refused");
    expect(await sqs.attributes(url, name)).toEqual({ [name]: `${max}` });
    for (const value of [`${min - 1}`, `${max + 1}`, `${min}.5`, "", " 5", "5 ", "0x5", "a5"]) {
      expect(await set(url, { [name]: value })).toBe(
        `InvalidAttributeValue: Invalid value for the parameter ${name}: ${value}.`,
      );
    }
    expect(await sqs.attributes(url, name)).toEqual({ [name]: `${max}` });
  });

  test.each([
    ["ContentBasedDeduplication", ["true", "false"], "yes"],
    ["DeduplicationScope", ["messageGroup", "queue"], "group"],
    ["FifoThroughputLimit", ["perMessageGroupId", "perQueue"], "perGroup"],
  ])("have the choices of %s, on FIFO queues only", async (name, choices, other) => {
    const url = await create({ FifoQueue: "true" });
    for (const value of choices) {
      expect(await set(url, { [name]: value })).toBe("not refused");
      expect(await sqs.attributes(url, name)).toEqual({ [name]: value });
    }
    expect(await set(url, { [name]: other })).toBe(
      `InvalidAttributeValue: Invalid value for the parameter ${name}: ${other}.`,
    );
    expect(await set(await create(), { [name]: choices[0] })).toBe(
      name === "ContentBasedDeduplication"
        ? "InvalidAttributeName: Unknown Attribute ContentBasedDeduplication."
        : `InvalidAttributeName: You can specify the ${name} only when FifoQueue is set to true.`,
    );
  });

  test.each([
    ["KmsDataKeyReusePeriodSeconds", "60"],
    ["KmsMasterKeyId", "alias/aws/sqs"],
    ["Policy", '{"Version":"2012-10-17"}'],
    ["RedriveAllowPolicy", '{"redrivePermission":"denyAll"}'],
    ["SqsManagedSseEnabled", "false"],
  ])("keep %s, which has no effect here", async (name, value) => {
    const url = await create();
    expect(await set(url, { [name]: value })).toBe("not refused");
    expect(await sqs.attributes(url, name)).toEqual({ [name]: value });
  });

  test("are refused if they do not exist or only can be read", async () => {
    const url = await create();
    for (const name of ["Colour", "QueueArn", "All", "ApproximateNumberOfMessages", "CreatedTimestamp"]) {
      expect(await set(url, { [name]: "1" })).toBe(`InvalidAttributeName: Unknown Attribute ${name}.`);
    }
    expect(await sqs.refusal("GetQueueAttributes", { QueueUrl: url, AttributeNames: ["All", "Colour"] })).toBe(
      "InvalidAttributeName: Unknown Attribute Colour.",
    );
  });

  test("are each returned when asked for, with the time of the last change", async () => {
    const url = await create({ FifoQueue: "true" });
    sqs.now += 5_400;
    await set(url, { VisibilityTimeout: "40" });
    const all = await sqs.attributes(url, "All");
    expect(all).toMatchObject({ LastModifiedTimestamp: "1000000005", CreatedTimestamp: "1000000000" });
    for (const [name, value] of Object.entries(all)) {
      expect(await sqs.attributes(url, name)).toEqual({ [name]: value });
    }
    for (const name of ["Policy", "RedrivePolicy", "KmsMasterKeyId"]) {
      expect(await sqs.attributes(url, name)).toEqual({});
    }
    sqs.now -= 5_400;
  });

  test("keep booleans in lower case", async () => {
    const url = await create({ FifoQueue: "TRUE", ContentBasedDeduplication: "True" });
    await set(url, { SqsManagedSseEnabled: "False" });
    expect(await sqs.attributes(url, "FifoQueue", "ContentBasedDeduplication", "SqsManagedSseEnabled")).toEqual({
      FifoQueue: "true",
      ContentBasedDeduplication: "true",
      SqsManagedSseEnabled: "false",
    });
  });

  test("do not change the type of a queue", async () => {
    const standard = await create();
    for (const FifoQueue of ["true", "false"]) {
      expect(await set(standard, { FifoQueue })).toBe("InvalidAttributeName: Unknown Attribute FifoQueue.");
    }
    const fifo = await create({ FifoQueue: "true" });
    expect(await set(fifo, { FifoQueue: "true" })).toBe("not refused");
    expect(await set(fifo, { FifoQueue: "false" })).toBe(
      "InvalidAttributeValue: Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
    );
    const create1 = (FifoQueue: string) =>
      sqs.refusal("CreateQueue", { QueueName: "new.fifo", Attributes: { FifoQueue } });
    expect(await create1("yes")).toBe(
      "InvalidAttributeValue: FifoQueue can only be true. Omit it for a standard queue.",
    );
    expect(await create1("false")).toBe("InvalidAttributeName: Unknown Attribute FifoQueue.");
  });

  test("are refused all together if one of them is wrong", async () => {
    const url = await create();
    await set(url, { DelaySeconds: "5", VisibilityTimeout: "-1" });
    expect(await sqs.attributes(url, "DelaySeconds")).toEqual({ DelaySeconds: "0" });
  });

  test("lose a policy that is set to an empty text", async () => {
    const url = await create({ Policy: "{}" });
    expect(await sqs.attributes(url, "Policy")).toEqual({ Policy: "{}" });
    expect(await set(url, { Policy: "" })).toBe("not refused");
    expect(await sqs.attributes(url, "Policy")).toEqual({});
  });
});

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-server-side-encryption.html */
describe("the encryption of a queue", () => {
  const names = ["SqsManagedSseEnabled", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"];

  test("is by a key of SQS until a key of KMS is set, and again when that key is removed", async () => {
    const url = await create({ KmsMasterKeyId: "alias/k", KmsDataKeyReusePeriodSeconds: "300" });
    const withKms = {
      SqsManagedSseEnabled: "false",
      KmsMasterKeyId: "alias/k",
      KmsDataKeyReusePeriodSeconds: "300",
    };
    expect(await sqs.attributes(url, ...names)).toEqual(withKms);
    await set(url, { SqsManagedSseEnabled: "false" });
    expect(await sqs.attributes(url, ...names)).toEqual(withKms);
    await set(url, { SqsManagedSseEnabled: "true" });
    expect(await sqs.attributes(url, ...names)).toEqual({ SqsManagedSseEnabled: "true" });
    await set(url, withKms);
    await set(url, { KmsMasterKeyId: "" });
    expect(await sqs.attributes(url, ...names)).toEqual({ SqsManagedSseEnabled: "false" });
  });

  test("is not changed by other attributes", async () => {
    const url = await create({ KmsMasterKeyId: "alias/k" });
    await set(url, { VisibilityTimeout: "40" });
    expect(await sqs.attributes(url, ...names)).toEqual({ SqsManagedSseEnabled: "false", KmsMasterKeyId: "alias/k" });
  });
});

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html */
describe("a redrive policy", () => {
  const policy = (deadLetterTargetArn: unknown, maxReceiveCount: unknown) => ({
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount }),
  });

  test("has a count of 1 to 1,000, which is returned as a number", async () => {
    const dead = queueArn(nameOf(await create()));
    const url = await create(policy(dead, "1"));
    expect(await sqs.attributes(url, "RedrivePolicy")).toEqual({
      RedrivePolicy: `{"deadLetterTargetArn":"${dead}","maxReceiveCount":1}`,
    });
    expect(sqs.service.store.settings(nameOf(url)).redrive).toEqual({ deadLetterTargetArn: dead, maxReceiveCount: 1 });
    expect(await set(url, policy(dead, 1_000))).toBe("not refused");
    for (const count of [0, 1_001, 1.5, -1, "many"]) {
      const { RedrivePolicy } = policy(dead, count);
      expect(await set(url, { RedrivePolicy })).toBe(
        `InvalidAttributeValue: Invalid value for the parameter RedrivePolicy: ${RedrivePolicy}. Reason: maxReceiveCount must be between 1 and 1000.`,
      );
    }
  });

  test("has a count that is returned as a number, whatever spaces its text has", async () => {
    const dead = queueArn(nameOf(await create()));
    for (const [before, after] of [
      ["", ""],
      [" ", ""],
      ["", " "],
      ["\n  ", "\t\t"],
    ]) {
      const RedrivePolicy = `{"deadLetterTargetArn":"${dead}","maxReceiveCount"${before}:${after}"7"}`;
      const url = await create({ RedrivePolicy });
      expect(JSON.parse((await sqs.attributes(url, "RedrivePolicy")).RedrivePolicy ?? "")).toEqual({
        deadLetterTargetArn: dead,
        maxReceiveCount: 7,
      });
    }
  });

  test("alone is written anew, and no other policy with the same words", async () => {
    const Policy = '{"maxReceiveCount": "5"}';
    await sqs.output("CreateQueue", { QueueName: "other", Attributes: { Policy } });
    expect(await sqs.attributes("x/other", "Policy")).toEqual({ Policy });
  });

  test("is kept as it was written if its count is a number", async () => {
    const dead = queueArn(nameOf(await create()));
    const RedrivePolicy = `{ "maxReceiveCount": 3, "deadLetterTargetArn": "${dead}" }`;
    expect(await sqs.attributes(await create({ RedrivePolicy }), "RedrivePolicy")).toEqual({ RedrivePolicy });
    const spaced = `{ "maxReceiveCount" : "4", "deadLetterTargetArn": "${dead}" }`;
    expect(await sqs.attributes(await create({ RedrivePolicy: spaced }), "RedrivePolicy")).toEqual({
      RedrivePolicy: `{"deadLetterTargetArn":"${dead}","maxReceiveCount":4}`,
    });
  });

  test.each([
    ["nonsense", "It is not JSON."],
    ["null", "It must hold deadLetterTargetArn and maxReceiveCount."],
    ['{"maxReceiveCount":3}', "It must hold deadLetterTargetArn and maxReceiveCount."],
    ['{"deadLetterTargetArn":7,"maxReceiveCount":3}', "It must hold deadLetterTargetArn and maxReceiveCount."],
    ['{"deadLetterTargetArn":"x"}', "It must hold deadLetterTargetArn and maxReceiveCount."],
  ])("is refused: %s", async (RedrivePolicy, reason) => {
    expect(await set(await create(), { RedrivePolicy })).toBe(
      `InvalidAttributeValue: Invalid value for the parameter RedrivePolicy: ${RedrivePolicy}. Reason: ${reason}`,
    );
  });

  test("names a queue of this server, of the same type", async () => {
    const url = await create();
    const fifo = queueArn(nameOf(await create({ FifoQueue: "true" })));
    const refused = (value: { RedrivePolicy: string }, reason: string) =>
      `InvalidParameterValueException: Value ${value.RedrivePolicy} for parameter RedrivePolicy is invalid. Reason: ${reason}`;
    for (const arn of [queueArn("none"), `arn:aws:sqs:eu-west-1:000000000000:${nameOf(url)}`]) {
      const none = policy(arn, 3);
      expect(await set(url, none)).toBe(refused(none, "Dead letter target does not exist."));
    }
    const other = policy(fifo, 3);
    expect(await set(url, other)).toBe(refused(other, "Dead-letter queue must be same type of queue as the source."));
  });

  test("is removed by an empty text", async () => {
    const dead = await create();
    const url = await create(policy(queueArn(nameOf(dead)), 3));
    expect(await sqs.output("ListDeadLetterSourceQueues", { QueueUrl: dead })).toEqual({ queueUrls: [url] });
    expect(await set(url, { RedrivePolicy: "" })).toBe("not refused");
    expect(await sqs.attributes(url, "RedrivePolicy")).toEqual({});
    expect(await sqs.output("ListDeadLetterSourceQueues", { QueueUrl: dead })).toEqual({ queueUrls: [] });
  });

  test("is found by the ARN of this server only", () => {
    expect(queueNameOfArn("arn:aws:sqs:us-east-1:000000000000:q")).toBe("q");
    expect(queueNameOfArn("arn:aws:sqs:us-east-1:000000000001:q")).toBeUndefined();
  });
});

describe("a queue that is created again", () => {
  test("stays as it is with the same attributes, and is refused with others", async () => {
    const QueueName = "again";
    const create1 = (Attributes: object) => sqs.refusal("CreateQueue", { QueueName, Attributes });
    await create1({ VisibilityTimeout: "40", DelaySeconds: "5" });
    for (const same of [{}, { DelaySeconds: "5" }, { MessageRetentionPeriod: "345600" }]) {
      expect(await create1(same)).toBe("not refused");
    }
    expect(await create1({ VisibilityTimeout: "40", DelaySeconds: "6" })).toBe(
      "QueueNameExists: A queue already exists with the same name and a different value for attribute DelaySeconds",
    );
    expect((await sqs.attributes(`http://sqs/000000000000/${QueueName}`, "DelaySeconds")).DelaySeconds).toBe("5");
  });

  test("is created anew 60 seconds after it was deleted, without its messages, tags and attributes", async () => {
    const url = await create({ VisibilityTimeout: "40" });
    await sqs.output("TagQueue", { QueueUrl: url, Tags: { a: "1" } });
    await sqs.output("SendMessage", { QueueUrl: url, MessageBody: "x" });
    await sqs.output("DeleteQueue", { QueueUrl: url });
    const create1 = () => sqs.refusal("CreateQueue", { QueueName: nameOf(url) });
    sqs.now += 59_999;
    expect(await create1()).toBe(
      "QueueDeletedRecently: You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    );
    sqs.now += 1;
    expect(await create1()).toBe("not refused");
    expect(await sqs.attributes(url, "VisibilityTimeout", "ApproximateNumberOfMessages")).toEqual({
      VisibilityTimeout: "30",
      ApproximateNumberOfMessages: "0",
    });
    expect(await sqs.output("ListQueueTags", { QueueUrl: url })).toEqual({});
    sqs.now -= 60_000;
  });
});

describe("the name of a queue", () => {
  test.each([
    ["a", undefined],
    [`${"x".repeat(78)}-_`, undefined],
    ["A9.fifo", "true"],
    [`${"x".repeat(75)}.fifo`, "true"],
  ])("can be %s", async (QueueName, FifoQueue) => {
    expect(await sqs.refusal("CreateQueue", { QueueName, Attributes: { ...(FifoQueue && { FifoQueue }) } })).toBe(
      "not refused",
    );
  });

  const standard = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
  const fifo =
    "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length";
  test.each([
    ["", undefined, standard],
    ["x".repeat(81), undefined, standard],
    ["a b", undefined, standard],
    ["a.fifo", undefined, standard],
    ["!a", undefined, standard],
    ["a!", undefined, standard],
    ["a", "true", fifo],
    [".fifo", "true", fifo],
    ["a.b.fifo", "true", fifo],
    [`${"x".repeat(76)}.fifo`, "true", fifo],
  ])("cannot be %j", async (QueueName, FifoQueue, reason) => {
    expect(await sqs.refusal("CreateQueue", { QueueName, Attributes: { ...(FifoQueue && { FifoQueue }) } })).toBe(
      `InvalidParameterValueException: ${reason}`,
    );
  });
});

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_TagQueue.html */
describe("the tags of a queue", () => {
  const tags = async (QueueUrl: string) => (await sqs.output("ListQueueTags", { QueueUrl })).Tags;

  test("are at most 50", async () => {
    const QueueUrl = await create();
    const tagged = (from: number, to: number) =>
      Object.fromEntries(Array.from({ length: to - from }, (_, index) => [`t${from + index}`, "x"]));
    const add = (Tags: object) => sqs.refusal("TagQueue", { QueueUrl, Tags });
    expect(await add(tagged(0, 50))).toBe("not refused");
    expect(await add({ t0: "y" })).toBe("not refused");
    expect(await add(tagged(50, 51))).toBe(
      `InvalidParameterValueException: Too many tags added for queue ${nameOf(QueueUrl)}.`,
    );
    expect(await tags(QueueUrl)).toEqual({ ...tagged(0, 50), t0: "y" });
  });

  test("that SQS refuses keep their queue from being created", async () => {
    const QueueName = "refused";
    const tooMany = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`t${index}`, "x"]));
    for (const [refused, refusal] of [
      [tooMany, "InvalidParameterValueException: Too many tags added for queue refused."],
      [{ a: 1 }, "SerializationException: tags must be a map of strings."],
    ] as const) {
      expect(await sqs.refusal("CreateQueue", { QueueName, tags: refused })).toBe(refusal);
      expect(await sqs.refusal("GetQueueUrl", { QueueName })).toMatch(/^QueueDoesNotExist/);
    }
  });

  test("are removed by their keys", async () => {
    const QueueUrl = await create();
    await sqs.output("TagQueue", { QueueUrl, Tags: { a: "1", b: "2", c: "3" } });
    await sqs.output("UntagQueue", { QueueUrl, TagKeys: ["a", "c", "none"] });
    expect(await tags(QueueUrl)).toEqual({ b: "2" });
    expect(await sqs.refusal("UntagQueue", { QueueUrl, TagKeys: [] })).toBe(
      "InvalidParameterValueException: Tag keys must be between 1 and 128 characters in length.",
    );
  });

  test("of a queue that exists are not changed when it is created again", async () => {
    const create1 = (value: object) => sqs.output("CreateQueue", { QueueName: "tagged", tags: value });
    await create1({ a: "1" });
    const { QueueUrl } = await create1({ a: "2", b: "2" });
    expect(await tags(String(QueueUrl))).toEqual({ a: "1" });
  });
});

describe("the list of queues", () => {
  test("is sorted, filtered by its prefix, and has pages", async () => {
    const listed = new SqsRequests();
    const names = ["b-2", "a-1", "b-3", "b-1"];
    for (const name of names) listed.service.store.createQueue(name);
    const url = (name: string) => `http://sqs/000000000000/${name}`;
    const list = (input: object) => listed.output("ListQueues", input);
    expect(await list({})).toEqual({ QueueUrls: names.toSorted().map(url) });
    expect(await list({ QueueNamePrefix: "b" })).toEqual({ QueueUrls: ["b-1", "b-2", "b-3"].map(url) });
    expect(await list({ QueueNamePrefix: "-" })).toEqual({});
    const first = await list({ QueueNamePrefix: "b", MaxResults: 2 });
    expect(first).toEqual({ QueueUrls: ["b-1", "b-2"].map(url), NextToken: expect.any(String) });
    expect(
      await list({ QueueNamePrefix: "b", MaxResults: 2, NextToken: (await list({ MaxResults: 3 })).NextToken }),
    ).toEqual({ QueueUrls: [url("b-3")] });
    const { NextToken } = first;
    expect(await list({ QueueNamePrefix: "b", MaxResults: 2, NextToken })).toEqual({ QueueUrls: [url("b-3")] });
    expect(await list({ QueueNamePrefix: "b", MaxResults: 3 })).toEqual({
      QueueUrls: ["b-1", "b-2", "b-3"].map(url),
    });
    listed.close();
  });

  test("has at most 1,000 queues and no token without MaxResults", async () => {
    const listed = new SqsRequests();
    const names = Array.from({ length: 1_001 }, (_, index) => `q${10_000 + index}`);
    vi.spyOn(listed.service.store, "queueNames").mockReturnValue(names);
    const output = await listed.output("ListQueues");
    expect(output.QueueUrls).toHaveLength(1_000);
    expect(output.NextToken).toBeUndefined();
    expect((await listed.output("ListQueues", { MaxResults: 1_000 })).NextToken).toBeDefined();
    listed.close();
  });
});
