import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FifoThroughput } from "../../../../local/sqs/fifo-throughput.ts";
import { queueArn } from "../../../../local/sqs/queue-registry.ts";
import { QueueStore } from "../../../../local/sqs/queue-store.ts";
import { nameFilter } from "../../../../local/sqs/request-input.ts";
import { outcomeOf, SqsError } from "../../../../local/sqs/sqs-error.ts";
import { allowInFlight } from "./allow-in-flight.ts";
import { SqsRequests } from "./sqs-requests.ts";

const DAY = 86_400_000;
let now: number;
let store: QueueStore;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate"] });
  now = 1_000_000_000_000;
  store = new QueueStore({ file: ":memory:", clock: () => now });
  store.createQueue("dead");
  store.createQueue("q", { RedrivePolicy: redriveTo("dead") });
});
afterEach(() => {
  store.close();
  vi.useRealTimers();
});

const redriveTo = (queue: string) => JSON.stringify({ deadLetterTargetArn: queueArn(queue), maxReceiveCount: 1 });
const receive = (queue: string, max = 10, visibilityTimeoutSeconds = 30) =>
  store.receive({ queue, max, visibilityTimeoutSeconds });
const bodies = (queue: string, max?: number) => receive(queue, max).map(({ body }) => body);

describe("a message that was visible and is hidden again", () => {
  test("is in flight again", () => {
    using _ = allowInFlight(1);
    for (const body of ["a", "b"]) store.send("dead", { body });
    const [a] = receive("dead", 1, 1);
    now += 2_000;
    store.changeVisibility("dead", a?.receiptHandle ?? "", 60);
    expect(bodies("dead")).toEqual([]);
    now += 60_000;
    expect(bodies("dead")).toHaveLength(1);
  });
});

describe("a dead letter", () => {
  test("is received although the queue has already delivered later messages of the same moment", () => {
    store.send("q", { body: "first" });
    store.send("dead", { body: "later" });
    expect(bodies("dead")).toEqual(["later"]);
    expect(receive("q", 1, 0)).toHaveLength(1);
    expect(bodies("q")).toEqual([]);
    expect(bodies("dead")).toEqual(["first"]);
  });
});

describe("a FIFO queue", () => {
  test("delivers no more messages than were asked for, from several groups", () => {
    store.createQueue("q.fifo", { FifoQueue: "true" });
    for (const group of ["a", "b"])
      for (const number of [1, 2])
        store.send("q.fifo", { body: `${group}${number}`, groupId: group, deduplicationId: `${group}${number}` });
    expect(bodies("q.fifo", 3)).toEqual(["a1", "a2", "b1"]);
  });

  test("counts its requests for a whole second", () => {
    let time = 5_000;
    const throughput = new FifoThroughput(() => time);
    for (let request = 0; request < 300; request++) {
      time = 5_000 + request;
      throughput.count("SendMessage", "q.fifo");
    }
    time = 5_999;
    expect(() => throughput.count("SendMessage", "q.fifo")).toThrow("in this second");
    time = 6_000;
    throughput.count("SendMessage", "q.fifo");
  });
});

describe("a message move task", () => {
  const move = (messagesPerSecond?: number) =>
    store.moveTasks.start({
      sourceArn: queueArn("dead"),
      destinationArn: queueArn("q"),
      ...(messagesPerSecond !== undefined && { messagesPerSecond }),
    });

  test("moves as many messages as there were when it began", () => {
    for (const body of ["a", "b"]) store.send("dead", { body });
    move(1);
    store.clockAdvanced();
    store.send("dead", { body: "c" });
    now += 10_000;
    store.clockAdvanced();
    expect(store.moveTasks.list(queueArn("dead"))).toMatchObject([{ status: "COMPLETED", moved: 2 }]);
    expect(bodies("q").toSorted()).toEqual(["a", "b"]);
    expect(bodies("dead")).toEqual(["c"]);
  });

  test("gives the messages a new age, which ends as that of any other message", () => {
    store.send("dead", { body: "a" });
    now += 3 * DAY;
    expect(store.counts("q").visible).toBe(0);
    move();
    store.clockAdvanced();
    now += 3 * DAY;
    expect(store.counts("q").visible).toBe(1);
    now += DAY;
    expect(store.counts("q").visible).toBe(0);
  });
});

describe("a store that is closed", () => {
  test("has nothing to undo", () => {
    store.send("q", { body: "a" });
    const [a] = receive("q");
    store.close();
    store.undoReceives("q", [a?.receiptHandle ?? ""]);
  });
});

describe("a name that ends with .*", () => {
  test("means all names that begin with what stands before it", () => {
    const wanted = nameFilter(["bar.*", "foo"]);
    expect(["bar", "barcode", "bar.x", "baz", "foo", "food"].filter(wanted)).toEqual([
      "bar",
      "barcode",
      "bar.x",
      "foo",
    ]);
  });
});

describe("an entry of a batch", () => {
  test("has the refusals of SQS as its outcome, and no other error", () => {
    const refusal = new SqsError("InvalidParameterValue", "no");
    const failing = (error: Error) => () => {
      throw error;
    };
    expect(outcomeOf(failing(refusal))).toEqual({ ok: false, error: refusal });
    expect(() => outcomeOf(failing(new TypeError("a fault")))).toThrow("a fault");
  });
});

describe("a queue", () => {
  test("is not created with an attribute that SQS does not know, or with a value out of its range", () => {
    expect(() => store.createQueue("other", { Colour: "red" })).toThrow("Unknown Attribute Colour");
    expect(() => store.createQueue("other", { VisibilityTimeout: "43201" })).toThrow();
    expect(() => store.createQueue("other", { RedrivePolicy: "{" })).toThrow();
    expect(store.hasQueue("other")).toBe(false);
  });
});

describe("a list of queues", () => {
  test("continues after the last name of the page before", async () => {
    vi.useRealTimers();
    const sqs = new SqsRequests();
    for (const QueueName of ["a", "b", "c", "d", "e"]) await sqs.output("CreateQueue", { QueueName });
    const first = await sqs.output("ListQueues", { MaxResults: 3 });
    const second = await sqs.output("ListQueues", { MaxResults: 3, NextToken: first.NextToken });
    const names = [first, second].map(({ QueueUrls }) => (QueueUrls as string[]).map((url) => url.slice(-1)));
    expect(names).toEqual([
      ["a", "b", "c"],
      ["d", "e"],
    ]);
    expect(second.NextToken).toBeUndefined();
    sqs.close();
  });
});
