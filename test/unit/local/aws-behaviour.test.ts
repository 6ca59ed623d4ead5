import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { awsBehaviourOf } from "../../../local/sqs/aws-behaviour.ts";
import { FifoThroughput } from "../../../local/sqs/fifo-throughput.ts";
import { QueueStore } from "../../../local/sqs/queue-store.ts";
import { SqsService } from "../../../local/sqs/sqs-service.ts";

let now = 0;
const clock = () => now;
const opened: { close(): void }[] = [];

beforeEach(() => {
  now = 1_000_000_000_000;
});
afterEach(() => {
  for (const store of opened.splice(0)) store.close();
});

function storeWith(awsBehaviour: ConstructorParameters<typeof QueueStore>[0]["awsBehaviour"]): QueueStore {
  const store = new QueueStore({ file: ":memory:", clock, ...(awsBehaviour && { awsBehaviour }) });
  opened.push(store);
  store.createQueue("q");
  return store;
}

describe("the environment variable", () => {
  test("names behaviours", () => {
    expect(awsBehaviourOf({})).toEqual({});
    expect(awsBehaviourOf({ SLUICE_LOCAL_SQS: "" })).toEqual({});
    expect(awsBehaviourOf({ SLUICE_LOCAL_SQS: "random-order,fifo-throughput" })).toEqual({
      randomOrder: true,
      fifoThroughput: true,
    });
    expect(awsBehaviourOf({ SLUICE_LOCAL_SQS: "lagging-counts" })).toEqual({ countsLagMilliseconds: 2_000 });
  });

  test.each(["random", "constructor", "random-order, lagging-counts"])("refuses the name in %j", (value) => {
    expect(() => awsBehaviourOf({ SLUICE_LOCAL_SQS: value })).toThrow(
      /SLUICE_LOCAL_SQS has the unknown name .*: use random-order/,
    );
  });

  test("asks for random order in tests", () => {
    expect(awsBehaviourOf(process.env)).toEqual({ randomOrder: true });
  });
});

describe("random order", () => {
  const sent = Array.from({ length: 200 }, (_, number) => String(number));
  const receivedFrom = (store: QueueStore, queue = "q") => {
    const bodies: string[] = [];
    for (let batch = store.receive({ queue, max: 10 }); batch.length > 0; batch = store.receive({ queue, max: 10 })) {
      bodies.push(...batch.map(({ body }) => body));
      store.deleteMessages(
        queue,
        batch.map(({ receiptHandle }) => receiptHandle),
      );
    }
    return bodies;
  };

  test("delivers each message of a standard queue once, and not in its order", () => {
    const store = storeWith({ randomOrder: true });
    store.sendBatch(
      "q",
      sent.map((body) => ({ body })),
    );
    const received = receivedFrom(store);
    expect(received).not.toEqual(sent);
    expect(received.toSorted()).toEqual(sent.toSorted());
    // The messages of the first receive come from the whole queue.
    expect(received.slice(0, 10).some((body) => Number(body) >= 50)).toBe(true);
    expect(store.counts("q")).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });

  test("delivers in order without the option, and always in a FIFO queue", () => {
    const inOrder = storeWith(undefined);
    const random = storeWith({ randomOrder: true });
    random.createQueue("q.fifo", { FifoQueue: "true" });
    for (const body of sent) {
      inOrder.send("q", { body });
      random.send("q.fifo", { body, groupId: "g", deduplicationId: body });
    }
    expect(receivedFrom(inOrder)).toEqual(sent);
    expect(receivedFrom(random, "q.fifo")).toEqual(sent);
  });
});

test("Lagging counts are those of an earlier request, until they are too old", () => {
  const store = storeWith({ countsLagMilliseconds: 2_000 });
  const visible = () => store.attributes("q").ApproximateNumberOfMessages;
  expect(visible()).toBe("0");
  store.send("q", { body: "x" });
  now += 1_999;
  expect(visible()).toBe("0");
  // The engine's own counts are exact.
  expect(store.counts("q").visible).toBe(1);
  now += 1;
  expect(visible()).toBe("1");
});

describe("the throughput of FIFO queues", () => {
  const times = (count: number, work: () => void) => {
    for (let each = 0; each < count; each++) work();
  };

  test("is 300 requests of each kind a second, in each queue", () => {
    const throughput = new FifoThroughput(clock);
    times(300, () => throughput.count("SendMessage", "q.fifo"));
    expect(() => throughput.count("SendMessageBatch", "q.fifo")).toThrow(/300 requests of the kind "send"/);
    throughput.count("ReceiveMessage", "q.fifo");
    throughput.count("SendMessage", "other.fifo");
    now += 1_000;
    throughput.count("SendMessage", "q.fifo");
  });

  test("does not limit standard queues, or requests that AWS does not count", () => {
    const throughput = new FifoThroughput(clock);
    times(1_000, () => throughput.count("SendMessage", "q"));
    times(1_000, () => throughput.count("GetQueueAttributes", "q.fifo"));
  });

  test("refuses a request with the code of AWS, if the service has the option", async () => {
    const send = async (fifoThroughput: boolean) => {
      const service = new SqsService({ file: ":memory:", clock, awsBehaviour: { fifoThroughput } }, (name) => name);
      opened.push(service.store);
      service.store.createQueue("q.fifo", { FifoQueue: "true" });
      const body = JSON.stringify({ QueueUrl: "http://x/0/q.fifo", WaitTimeSeconds: 0 });
      const request = () =>
        service.respond(
          { target: "AmazonSQS.ReceiveMessage", trace: undefined },
          () => body,
          new AbortController().signal,
        );
      for (let each = 0; each < 300; each++) await request();
      return await request();
    };
    expect(await send(true)).toMatchObject({ status: 403, output: { __type: "com.amazonaws.sqs#RequestThrottled" } });
    expect(await send(false)).toMatchObject({ status: 200 });
  });
});
