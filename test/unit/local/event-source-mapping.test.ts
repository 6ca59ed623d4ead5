import type { SQSEvent } from "aws-lambda";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { EventSourceMapping, LAMBDA_RAMP, type MappingOptions } from "../../../local/lambda/event-source-mapping.ts";
import type { InvocationOutcome } from "../../../local/lambda/execution-environment.ts";
import { QueueStore } from "../../../local/sqs/queue-store.ts";
import { PATIENTLY } from "../../helpers/patience.ts";

const SUCCESS: InvocationOutcome = { tag: "returned", result: { batchItemFailures: [] } };

interface Invocation {
  readonly event: SQSEvent;
  readonly bodies: readonly string[];
  end(outcome?: InvocationOutcome): void;
}

let store: QueueStore;
let mappings: EventSourceMapping[];

beforeEach(() => {
  store = new QueueStore({ file: ":memory:" });
  store.createQueue("q", { VisibilityTimeout: "600" });
  mappings = [];
});
afterEach(async () => {
  await Promise.all(mappings.map((mapping) => mapping.stop()));
  store.close();
});

/** A mapping whose function's invocations end when the test says so. */
function map(options: Partial<MappingOptions> = {}) {
  const invocations: Invocation[] = [];
  let underWay = 0;
  let peak = 0;
  const mapping = new EventSourceMapping({
    store,
    queue: "q",
    batchSize: 10,
    batchingWindowSeconds: 0,
    maximumConcurrency: 2,
    invoke: async (event) => {
      peak = Math.max(peak, ++underWay);
      const { promise, resolve } = Promise.withResolvers<InvocationOutcome>();
      invocations.push({
        event,
        bodies: event.Records.map(({ body }) => body),
        end: (outcome = SUCCESS) => resolve(outcome),
      });
      const outcome = await promise;
      underWay--;
      return outcome;
    },
    ...options,
  });
  mappings.push(mapping);
  return {
    mapping,
    invocations,
    get peak() {
      return peak;
    },
    /** The invocation of this number, when it comes. */
    nth: (number: number): Promise<Invocation> =>
      vi.waitUntil(() => invocations[number - 1], { ...PATIENTLY, interval: 1 }),
  };
}

const send = (...bodies: string[]) =>
  store.sendBatch(
    "q",
    bodies.map((body) => ({ body })),
  );
const left = () => {
  const { visible, inFlight } = store.counts("q");
  return visible + inFlight;
};
const turn = () => new Promise((resolve) => setImmediate(resolve));
const turns = async (count = 20) => {
  for (let index = 0; index < count; index++) await turn();
};
const failing = (invocation: Invocation, ...bodies: string[]): InvocationOutcome => ({
  tag: "returned",
  result: {
    batchItemFailures: invocation.event.Records.filter(({ body }) => bodies.includes(body)).map(({ messageId }) => ({
      itemIdentifier: messageId,
    })),
  },
});

test("a record looks as it does in Lambda", async () => {
  store.send("q", {
    body: "hello",
    attributes: {
      colour: { dataType: "String", stringValue: "red" },
      bytes: { dataType: "Binary", binaryValue: "AQI=" },
    },
  });
  const { nth } = map();
  const invocation = await nth(1);
  expect(invocation.event.Records).toEqual([
    {
      messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      receiptHandle: expect.any(String),
      body: "hello",
      md5OfBody: "5d41402abc4b2a76b9719d911017c592",
      attributes: {
        ApproximateReceiveCount: "1",
        SentTimestamp: expect.stringMatching(/^\d+$/),
        SenderId: expect.any(String),
        ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d+$/),
      },
      messageAttributes: {
        colour: expect.objectContaining({ dataType: "String", stringValue: "red" }),
        bytes: expect.objectContaining({ dataType: "Binary", binaryValue: "AQI=" }),
      },
      eventSource: "aws:sqs",
      eventSourceARN: "arn:aws:sqs:us-east-1:000000000000:q",
      awsRegion: "us-east-1",
    },
  ]);
  invocation.end();
});

describe("a batch", () => {
  test("has the messages that are there, up to the batch size", async () => {
    send(..."abcdefg");
    const { nth, invocations } = map({ batchSize: 3, maximumConcurrency: 1 });
    for (const [number, bodies] of [
      [1, "abc"],
      [2, "def"],
      [3, "g"],
    ] as const) {
      const invocation = await nth(number);
      expect(invocation.bodies).toEqual([...bodies]);
      expect(invocations).toHaveLength(number);
      invocation.end();
    }
    await vi.waitUntil(() => left() === 0, { ...PATIENTLY, interval: 1 });
  });

  test("larger than ten is filled from several receives", async () => {
    send(...Array.from({ length: 25 }, (_, index) => String(index)));
    const { nth } = map({ batchSize: 25, batchingWindowSeconds: 1, maximumConcurrency: 1 });
    const invocation = await nth(1);
    expect(invocation.bodies).toHaveLength(25);
    invocation.end();
  });

  test("waits until its window is over or the batch is full", async () => {
    const { nth, invocations } = map({ batchSize: 3, batchingWindowSeconds: 300, maximumConcurrency: 1 });
    send("a");
    await vi.waitUntil(() => store.counts("q").inFlight === 1, { ...PATIENTLY, interval: 1 });
    await turns();
    expect(invocations).toHaveLength(0);
    send("b");
    await vi.waitUntil(() => store.counts("q").inFlight === 2, { ...PATIENTLY, interval: 1 });
    expect(invocations).toHaveLength(0);
    send("c");
    const invocation = await nth(1);
    expect(invocation.bodies).toEqual(["a", "b", "c"]);
    invocation.end();
  });

  test("is delivered when its window is over, with the messages that it has", async () => {
    send("a");
    const { nth } = map({ batchSize: 3, batchingWindowSeconds: 0.02, maximumConcurrency: 1 });
    const invocation = await nth(1);
    expect(invocation.bodies).toEqual(["a"]);
    invocation.end();
  });
});

test("at most the maximum concurrency of invocations run at once, and a free one takes the next batch", async () => {
  send(...Array.from({ length: 12 }, (_, index) => String(index)));
  const mapped = map({ batchSize: 1, maximumConcurrency: 3 });
  await mapped.nth(3);
  await turns();
  expect(mapped.invocations).toHaveLength(3);
  for (let ended = 1; ended <= 12; ended++) {
    (await mapped.nth(ended)).end();
    if (ended <= 9) {
      await mapped.nth(ended + 3);
      await turns();
      expect(mapped.invocations).toHaveLength(ended + 3);
    }
  }
  await vi.waitUntil(() => left() === 0, { ...PATIENTLY, interval: 1 });
  expect(mapped.peak).toBe(3);
  expect(new Set(mapped.invocations.flatMap(({ bodies }) => bodies)).size).toBe(12);
});

describe("a mapping that scales as Lambda", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("begins with 5 batches, adds 300 a minute while messages are visible, and ends at its maximum concurrency", async () => {
    send(...Array.from({ length: 1_000 }, (_, index) => String(index)));
    const { nth, invocations } = map({ batchSize: 1, maximumConcurrency: 400, ramp: LAMBDA_RAMP });
    await nth(5);
    await turns();
    expect(invocations).toHaveLength(5);
    vi.advanceTimersByTime(1_000);
    await nth(10);
    await turns();
    expect(invocations).toHaveLength(10);
    vi.advanceTimersByTime(59_000);
    await nth(305);
    await turns();
    expect(invocations).toHaveLength(305);
    vi.advanceTimersByTime(60_000);
    await nth(400);
    await turns();
    expect(invocations).toHaveLength(400);
    // `afterEach` waits until no invocation is under way.
    const stopping = mappings[0]?.stop();
    for (const { end } of invocations) end();
    await stopping;
  });

  test("adds none while no message is visible", async () => {
    send(..."abcde");
    const { nth, invocations } = map({ batchSize: 1, maximumConcurrency: 400, ramp: LAMBDA_RAMP });
    await nth(5);
    vi.advanceTimersByTime(60_000);
    send("f", "g");
    await turns();
    expect(invocations).toHaveLength(5);
    vi.advanceTimersByTime(200);
    await nth(6);
    await turns();
    expect(invocations).toHaveLength(6);
    const stopping = mappings[0]?.stop();
    for (const { end } of invocations) end();
    await stopping;
  });

  test("does not begin above its maximum concurrency", async () => {
    send(..."abcdefgh");
    const mapped = map({ batchSize: 1, maximumConcurrency: 2, ramp: LAMBDA_RAMP });
    for (let number = 1; number <= 8; number++) (await mapped.nth(number)).end();
    expect(mapped.peak).toBe(2);
  });
});

test("a batch beyond Lambda's 6 MB for one event is delivered with several invocations", async () => {
  const body = "x".repeat(1_048_000);
  // Each quotation mark has two bytes in the event.
  const quotes = '"'.repeat(1_048_000);
  for (const each of [body, body, body, body, body, body, quotes, body]) send(each);
  const { nth } = map({ maximumConcurrency: 1 });
  const first = await nth(1);
  const expected = [body, body, body, body, body, body, quotes, body];
  first.end();
  const second = await nth(2);
  second.end();
  const bodies = [...first.bodies, ...second.bodies];
  expect(bodies.length).toBe(8);
  expect([...bodies].sort()).toEqual([...expected].sort());
  for (const { event } of [first, second]) {
    expect(Buffer.byteLength(JSON.stringify(event.Records.map(({ body }) => body)))).toBeLessThanOrEqual(6 * 1_048_576);
  }
  await vi.waitUntil(() => left() === 0, { ...PATIENTLY, interval: 1 });
});

describe("a function that sends a message to its own queue in each invocation", () => {
  /** Counts the invocations, up to 20. */
  async function countTurns(onLoop: "Allow" | "Terminate") {
    let count = 0;
    const ended = Promise.withResolvers<void>();
    send("start");
    const { mapping } = map({
      batchSize: 1,
      maximumConcurrency: 1,
      loops: { functionName: "f", onLoop },
      invoke: async (_, trace) => {
        if (++count < 20 && trace !== undefined) store.send("q", { body: "next", traceHeader: trace });
        else ended.resolve();
        return SUCCESS;
      },
    });
    // The message that would be the next turn is hidden, and no invocation has it.
    const isStopped = () => {
      const { visible, inFlight } = store.counts("q");
      return count === 16 && visible === 0 && inFlight === 1;
    };
    await Promise.race([ended.promise, vi.waitUntil(isStopped, { ...PATIENTLY, interval: 1 })]);
    await turns();
    await mapping.stop();
    return count;
  }
  test("is stopped after 16 turns, and the message comes again until its receive limit", async () => {
    expect(await countTurns("Terminate")).toBe(16);
    expect(left()).toBe(1);
  });

  test("goes on if its loop is allowed", async () => {
    expect(await countTurns("Allow")).toBe(20);
  });
});

describe("after an invocation", () => {
  test("only the messages that succeeded are deleted", async () => {
    send(..."abc");
    const { nth, mapping } = map({ maximumConcurrency: 1 });
    const invocation = await nth(1);
    invocation.end(failing(invocation, "b"));
    await mapping.stop();
    expect(left()).toBe(1);
    store.setAttributes("q", { VisibilityTimeout: "0" });
    store.releaseOrphans();
    expect(store.receive({ queue: "q", max: 10 }).map(({ body }) => body)).toEqual(["b"]);
  });

  test.each([
    ["threw", { tag: "threw", error: "x" }],
    ["crashed", { tag: "crashed", error: "x" }],
    ["timed out", { tag: "timed out", error: "x" }],
    ["named an unknown id", { tag: "returned", result: { batchItemFailures: [{ itemIdentifier: "z" }] } }],
  ] as const)("that %s nothing is deleted, and all stays hidden until its visibility timeout", async (_, outcome) => {
    send(..."abc");
    const { nth, mapping } = map({ maximumConcurrency: 1 });
    (await nth(1)).end(outcome);
    await mapping.stop();
    expect(store.counts("q")).toEqual({ visible: 0, inFlight: 3, delayed: 0 });
  });

  test("a failed message that the function made visible is delivered again, and its receive counts", async () => {
    send("a");
    const { nth } = map({ maximumConcurrency: 1 });
    const first = await nth(1);
    store.changeVisibility("q", first.event.Records[0]?.receiptHandle ?? "", 0);
    first.end(failing(first, "a"));
    const second = await nth(2);
    expect(second.event.Records[0]?.attributes.ApproximateReceiveCount).toBe("2");
    second.end();
    await vi.waitUntil(() => left() === 0, { ...PATIENTLY, interval: 1 });
  });

  test("a message that the function deleted itself is no error", async () => {
    send("a", "b");
    const { nth } = map({ maximumConcurrency: 1 });
    const first = await nth(1);
    store.deleteMessage("q", first.event.Records[0]?.receiptHandle ?? "");
    first.end();
    await vi.waitUntil(() => left() === 0, { ...PATIENTLY, interval: 1 });
    send("c");
    (await nth(2)).end();
  });
});

describe("stop()", () => {
  test("waits for the invocations under way, and starts no others", async () => {
    send("a", "b", "c");
    const { nth, mapping, invocations } = map({ batchSize: 1, maximumConcurrency: 2 });
    const running = [await nth(1), await nth(2)];
    let stopped = false;
    const stopping = mapping.stop().then(() => {
      stopped = true;
    });
    running[0]?.end();
    await turns();
    expect(stopped).toBe(false);
    running[1]?.end();
    await stopping;
    expect(invocations).toHaveLength(2);
    expect(left()).toBe(1);
  });

  test("ends at once when nothing runs", async () => {
    await map().mapping.stop();
  });

  test("invokes the function with the messages that it has received, without waiting for its window", async () => {
    send("a");
    const { nth, mapping } = map({ batchSize: 3, batchingWindowSeconds: 300, maximumConcurrency: 1 });
    await vi.waitUntil(() => store.counts("q").inFlight === 1, { ...PATIENTLY, interval: 1 });
    const stopping = mapping.stop();
    (await nth(1)).end();
    await stopping;
    expect(left()).toBe(0);
  });
});

test("messages of one FIFO group run one after another, and messages of two groups at the same time", async () => {
  store.createQueue("q.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
  for (const body of ["a1", "a2", "b1"]) store.send("q.fifo", { body, groupId: body.slice(0, 1) });
  const { nth, invocations } = map({ queue: "q.fifo", batchSize: 1, maximumConcurrency: 3 });
  const first = await nth(1);
  const second = await nth(2);
  await turns();
  expect(invocations.flatMap(({ bodies }) => bodies).sort()).toEqual(["a1", "b1"]);
  first.end();
  second.end();
  const third = await nth(3);
  expect(third.bodies).toEqual(["a2"]);
  third.end();
});
