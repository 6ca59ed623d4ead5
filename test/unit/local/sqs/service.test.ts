import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, describe, expect, test, vi } from "vitest";
import { inProcess } from "../../../../local/sqs/in-process-handler.ts";
import { Faults } from "../../../../local/sqs/injected-faults.ts";
import {
  type Reply,
  type RequestHeaders,
  SqsService,
  type SqsServiceOptions,
} from "../../../../local/sqs/sqs-service.ts";
import { allowInFlight } from "./allow-in-flight.ts";
import { SqsRequests } from "./sqs-requests.ts";

const opened: SqsRequests[] = [];

function start(options: Partial<SqsServiceOptions> = {}): SqsRequests {
  const sqs = new SqsRequests(options);
  opened.push(sqs);
  sqs.service.store.createQueue("q");
  return sqs;
}
afterEach(() => {
  for (const sqs of opened.splice(0)) sqs.close();
});

const QueueUrl = "http://sqs/000000000000/q";
const never = new AbortController().signal;

describe("an injected fault", () => {
  const send = { target: "AmazonSQS.SendMessage", trace: undefined };
  const body = () => JSON.stringify({ QueueUrl, MessageBody: "x" });

  test("refuses a request, which then has no effect", async () => {
    const sqs = start({ faults: new Faults({ seed: 1, throttle: 1 }) });
    expect(await sqs.ask("SendMessage", { QueueUrl, MessageBody: "x" })).toEqual({
      status: 403,
      queryError: "RequestThrottled;Sender",
      output: {
        __type: "com.amazonaws.sqs#RequestThrottled",
        message: "The request was throttled (an injected fault).",
      },
    });
    expect(sqs.service.store.counts("q").visible).toBe(0);
  });

  test("loses the answer of a request, which has its effect", async () => {
    const { service } = start({ faults: new Faults({ seed: 1, lostResponse: 1 }) });
    expect(await service.respond(send, body, never)).toBeUndefined();
    expect(service.store.counts("q").visible).toBe(1);
  });

  test("lets a request time out, which then has no effect", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { service } = start({ faults: new Faults({ seed: 1, timeout: 1, timeoutMs: 1 }) });
    expect(await service.respond(send, body, never)).toBeUndefined();
    expect(service.store.counts("q").visible).toBe(0);
    vi.useRealTimers();
  });

  test("lets a request time out at once when its client has gone", async () => {
    const { service } = start({ faults: new Faults({ seed: 1, timeout: 1, timeoutMs: 3_600_000 }) });
    expect(await service.respond(send, body, AbortSignal.abort())).toBeUndefined();
  });

  test("spares the queues and actions that it is told to spare", async () => {
    const sqs = start();
    const { faults } = sqs.service;
    faults.set({ throttle: 1, exceptQueues: ["q"] });
    expect(await sqs.refusal("SendMessage", { QueueUrl, MessageBody: "x" })).toBe("not refused");
    expect(await sqs.refusal("GetQueueUrl", { QueueName: "q" })).toBe("not refused");
    expect(await sqs.refusal("SendMessage", { QueueUrl: `${QueueUrl}2`, MessageBody: "x" })).toMatch(
      /^RequestThrottled/,
    );
    expect(await sqs.refusal("ListQueues")).toMatch(/^RequestThrottled/);
    expect(await sqs.refusal("SendMessage", { QueueUrl: 7 })).toMatch(/^RequestThrottled/);
    faults.set({ exceptQueues: [], exceptActions: ["ListQueues"] });
    expect(await sqs.refusal("ListQueues")).toBe("not refused");
    faults.clear();
    expect(await sqs.refusal("SendMessage", { QueueUrl, MessageBody: "x" })).toBe("not refused");
  });

  test("has a probability from 0 to 1", () => {
    const faults = new Faults({ seed: 1 });
    for (const kind of ["throttle", "internalFailure", "timeout", "lostResponse", "duplicate", "reorder"] as const) {
      for (const bad of [-0.1, 1.1, Number.NaN]) {
        expect(() => faults.set({ [kind]: bad })).toThrow(
          new RangeError(`fault "${kind}": the probability must be from 0 to 1, and it is ${bad}`),
        );
      }
      faults.set({ [kind]: 1 });
      faults.set({ [kind]: 0 });
      expect(faults.settings[kind]).toBe(0);
    }
  });

  test("has a random sequence that depends on the seed and its kind only", () => {
    const drawn = (settings: Partial<Record<"throttle" | "timeout" | "lostResponse", number>>) => {
      const faults = new Faults({ seed: 7, ...settings });
      return Array.from({ length: 64 }, () => faults.ofRequest("SendMessage", "q"));
    };
    const share = (faults: unknown[], kind: string) => faults.filter((fault) => fault === kind).length / 64;
    const throttled = drawn({ throttle: 0.5 });
    expect(share(throttled, "throttle")).toBeGreaterThan(0.3);
    expect(share(throttled, "throttle")).toBeLessThan(0.7);
    // Another kind changes nothing for a request that is throttled, because throttling is looked at first.
    const both = drawn({ throttle: 0.5, timeout: 0.5 });
    expect(both.map((fault) => fault === "throttle")).toEqual(throttled.map((fault) => fault === "throttle"));
    expect(drawn({ timeout: 0.5 }).map((fault) => fault !== undefined)).not.toEqual(
      throttled.map((fault) => fault !== undefined),
    );
    expect(share(drawn({ throttle: 0 }), "throttle")).toBe(0);
  });

  test("of a delivery spares queues, and picks each message at most once", () => {
    const faults = new Faults({ seed: 1, duplicate: 1, reorder: 1, reorderWindow: 7, exceptQueues: ["spared"] });
    expect([faults.duplicates("q"), faults.duplicates("spared")]).toEqual([true, false]);
    expect([faults.reorderWindow("q"), faults.reorderWindow("spared")]).toEqual([7, undefined]);
    faults.set({ exceptActions: ["ReceiveMessage"] });
    expect([faults.duplicates("q"), faults.reorderWindow("q")]).toEqual([false, undefined]);
    faults.clear();
    expect([faults.duplicates("q"), faults.reorderWindow("q")]).toEqual([false, undefined]);
    const items = Array.from({ length: 20 }, (_, index) => index);
    const picked = faults.pick(items, 8);
    expect(new Set(picked).size).toBe(8);
    expect(faults.pick(items, 30).toSorted((a, b) => a - b)).toEqual(items);
    expect(picked).not.toEqual(items.slice(0, 8));
    expect(Math.max(...picked)).toBeGreaterThan(9);
  });
});

describe("the service", () => {
  test("tells the URL of a queue, and gives the options of AWS's behaviour to its store", async () => {
    const sqs = start({ awsBehaviour: { randomOrder: true, countsLagMilliseconds: 5_000 } });
    expect(await sqs.output("GetQueueUrl", { QueueName: "q" })).toEqual({ QueueUrl });
    expect((await sqs.attributes(QueueUrl, "All")).ApproximateNumberOfMessages).toBe("0");
    const sent = Array.from({ length: 30 }, (_, index) => `${index}`);
    sqs.service.store.sendBatch(
      "q",
      sent.map((body) => ({ body })),
    );
    expect((await sqs.attributes(QueueUrl, "All")).ApproximateNumberOfMessages).toBe("0");
    expect(sqs.service.store.receive({ queue: "q", max: 30 }).map(({ body }) => body)).not.toEqual(sent);
  });

  test("answers short requests before those that send, of which there may be many", async () => {
    const sqs = start();
    const order: string[] = [];
    const ask = async (action: string, input: object) => {
      await sqs.ask(action, { QueueUrl, ...input });
      order.push(action);
    };
    await Promise.all([
      ...Array.from({ length: 4 }, () => ask("SendMessage", { MessageBody: "x" })),
      ...Array.from({ length: 4 }, () => ask("SendMessageBatch", { Entries: [{ Id: "1", MessageBody: "x" }] })),
      ...Array.from({ length: 6 }, () => ask("GetQueueAttributes", {})),
    ]);
    // Of the first six, two may send.
    expect(order.slice(0, 6).filter((action) => action === "GetQueueAttributes")).toHaveLength(4);
  });

  test("tells its owner when the disk is full, and not when a request is refused", async () => {
    const onStateFailure = vi.fn();
    const sqs = start({ onStateFailure });
    await sqs.ask("SendMessage", { QueueUrl });
    await sqs.service.respond(
      { target: "AmazonSQS.ListQueues", trace: undefined },
      () => Promise.reject(new Error("something else")),
      never,
    );
    expect(onStateFailure).not.toHaveBeenCalled();
    const full = Object.assign(new Error("database or disk is full"), { code: "ERR_SQLITE_ERROR", errcode: 13 });
    vi.spyOn(sqs.service.store, "queueNames").mockImplementation(() => {
      throw full;
    });
    expect(await sqs.ask("ListQueues")).toMatchObject({ status: 500 });
    expect(onStateFailure.mock.calls).toEqual([[full]]);
  });

  test("is the same without an owner", async () => {
    const sqs = start();
    vi.spyOn(sqs.service.store, "queueNames").mockImplementation(() => {
      throw Object.assign(new Error("database or disk is full"), { code: "ERR_SQLITE_ERROR", errcode: 13 });
    });
    expect(await sqs.ask("ListQueues")).toMatchObject({
      status: 500,
      output: { message: "The server failed: Error: database or disk is full" },
    });
  });

  test("limits FIFO queues on request", async () => {
    const sqs = start({ awsBehaviour: { fifoThroughput: true } });
    sqs.service.store.createQueue("q.fifo", { FifoQueue: "true" });
    const receive = () => sqs.refusal("ReceiveMessage", { QueueUrl: `${QueueUrl}.fifo` });
    for (let request = 0; request < 300; request++) expect(await receive()).toBe("not refused");
    expect(await receive()).toBe(
      'RequestThrottled: The queue q.fifo has had 300 requests of the kind "receive" in this second.',
    );
    expect(await sqs.refusal("ReceiveMessage", { QueueUrl })).toBe("not refused");
    expect(await sqs.refusal("ReceiveMessage")).toMatch(/^MissingRequiredParameterException/);
    sqs.now += 1_000;
    expect(await receive()).toBe("not refused");
  });

  test("does not limit FIFO queues without a request", async () => {
    const sqs = start();
    sqs.service.store.createQueue("q.fifo", { FifoQueue: "true" });
    for (let request = 0; request < 301; request++)
      expect((await sqs.ask("ReceiveMessage", { QueueUrl: `${QueueUrl}.fifo` })).status).toBe(200);
  });

  test("uses the machine's clock unless it has another one", () => {
    const before = Date.now();
    const { store } = new SqsService({ file: ":memory:" }, (name) => name);
    store.createQueue("q");
    const created = Number(store.attributes("q").CreatedTimestamp);
    store.close();
    expect(created).toBeGreaterThanOrEqual(Math.floor(before / 1_000));
    expect(created).toBeLessThanOrEqual(Date.now() / 1_000);
  });

  test("refuses a short poll of a queue with too many messages in flight, and no long poll", async () => {
    using _ = allowInFlight(1);
    const sqs = start();
    expect(await sqs.ask("ReceiveMessage", { QueueUrl })).toMatchObject({ status: 200, output: {} });
    for (const body of ["a", "b"]) sqs.service.store.send("q", { body });
    expect((await sqs.output("ReceiveMessage", { QueueUrl })).Messages).toHaveLength(1);
    expect(await sqs.refusal("ReceiveMessage", { QueueUrl })).toMatch(/^OverLimit: /);
    vi.spyOn(sqs.service.store, "receiveOrWait").mockResolvedValue([]);
    expect((await sqs.ask("ReceiveMessage", { QueueUrl, WaitTimeSeconds: 1 })).output).toEqual({});
  });

  test("gives an answer whose receives can be undone", async () => {
    const { service } = start();
    service.store.send("q", { body: "x" });
    const receive = () => JSON.stringify({ QueueUrl });
    const reply = await service.respond({ target: "AmazonSQS.ReceiveMessage", trace: undefined }, receive, never);
    expect(service.store.counts("q")).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
    reply?.undo?.();
    expect(service.store.counts("q")).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
    const [again] = service.store.receive({ queue: "q", max: 1 });
    expect(again?.systemAttributes.ApproximateReceiveCount).toBe("1");
    service.store.deleteQueue("q");
    // After that, there is nothing to undo, also not in a new queue of the same name.
    reply?.undo?.();
    service.store.createQueue("q");
    service.store.send("q", { body: "y" });
    reply?.undo?.();
    expect(service.store.counts("q")).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
    service.store.close();
    reply?.undo?.();
  });
});

describe("a request in the server's process", () => {
  const reply: Reply = { status: 200, headers: { "x-amzn-query-error": "a;Sender" }, output: { a: "ü" } };

  /** A handler, and what the service was asked. */
  function handler(answer: Reply | undefined = reply) {
    const asked: { headers: RequestHeaders; body: string }[] = [];
    const { handle, ...rest } = inProcess({
      respond: async (headers, read) => {
        asked.push({ headers, body: await read() });
        return answer;
      },
    });
    return { handle, rest, asked };
  }

  test("is answered with a status, headers and a body", async () => {
    const { handle, asked } = handler();
    const headers = { "x-amz-target": "AmazonSQS.ListQueues", "X-Amzn-Trace-Id": "Root=1" };
    const { response } = await handle({ headers, body: new TextEncoder().encode('{"a":"ü"}') });
    expect(asked).toEqual([{ headers: { target: "AmazonSQS.ListQueues", trace: "Root=1" }, body: '{"a":"ü"}' }]);
    expect({ ...response, body: new TextDecoder().decode(response.body) }).toEqual({
      statusCode: 200,
      headers: { "x-amzn-query-error": "a;Sender", "content-type": "application/x-amz-json-1.0" },
      body: '{"a":"ü"}',
    });
  });

  test("may have its trace in lower case, a text as its body, or none", async () => {
    const { handle, asked } = handler();
    await handle({ headers: { "x-amzn-trace-id": "Root=2" }, body: "{}" }, {});
    await handle({ headers: {} });
    expect(asked).toEqual([
      { headers: { target: undefined, trace: "Root=2" }, body: "{}" },
      { headers: { target: undefined, trace: undefined }, body: "" },
    ]);
  });

  test("fails like a closed connection if its answer is lost", async () => {
    const { handle } = inProcess({ respond: async () => undefined });
    await expect(handle({ headers: {} })).rejects.toMatchObject({
      message: "the connection was closed before the answer",
      code: "ECONNRESET",
    });
  });

  test("fails as aborted if its caller has given up, before or meanwhile", async () => {
    const aborted = { name: "AbortError", message: "the request was aborted" };
    const { handle, asked } = handler();
    await expect(handle({ headers: {} }, { abortSignal: AbortSignal.abort() })).rejects.toMatchObject(aborted);
    expect(asked).toEqual([]);
    for (const answer of [undefined, reply]) {
      const gone = new AbortController();
      const late = inProcess({
        respond: async () => {
          gone.abort();
          await nextTurn();
          return answer;
        },
      });
      await expect(late.handle({ headers: {} }, { abortSignal: gone.signal })).rejects.toMatchObject(aborted);
    }
  });

  test("has what a client of the SDK asks its handler for", () => {
    const { rest } = handler();
    expect(rest.metadata).toEqual({ handlerProtocol: "in-process" });
    expect(rest.httpHandlerConfigs()).toEqual({});
    rest.updateHttpClientConfig();
    rest.destroy();
  });
});
