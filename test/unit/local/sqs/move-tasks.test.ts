import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { queueArn } from "../../../../local/sqs/queue-registry.ts";
import type { QueueStore } from "../../../../local/sqs/queue-store.ts";
import { SqsRequests } from "./sqs-requests.ts";

let sqs: SqsRequests;
let store: QueueStore;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  sqs = new SqsRequests();
  ({ store } = sqs.service);
  store.createQueue("dead");
  store.createQueue("dead.fifo", { FifoQueue: "true" });
  const policy = (name: string) => JSON.stringify({ deadLetterTargetArn: queueArn(name), maxReceiveCount: 1 });
  store.createQueue("q", { RedrivePolicy: policy("dead") });
  store.createQueue("q.fifo", { FifoQueue: "true", RedrivePolicy: policy("dead.fifo") });
  store.createQueue("other");
});
afterEach(() => {
  sqs.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const SourceArn = queueArn("dead");
const start = async (input: object = {}) =>
  String((await sqs.output("StartMessageMoveTask", { SourceArn, ...input })).TaskHandle);
const list = async (input: object = {}) =>
  (await sqs.output("ListMessageMoveTasks", { SourceArn, ...input })).Results as Record<string, unknown>[];

/** Sends messages to a queue, receives them once, and lets them move to the dead-letter queue. */
function kill(...bodies: string[]): void {
  for (const body of bodies) store.send("q", { body });
  store.receive({ queue: "q", max: 10, visibilityTimeoutSeconds: 0 });
  expect(store.receive({ queue: "q", max: 10 })).toEqual([]);
}

function bodies(queue: string): string[] {
  return store.receive({ queue, max: 10 }).map(({ body }) => body);
}

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html */
describe("a message move task", () => {
  test("returns each message to the queue that it came from, as a new message", async () => {
    kill("a", "b");
    const [dead] = store.receive({ queue: "dead", max: 1, visibilityTimeoutSeconds: 0 });
    sqs.now += 5_000;
    const TaskHandle = await start();
    expect(await list()).toEqual([
      {
        TaskHandle,
        Status: "RUNNING",
        SourceArn,
        ApproximateNumberOfMessagesMoved: 0,
        ApproximateNumberOfMessagesToMove: 2,
        StartedTimestamp: sqs.now,
      },
    ]);
    store.clockAdvanced();
    expect(await list()).toEqual([
      {
        Status: "COMPLETED",
        SourceArn,
        ApproximateNumberOfMessagesMoved: 2,
        ApproximateNumberOfMessagesToMove: 2,
        StartedTimestamp: sqs.now,
      },
    ]);
    expect(store.counts("dead")).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
    expect(store.counts("q")).toEqual({ visible: 2, inFlight: 0, delayed: 0 });
    const moved = store.receive({ queue: "q", max: 10 });
    expect(moved.map(({ body }) => body)).toEqual(["a", "b"]);
    expect(moved[0]?.messageId).not.toBe(dead?.messageId);
    expect(moved[0]?.systemAttributes).toEqual({
      ApproximateFirstReceiveTimestamp: `${sqs.now}`,
      ApproximateReceiveCount: "1",
      SenderId: expect.any(String),
      SentTimestamp: `${sqs.now}`,
    });
  });

  test("moves messages to the queue that its caller names", async () => {
    kill("a");
    store.send("dead", { body: "sent there" });
    await start({ DestinationArn: queueArn("other") });
    store.clockAdvanced();
    expect(bodies("other")).toEqual(["a", "sent there"]);
    expect((await list())[0]).toMatchObject({ Status: "COMPLETED", DestinationArn: queueArn("other") });
  });

  test("fails at a message that was sent to the dead-letter queue directly", async () => {
    kill("a");
    store.send("dead", { body: "sent there" });
    await start();
    store.clockAdvanced();
    expect((await list())[0]).toEqual({
      Status: "FAILED",
      FailureReason: "CouldNotDetermineMessageSource",
      SourceArn,
      ApproximateNumberOfMessagesMoved: 1,
      ApproximateNumberOfMessagesToMove: 2,
      StartedTimestamp: sqs.now,
    });
    expect(bodies("q")).toEqual(["a"]);
    expect(bodies("dead")).toEqual(["sent there"]);
  });

  test("fails if a queue was deleted since", async () => {
    kill("a");
    await start({ DestinationArn: queueArn("other") });
    store.deleteQueue("other");
    store.clockAdvanced();
    expect((await list())[0]).toMatchObject({
      Status: "FAILED",
      FailureReason: "AWS.SimpleQueueService.NonExistentQueue",
      ApproximateNumberOfMessagesMoved: 0,
    });
    await start();
    store.deleteQueue("dead");
    store.clockAdvanced();
    store.createQueue("dead");
    expect((await list())[0]).toMatchObject({
      Status: "FAILED",
      FailureReason: "AWS.SimpleQueueService.NonExistentQueue",
    });
  });

  test("moves no message that is in flight or delayed, and none that comes later", async () => {
    kill("a", "b");
    expect(store.receive({ queue: "dead", max: 1 }).map(({ body }) => body)).toEqual(["a"]);
    store.send("dead", { body: "delayed", delaySeconds: 5 });
    await start({ DestinationArn: queueArn("other") });
    expect((await list())[0]).toMatchObject({ ApproximateNumberOfMessagesToMove: 1 });
    store.send("dead", { body: "later" });
    store.clockAdvanced();
    expect((await list())[0]).toMatchObject({ Status: "COMPLETED", ApproximateNumberOfMessagesMoved: 1 });
    expect(bodies("other")).toEqual(["b"]);
    expect(store.counts("dead")).toEqual({ visible: 1, inFlight: 1, delayed: 1 });
  });

  test("ends when fewer messages are left than there were", async () => {
    kill("a", "b");
    await start();
    store.purge("dead");
    store.clockAdvanced();
    expect((await list())[0]).toMatchObject({ Status: "COMPLETED", ApproximateNumberOfMessagesMoved: 0 });
  });

  test("ends at once if there is nothing to move", async () => {
    await start();
    store.clockAdvanced();
    expect((await list())[0]).toMatchObject({ Status: "COMPLETED", ApproximateNumberOfMessagesToMove: 0 });
  });

  test("moves the first message at once and the others at its rate", async () => {
    kill("a", "b", "c", "d");
    await start({ MaxNumberOfMessagesPerSecond: 2 });
    const moved = async () => {
      store.clockAdvanced();
      const [task] = await list();
      return [task?.Status, task?.ApproximateNumberOfMessagesMoved];
    };
    expect(await moved()).toEqual(["RUNNING", 1]);
    expect((await list())[0]?.MaxNumberOfMessagesPerSecond).toBe(2);
    sqs.now += 499;
    expect(await moved()).toEqual(["RUNNING", 1]);
    sqs.now += 1;
    expect(await moved()).toEqual(["RUNNING", 2]);
    sqs.now += 5_000;
    expect(await moved()).toEqual(["COMPLETED", 4]);
  });

  test("moves up to 500 messages at once if it has no rate", async () => {
    store.sendBatch(
      "dead",
      Array.from({ length: 1_200 }, (_, index) => ({ body: `${index}` })),
    );
    await start({ DestinationArn: queueArn("other") });
    const moved = async () => {
      store.clockAdvanced();
      return (await list())[0]?.ApproximateNumberOfMessagesMoved;
    };
    expect([await moved(), await moved(), await moved()]).toEqual([500, 1_000, 1_200]);
  });

  test("goes on by itself", async () => {
    kill("a", "b", "c");
    const moved = async () => (await list())[0]?.ApproximateNumberOfMessagesMoved;
    await start({ MaxNumberOfMessagesPerSecond: 20 });
    expect(await moved()).toBe(0);
    vi.advanceTimersByTime(0);
    expect(await moved()).toBe(1);
    sqs.now += 50;
    vi.advanceTimersByTime(49);
    expect(await moved()).toBe(1);
    vi.advanceTimersByTime(1);
    expect(await moved()).toBe(2);
    sqs.now += 50;
    vi.advanceTimersByTime(50);
    expect(await moved()).toBe(3);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("without a rate goes on at once", async () => {
    store.sendBatch(
      "dead",
      Array.from({ length: 501 }, () => ({ body: "x" })),
    );
    await start({ DestinationArn: queueArn("other") });
    vi.advanceTimersByTime(0);
    expect(store.counts("other").visible).toBe(500);
    vi.advanceTimersByTime(1);
    expect(store.counts("other").visible).toBe(501);
  });

  test("frees the message groups of a FIFO queue", async () => {
    const send = (body: string) => store.send("q.fifo", { body, groupId: "g", deduplicationId: body });
    send("a");
    send("b");
    store.receive({ queue: "q.fifo", max: 10, visibilityTimeoutSeconds: 0 });
    expect(store.receive({ queue: "q.fifo", max: 10 })).toEqual([]);
    expect(store.counts("dead.fifo").visible).toBe(2);
    const source = queueArn("dead.fifo");
    await start({ SourceArn: source });
    store.clockAdvanced();
    expect(bodies("dead.fifo")).toEqual([]);
    expect(bodies("q.fifo")).toEqual(["a", "b"]);
    send("c");
    expect(bodies("q.fifo")).toEqual([]);
  });

  test("is not held up by another task that has a rate", async () => {
    const messages = Array.from({ length: 501 }, (_, index) => ({ body: `${index}` }));
    store.sendBatch("dead", messages);
    for (const body of ["a", "b"]) store.send("dead.fifo", { body, groupId: "g", deduplicationId: body });
    const destinationArn = queueArn("q.fifo");
    store.moveTasks.start({ sourceArn: queueArn("dead.fifo"), destinationArn, messagesPerSecond: 1 });
    await start({ DestinationArn: queueArn("other") });
    vi.advanceTimersByTime(10);
    expect(await list()).toMatchObject([{ Status: "COMPLETED", ApproximateNumberOfMessagesMoved: 501 }]);
  });

  test("wakes a caller that waits for its messages", async () => {
    kill("a");
    const waiting = store.receiveOrWait({ queue: "q", max: 1 }, { timeoutMs: 10_000 });
    await start();
    vi.advanceTimersByTime(1);
    expect((await waiting).map(({ body }) => body)).toEqual(["a"]);
  });
});

describe("the start of a message move task", () => {
  const refusal = (input: object) => sqs.refusal("StartMessageMoveTask", { SourceArn, ...input });

  test.each(["SourceArn", "DestinationArn"])("is refused if the queue of %s does not exist", async (parameter) => {
    for (const arn of [queueArn("none"), "none"]) {
      expect(await refusal({ [parameter]: arn })).toBe(
        `ResourceNotFoundException: The resource that you specified for the ${parameter} parameter doesn't exist.`,
      );
    }
  });

  test("is refused from a queue that is no dead-letter queue", async () => {
    expect(await refusal({ SourceArn: queueArn("q") })).toBe(
      "InvalidParameterValueException: Source queue must be configured as a Dead Letter Queue.",
    );
  });

  test.each(["dead", "q.fifo"])("is refused to %s: it must be another queue of the same type", async (name) => {
    expect(await refusal({ DestinationArn: queueArn(name) })).toBe(
      "InvalidParameterValueException: Destination must be another queue, of the source's type.",
    );
  });

  test("is refused with a rate that is not 1 to 500", async () => {
    for (const rate of [0, 501]) {
      expect(await refusal({ MaxNumberOfMessagesPerSecond: rate })).toBe(
        `InvalidParameterValueException: Value ${rate} for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and 500, if provided.`,
      );
    }
    expect(await refusal({ MaxNumberOfMessagesPerSecond: 500 })).toBe("not refused");
  });

  test("is refused while another task of the queue runs, and of no other queue", async () => {
    kill("a", "b");
    await start({ MaxNumberOfMessagesPerSecond: 1 });
    expect(await refusal({})).toBe(
      "InvalidParameterValueException: There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
    );
    expect(await refusal({ SourceArn: queueArn("dead.fifo") })).toBe("not refused");
  });
});

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CancelMessageMoveTask.html */
describe("the end of a message move task by its caller", () => {
  const cancel = (TaskHandle: string) => sqs.output("CancelMessageMoveTask", { TaskHandle });

  test("leaves the messages where they are, and tells how many were moved", async () => {
    kill("a", "b", "c");
    const handle = await start({ MaxNumberOfMessagesPerSecond: 1 });
    store.clockAdvanced();
    expect(await cancel(handle)).toEqual({ ApproximateNumberOfMessagesMoved: 1 });
    sqs.now += 60_000;
    store.clockAdvanced();
    expect(store.counts("dead").visible).toBe(2);
    expect((await list())[0]).toEqual({
      Status: "CANCELLED",
      SourceArn,
      MaxNumberOfMessagesPerSecond: 1,
      ApproximateNumberOfMessagesMoved: 1,
      ApproximateNumberOfMessagesToMove: 3,
      StartedTimestamp: sqs.now - 60_000,
    });
  });

  test("is refused for a task that has ended or never was", async () => {
    const handle = await start();
    store.clockAdvanced();
    const refusal = (TaskHandle: string) => sqs.refusal("CancelMessageMoveTask", { TaskHandle });
    const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64");
    expect(await refusal(handle)).toBe("UnsupportedOperation: Only active tasks can be cancelled.");
    expect(await refusal(encoded({ taskId: "1", sourceArn: SourceArn }))).toBe(
      "ResourceNotFoundException: Task does not exist.",
    );
    expect(await refusal(encoded({ taskId: "1", sourceArn: queueArn("none") }))).toBe(
      "ResourceNotFoundException: The resource that you specified for the SourceArn parameter doesn't exist.",
    );
    for (const none of ["none", encoded({ taskId: "1" }), encoded({ sourceArn: 7 })]) {
      expect(await refusal(none)).toBe("InvalidParameterValueException: Value for parameter TaskHandle is invalid.");
    }
  });
});

describe("the list of message move tasks", () => {
  test("has the newest first, of one queue, and one task unless more are asked for", async () => {
    for (const rate of [1, 2, 3]) {
      await start({ MaxNumberOfMessagesPerSecond: rate });
      store.clockAdvanced();
    }
    await start({ SourceArn: queueArn("dead.fifo") });
    const rates = async (input: object) => (await list(input)).map(({ MaxNumberOfMessagesPerSecond: rate }) => rate);
    expect(await rates({})).toEqual([3]);
    expect(await rates({ MaxResults: 2 })).toEqual([3, 2]);
    expect(await rates({ MaxResults: 10 })).toEqual([3, 2, 1]);
  });

  test("is refused for an unknown queue and for more than 10 tasks", async () => {
    const refusal = (input: object) => sqs.refusal("ListMessageMoveTasks", { SourceArn, ...input });
    expect(await refusal({ SourceArn: queueArn("none") })).toBe(
      "ResourceNotFoundException: The resource that you specified for the SourceArn parameter doesn't exist.",
    );
    for (const max of [0, 11]) {
      expect(await refusal({ MaxResults: max })).toBe(
        `InvalidParameterValueException: Value ${max} for parameter MaxResults is invalid. Reason: Must be between 1 and 10, if provided.`,
      );
    }
  });
});
