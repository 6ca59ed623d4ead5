import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SqsError, type SqsErrorCode } from "../../../../local/sqs/sqs-error.ts";
import { SqsRequests } from "./sqs-requests.ts";

let sqs: SqsRequests;

beforeAll(() => {
  sqs = new SqsRequests();
  sqs.service.store.createQueue("q");
  sqs.service.store.createQueue("q.fifo", { FifoQueue: "true" });
});
afterAll(() => sqs.close());

const QueueUrl = "http://sqs/000000000000/q";
const FifoUrl = "http://sqs/000000000000/q.fifo";

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html */
describe("an error on the wire", () => {
  test.each<[SqsErrorCode, number, string]>([
    ["InvalidParameterValue", 400, "InvalidParameterValue"],
    ["InvalidAttributeName", 400, "InvalidAttributeName"],
    ["MissingParameter", 400, "MissingParameter"],
    ["QueueDeletedRecently", 400, "AWS.SimpleQueueService.QueueDeletedRecently"],
    ["QueueDoesNotExist", 400, "AWS.SimpleQueueService.NonExistentQueue"],
    ["QueueNameExists", 400, "QueueAlreadyExists"],
    ["BatchEntryIdsNotDistinct", 400, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"],
    ["BatchRequestTooLong", 400, "AWS.SimpleQueueService.BatchRequestTooLong"],
    ["EmptyBatchRequest", 400, "AWS.SimpleQueueService.EmptyBatchRequest"],
    ["InvalidBatchEntryId", 400, "AWS.SimpleQueueService.InvalidBatchEntryId"],
    ["TooManyEntriesInBatchRequest", 400, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"],
    ["MessageNotInflight", 400, "AWS.SimpleQueueService.MessageNotInflight"],
    ["PurgeQueueInProgress", 403, "AWS.SimpleQueueService.PurgeQueueInProgress"],
    ["UnsupportedOperation", 400, "AWS.SimpleQueueService.UnsupportedOperation"],
    ["OverLimit", 403, "OverLimit"],
    ["RequestThrottled", 403, "RequestThrottled"],
    ["ReceiptHandleIsInvalid", 404, "ReceiptHandleIsInvalid"],
    ["ResourceNotFoundException", 404, "ResourceNotFoundException"],
    ["UnknownOperationException", 404, "UnknownOperationException"],
    ["InternalFailure", 500, "InternalFailure"],
  ])("%s has status %i and the query code %s", (code, status, queryCode) => {
    const error = new SqsError(code, "x");
    expect([error.name, error.status, error.queryCode, error.senderFault]).toEqual([
      "SqsError",
      status,
      queryCode,
      status < 500,
    ]);
  });

  test("has a type of its own where AWS sends one", () => {
    expect(new SqsError("InvalidParameterValue", "x").type).toBe(
      "com.amazon.coral.service#InvalidParameterValueException",
    );
    expect(new SqsError("MissingParameter", "x").type).toBe(
      "com.amazon.coral.service#MissingRequiredParameterException",
    );
    expect(new SqsError("OverLimit", "x").type).toBe("com.amazonaws.sqs#OverLimit");
  });

  test("says whose fault it is", async () => {
    expect(await sqs.ask("SendMessage", { QueueUrl: `${QueueUrl}-none`, MessageBody: "x" })).toEqual({
      status: 400,
      queryError: "AWS.SimpleQueueService.NonExistentQueue;Sender",
      output: {
        __type: "com.amazonaws.sqs#QueueDoesNotExist",
        message: "The specified queue does not exist.",
      },
    });
    sqs.service.faults.set({ internalFailure: 1 });
    expect(await sqs.ask("ListQueues")).toEqual({
      status: 500,
      queryError: "InternalFailure;Receiver",
      output: {
        __type: "com.amazonaws.sqs#InternalFailure",
        message: "The service failed (an injected fault).",
      },
    });
    sqs.service.faults.clear();
  });

  test("tells of an error that nobody expected", async () => {
    const reply = await sqs.service.respond(
      { target: "AmazonSQS.ListQueues", trace: undefined },
      () => Promise.reject(new Error("the connection broke")),
      new AbortController().signal,
    );
    expect(reply).toMatchObject({
      status: 500,
      output: { message: "The server failed: Error: the connection broke" },
    });
  });
});

describe("a request is refused", () => {
  test.each([
    ["", "(none)"],
    ["ReceiveEverything", "ReceiveEverything"],
    ["toString", "toString"],
  ])("for the unknown action %j", async (action, named) => {
    expect(await sqs.refusal(action)).toBe(`UnknownOperationException: The action ${named} is not known here.`);
  });

  test.each([undefined, "ListQueues", "OtherSQS.ListQueues"])("without an action of SQS: %j", async (target) => {
    expect(await sqs.askWithBody(target, "{}")).toMatchObject({
      status: 404,
      output: { message: "The action (none) is not known here." },
    });
  });

  test.each(["nonsense", "[]", '"text"', "null", "7"])("for the body %s", async (body) => {
    expect((await sqs.askWithBody("AmazonSQS.ListQueues", body)).output).toEqual({
      __type: "com.amazonaws.sqs#SerializationException",
      message: "The request's body is not a JSON object.",
    });
  });

  test("and accepted with an empty body, if it needs no parameter", async () => {
    expect((await sqs.askWithBody("AmazonSQS.ListQueues", "")).output).toEqual({
      QueueUrls: [QueueUrl, FifoUrl],
    });
  });

  test.each([
    ["SendMessage", {}, "QueueUrl"],
    ["SendMessage", { QueueUrl: null }, "QueueUrl"],
    ["SendMessage", { QueueUrl }, "MessageBody"],
    ["SendMessage", { QueueUrl, MessageBody: null }, "MessageBody"],
    ["SendMessage", { QueueUrl, MessageBody: "" }, "MessageBody"],
    ["SendMessage", { QueueUrl: FifoUrl, MessageBody: "x", MessageDeduplicationId: "1" }, "MessageGroupId"],
    ["DeleteMessage", { QueueUrl }, "ReceiptHandle"],
    ["ChangeMessageVisibility", { QueueUrl, ReceiptHandle: "x" }, "VisibilityTimeout"],
    ["ChangeMessageVisibility", { QueueUrl, ReceiptHandle: "x", VisibilityTimeout: null }, "VisibilityTimeout"],
    ["CreateQueue", {}, "QueueName"],
    ["GetQueueUrl", {}, "QueueName"],
    ["TagQueue", { QueueUrl }, "Tags"],
    ["TagQueue", { QueueUrl, Tags: {} }, "Tags"],
    ["StartMessageMoveTask", {}, "SourceArn"],
    ["ListMessageMoveTasks", {}, "SourceArn"],
    ["CancelMessageMoveTask", {}, "TaskHandle"],
    ["SendMessageBatch", { QueueUrl, Entries: [{ MessageBody: "x" }] }, "Id"],
    ["DeleteMessageBatch", { QueueUrl, Entries: [{ Id: "1" }] }, "ReceiptHandle"],
  ])("without a parameter: %s %j", async (action, input, parameter) => {
    expect(await sqs.refusal(action, input)).toBe(
      `MissingRequiredParameterException: The request must contain the parameter ${parameter}.`,
    );
  });

  test.each([
    ["SendMessage", { QueueUrl: 7 }, "QueueUrl must be a string."],
    ["SendMessage", { QueueUrl, MessageBody: 7 }, "MessageBody must be a string."],
    ["SendMessage", { QueueUrl, MessageBody: "x", DelaySeconds: "1" }, "DelaySeconds must be a whole number."],
    ["SendMessage", { QueueUrl, MessageBody: "x", DelaySeconds: 1.5 }, "DelaySeconds must be a whole number."],
    ["SendMessage", { QueueUrl, MessageBody: "x", MessageAttributes: [] }, "MessageAttributes must be a map."],
    [
      "SendMessage",
      { QueueUrl, MessageBody: "x", MessageAttributes: { a: "x" } },
      "The message attribute 'a' must be a map.",
    ],
    ["SendMessageBatch", { QueueUrl, Entries: {} }, "Entries must be a list of maps."],
    ["SendMessageBatch", { QueueUrl, Entries: [{ Id: "1" }, "x"] }, "Entries must be a list of maps."],
    ["CreateQueue", { QueueName: "n", Attributes: [] }, "Attributes must be a map of strings."],
    ["CreateQueue", { QueueName: "n", Attributes: { DelaySeconds: 7 } }, "Attributes must be a map of strings."],
    [
      "CreateQueue",
      { QueueName: "n", Attributes: { DelaySeconds: "7", VisibilityTimeout: 7 } },
      "Attributes must be a map of strings.",
    ],
    ["CreateQueue", { QueueName: "n", tags: { a: 1 } }, "tags must be a map of strings."],
    ["GetQueueAttributes", { QueueUrl, AttributeNames: "All" }, "AttributeNames must be a list of strings."],
    ["GetQueueAttributes", { QueueUrl, AttributeNames: ["All", 7] }, "AttributeNames must be a list of strings."],
    ["ReceiveMessage", { QueueUrl, MessageAttributeNames: "All" }, "MessageAttributeNames must be a list of strings."],
    ["UntagQueue", { QueueUrl, TagKeys: "a" }, "TagKeys must be a list of strings."],
  ])("for a value of another type: %s %j", async (action, input, message) => {
    expect(await sqs.refusal(action, input)).toBe(`SerializationException: ${message}`);
  });

  test.each([
    [
      "ReceiveMessage",
      { QueueUrl, MaxNumberOfMessages: 0 },
      "MaxNumberOfMessages",
      "Must be between 1 and 10, if provided.",
    ],
    [
      "ReceiveMessage",
      { QueueUrl, MaxNumberOfMessages: 11 },
      "MaxNumberOfMessages",
      "Must be between 1 and 10, if provided.",
    ],
    ["ReceiveMessage", { QueueUrl, WaitTimeSeconds: -1 }, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided."],
    ["ReceiveMessage", { QueueUrl, WaitTimeSeconds: 21 }, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided."],
    [
      "ReceiveMessage",
      { QueueUrl, VisibilityTimeout: -1 },
      "VisibilityTimeout",
      "Must be between 0 and 43200, if provided.",
    ],
    [
      "ReceiveMessage",
      { QueueUrl, VisibilityTimeout: 43_201 },
      "VisibilityTimeout",
      "Must be between 0 and 43200, if provided.",
    ],
    [
      "SendMessage",
      { QueueUrl, MessageBody: "x", DelaySeconds: -1 },
      "DelaySeconds",
      "DelaySeconds must be >= 0 and <= 900.",
    ],
    [
      "SendMessage",
      { QueueUrl, MessageBody: "x", DelaySeconds: 901 },
      "DelaySeconds",
      "DelaySeconds must be >= 0 and <= 900.",
    ],
    ["ListQueues", { MaxResults: 0 }, "MaxResults", "Must be between 1 and 1000, if provided."],
    ["ListQueues", { MaxResults: 1_001 }, "MaxResults", "Must be between 1 and 1000, if provided."],
  ])("for a number out of range: %s %j", async (action, input, parameter, reason) => {
    const value = (input as Record<string, unknown>)[parameter];
    expect(await sqs.refusal(action, input)).toBe(
      `InvalidParameterValueException: Value ${value} for parameter ${parameter} is invalid. Reason: ${reason}`,
    );
  });

  test.each([
    ["ReceiveMessage", { QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 43_200 }],
    ["ReceiveMessage", { QueueUrl, MaxNumberOfMessages: 1, VisibilityTimeout: 0, WaitTimeSeconds: 0 }],
    ["SendMessage", { QueueUrl, MessageBody: "x", DelaySeconds: 900 }],
    ["SendMessage", { QueueUrl, MessageBody: "x", DelaySeconds: null, MessageAttributes: null }],
    ["SendMessage", { QueueUrl, MessageBody: "x", MessageGroupId: null, MessageDeduplicationId: null }],
    ["ListQueues", { MaxResults: 1_000 }],
    ["GetQueueAttributes", { QueueUrl, AttributeNames: null }],
  ])("and accepted at the end of a range and with null: %s %j", async (action, input) => {
    expect(await sqs.refusal(action, input)).toBe("not refused");
  });

  test("for a URL without a name, and for a token that no answer had", async () => {
    expect(await sqs.refusal("GetQueueAttributes", { QueueUrl: "http://sqs/000000000000/" })).toBe(
      "QueueDoesNotExist: The specified queue does not exist.",
    );
    expect(await sqs.refusal("ListQueues", { MaxResults: 1, NextToken: "" })).toBe(
      "InvalidParameterValueException: Value  for parameter NextToken is invalid. Reason: It was not returned by an earlier request.",
    );
  });

  test.each(["SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"])(
    "for a queue that does not exist, before its entries are read: %s",
    async (action) => {
      expect(await sqs.refusal(action, { QueueUrl: `${QueueUrl}-none`, Entries: [] })).toMatch(/^QueueDoesNotExist/);
      expect(await sqs.refusal(action, { QueueUrl, Entries: [] })).toBe(
        `EmptyBatchRequest: There should be at least one ${action}RequestEntry in the request.`,
      );
      expect(await sqs.refusal(action, { QueueUrl })).toMatch(/^EmptyBatchRequest/);
    },
  );

  test("for the entries of a batch", async () => {
    const entry = (Id: string) => ({ Id, MessageBody: "x" });
    const refusal = (...Entries: object[]) => sqs.refusal("SendMessageBatch", { QueueUrl, Entries });
    const ten = Array.from({ length: 10 }, (_, index) => entry(`id-${index}`));
    expect(await refusal(...ten)).toBe("not refused");
    expect(await refusal(...ten, entry("eleventh"))).toBe(
      "TooManyEntriesInBatchRequest: Maximum number of entries per request are 10. You have sent 11.",
    );
    for (const id of ["", "a b", "a.b", "!a", "a!", "x".repeat(81)]) {
      expect(await refusal(entry("good"), entry(id))).toMatch(/^InvalidBatchEntryId: A batch entry id can only/);
    }
    expect(await refusal(entry("x".repeat(80)), entry("aZ09_-"))).toBe("not refused");
    expect(await refusal(entry("a"), entry("b"), entry("b"))).toBe("BatchEntryIdsNotDistinct: Id b repeated.");
    expect(await refusal(entry("a"), entry("a"), entry("b"))).toBe("BatchEntryIdsNotDistinct: Id a repeated.");
  });

  test("for a batch of more than 1 MiB, and accepted with exactly 1 MiB", async () => {
    const batch = (...sizes: number[]) => ({
      QueueUrl,
      Entries: sizes.map((size, index) => ({ Id: `${index}`, MessageBody: "x".repeat(size) })),
    });
    expect(await sqs.refusal("SendMessageBatch", batch(600_000, 448_577))).toBe(
      "BatchRequestTooLong: Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
    );
    expect(await sqs.refusal("SendMessageBatch", batch(600_000, 448_576))).toBe("not refused");
  });
});
