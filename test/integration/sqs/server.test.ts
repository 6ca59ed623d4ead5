import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SqsServer, startSqsServer } from "../../../local/sqs/http-server.ts";
import { Faults } from "../../../local/sqs/injected-faults.ts";
import { Peer, refusal, type TestQueue } from "./peer.ts";

let server: SqsServer;
let peer: Peer;
let queue: TestQueue;

beforeEach(async () => {
  server = await startSqsServer({ file: ":memory:", accessKeyId: "test", faults: new Faults({ seed: 1 }) });
  peer = new Peer(server.endpoint);
  queue = await peer.queue();
});

afterEach(async () => {
  peer.client.destroy();
  await server.close();
});

/** All that the server wants to know of it is the key. */
const AUTHORIZATION = { authorization: "AWS4-HMAC-SHA256 Credential=test/20261127/us-east-1/sqs/aws4_request" };

function post(target: string, body: string): Promise<Response> {
  return fetch(server.endpoint, {
    method: "POST",
    headers: { ...AUTHORIZATION, "content-type": "application/x-amz-json-1.0", "x-amz-target": target },
    body,
  });
}

describe("the server", () => {
  it("listens on the loopback interface only", () => {
    expect(new URL(server.endpoint).hostname).toBe("127.0.0.1");
  });

  it("accepts the URL of a queue of an earlier start, with another port", async () => {
    const earlier = { ...queue, url: `http://localhost:1/000000000000/${queue.name}` };
    await peer.send(earlier, "x");
    expect((await peer.receiveOne(earlier)).Body).toBe("x");
  });

  it("refuses a body that is no JSON object with SerializationException", async () => {
    for (const body of ["nonsense", "[]", '"text"', '{"QueueUrl":7}']) {
      const response = await post("AmazonSQS.SendMessage", body);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ __type: "com.amazonaws.sqs#SerializationException" });
    }
  });

  it("does not wait for a client that never ends its request", async () => {
    const short = await startSqsServer({ file: ":memory:", accessKeyId: "test", requestTimeoutMilliseconds: 10 });
    const { hostname, port } = new URL(short.endpoint);
    for (const part of [
      "",
      "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n",
      "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{",
    ]) {
      const socket = connect(Number(port), hostname);
      socket.write(part);
      socket.resume();
      await once(socket, "close");
    }
    await short.close();
  });

  it("refuses a request that is too long, and continues", async () => {
    const response = await post("AmazonSQS.SendMessage", "x".repeat(17 * 1_048_576));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      __type: "com.amazonaws.sqs#SerializationException",
      message: "The request is too long.",
    });
    expect((await post("AmazonSQS.ListQueues", "{}")).status).toBe(200);
  });

  it("names a missing parameter", async () => {
    const response = await post("AmazonSQS.SendMessage", JSON.stringify({ QueueUrl: queue.url }));
    expect(response.headers.get("x-amzn-query-error")).toBe("MissingParameter;Sender");
    expect(await response.json()).toMatchObject({ message: "The request must contain the parameter MessageBody." });
  });

  it("knows no action by a name that every object has", async () => {
    const response = await post("AmazonSQS.constructor", "{}");
    expect(await response.json()).toMatchObject({ __type: "com.amazonaws.sqs#UnknownOperationException" });
  });

  it("ends polls when it closes", async () => {
    const poll = peer.receive(queue, { WaitTimeSeconds: 20 });
    await peer.counts(queue);
    const refused = refusal(poll);
    await server.close();
    expect(await refused).toBeTruthy();
  });
});

describe("a client that leaves", () => {
  /** A long poll over a bare connection, on its way when this returns. */
  async function request() {
    const { port } = new URL(server.endpoint);
    const body = JSON.stringify({ QueueUrl: queue.url, WaitTimeSeconds: 20, MaxNumberOfMessages: 10 });
    const socket = connect(Number(port), "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    const head = [
      "POST / HTTP/1.1",
      "host: localhost",
      `authorization: ${AUTHORIZATION.authorization}`,
      "x-amz-target: AmazonSQS.ReceiveMessage",
      `content-length: ${body.length}`,
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
    return socket;
  }

  /** The same, once the server has it. */
  async function poll() {
    const socket = await request();
    await peer.counts(queue);
    await peer.counts(queue);
    return socket;
  }

  const untouched = { Body: "x", Attributes: { ApproximateReceiveCount: "1" } };

  it("gets nothing when a message arrives in the same tick of the event loop", async () => {
    const socket = await poll();
    // Both happen before the server reads from any socket again.
    socket.destroy();
    server.store.send(queue.name, { body: "x" });
    expect(await peer.receiveOne(queue)).toMatchObject(untouched);
  });

  it("gets nothing when it closes its side of the connection", async () => {
    const socket = await poll();
    socket.end();
    server.store.send(queue.name, { body: "x" });
    expect(await peer.receiveOne(queue)).toMatchObject(untouched);
    socket.destroy();
  });

  it("gets no message that was there if it leaves right after its request", async () => {
    server.store.send(queue.name, { body: "x" });
    for (let turn = 0; turn < 20; turn++) {
      const socket = await request();
      socket.destroy();
      await once(socket, "close");
    }
    expect(await peer.receiveOne(queue)).toMatchObject(untouched);
  });

  it("gives back messages that were written but never read", async () => {
    const socket = await poll();
    socket.pause();
    // Far more than the buffers of both sides hold.
    const body = "x".repeat(1_000_000);
    server.store.sendBatch(
      queue.name,
      Array.from({ length: 10 }, () => ({ body })),
    );
    await expect.poll(() => server.store.counts(queue.name).inFlight).toBe(10);
    socket.destroy();
    await expect.poll(() => server.store.counts(queue.name)).toEqual({ visible: 10, inFlight: 0, delayed: 0 });
    const [message] = server.store.receive({ queue: queue.name, max: 1 });
    expect(message?.systemAttributes.ApproximateReceiveCount).toBe("1");
  });

  it("keeps messages that it read, even if its connection is reset later", async () => {
    const socket = await poll();
    server.store.send(queue.name, { body: "x" });
    await once(socket, "data");
    await new Promise((resolve) => setTimeout(resolve, 150));
    socket.resetAndDestroy();
    await peer.counts(queue);
    expect(server.store.counts(queue.name).inFlight).toBe(1);
  });
});

describe("injected faults of requests", () => {
  it("throttle", async () => {
    server.faults.set({ throttle: 1 });
    expect(await refusal(peer.send(queue, "x"))).toBe("RequestThrottled");
    server.faults.clear();
    expect(await peer.counts(queue)).toEqual([0, 0, 0]);
  });

  it("are retried by the SDK", async () => {
    const client = new SQSClient({
      endpoint: server.endpoint,
      region: "us-east-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
      maxAttempts: 5,
    });
    server.faults.set({ internalFailure: 0.3, throttle: 0.1 });
    for (let i = 0; i < 5; i++) await client.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: "x" }));
    server.faults.clear();
    expect(await peer.counts(queue)).toEqual([5, 0, 0]);
    client.destroy();
  });

  it("fail with 500", async () => {
    server.faults.set({ internalFailure: 1 });
    const response = await post("AmazonSQS.SendMessage", JSON.stringify({ QueueUrl: queue.url, MessageBody: "x" }));
    expect(response.status).toBe(500);
    server.faults.clear();
    expect(await peer.counts(queue)).toEqual([0, 0, 0]);
  });

  it("lose the answer of a request that took effect", async () => {
    server.faults.set({ lostResponse: 1 });
    await refusal(peer.send(queue, "x"));
    await refusal(peer.receive(queue));
    server.faults.clear();
    expect(await peer.counts(queue)).toEqual([0, 1, 0]);
  });

  it("time a request out that took no effect", async () => {
    server.faults.set({ timeout: 1, timeoutMs: 30 });
    const start = performance.now();
    await refusal(peer.send(queue, "x"));
    expect(performance.now() - start).toBeGreaterThan(25);
    server.faults.clear();
    expect(await peer.counts(queue)).toEqual([0, 0, 0]);
  });

  it("spare excepted actions and queues", async () => {
    const spared = await peer.queue();
    server.faults.set({ throttle: 1, exceptActions: ["GetQueueAttributes"], exceptQueues: [spared.name] });
    await peer.send(spared, "x");
    expect(await peer.counts(queue)).toEqual([0, 0, 0]);
    expect(await refusal(peer.send(queue, "x"))).toBe("RequestThrottled");
  });

  it("are the same for the same seed", () => {
    const met = (seed: number) => {
      const faults = new Faults({ seed, throttle: 0.2, internalFailure: 0.2, lostResponse: 0.2, timeout: 0.2 });
      return Array.from({ length: 100 }, () => faults.ofRequest("SendMessage", "q"));
    };
    expect(met(3)).toEqual(met(3));
    expect(met(3)).not.toEqual(met(4));
    expect(new Set(met(3))).toEqual(new Set([undefined, "throttle", "internalFailure", "lostResponse", "timeout"]));
  });
});

describe("a killed process", () => {
  it("loses no stored message, and its messages in flight are visible again", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sluice-sqs-"));
    const file = join(folder, "sqs.db");
    try {
      const child = fork(join(import.meta.dirname, "killed-sender.ts"), [file]);
      let stored = -1;
      child.on("message", (message) => {
        stored = Number(message);
        if (stored === 500) child.kill("SIGKILL");
      });
      const [, signal] = await once(child, "exit");
      expect(signal).toBe("SIGKILL");

      let now = Date.now();
      const reopened = await startSqsServer({ file, accessKeyId: "test", clock: () => now });
      try {
        const { store } = reopened;
        // A tenth of all, written down by a backoff, keeps its time.
        const backoffs = store.counts("q").inFlight;
        expect(backoffs).toBeGreaterThanOrEqual(50);
        expect(store.releaseOrphans()).toBe(0);
        const received = store.receive({ queue: "q", max: 100_000 });
        expect(received.length + backoffs).toBeGreaterThan(stored);
        expect(received.every(({ systemAttributes }) => systemAttributes.ApproximateReceiveCount === "1")).toBe(true);
        now += 60_000;
        received.push(...store.receive({ queue: "q", max: 100_000 }));
        const bodies = new Set(received.map(({ body }) => body));
        for (let i = 0; i <= stored; i++) expect(bodies.has(`${i}`), `message ${i}`).toBe(true);
        // The order of a group goes on, and so do its sequence numbers and its deduplication.
        const last = store.send("q.fifo", { body: "last", groupId: "g" });
        expect(store.send("q.fifo", { body: "0", groupId: "g" }).sequenceNumber).not.toBe(last.sequenceNumber);
        const ordered = store.receive({ queue: "q.fifo", max: 100_000 });
        expect(ordered.slice(0, stored + 1).map(({ body }) => body)).toEqual(
          Array.from({ length: stored + 1 }, (_, i) => `${i}`),
        );
        expect(ordered.at(-1)?.body).toBe("last");
        const sequences = ordered.map(({ systemAttributes }) => systemAttributes.SequenceNumber ?? "");
        expect(sequences).toEqual([...sequences].sort());
      } finally {
        await reopened.close();
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("leaves its move tasks to the next process", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sluice-sqs-"));
    const file = join(folder, "sqs.db");
    try {
      const arn = (name: string) => `arn:aws:sqs:us-east-1:000000000000:${name}`;
      const first = await startSqsServer({ file, accessKeyId: "test" });
      first.store.createQueue("dead");
      const policy = { deadLetterTargetArn: arn("dead"), maxReceiveCount: 1 };
      first.store.createQueue("q", { RedrivePolicy: JSON.stringify(policy) });
      first.store.sendBatch(
        "dead",
        Array.from({ length: 20 }, (_, i) => ({ body: `${i}` })),
      );
      first.store.moveTasks.start({ sourceArn: arn("dead"), destinationArn: arn("q") });
      await first.close();

      const second = await startSqsServer({ file, accessKeyId: "test" });
      await expect.poll(() => second.store.counts("q").visible).toBe(20);
      expect(second.store.moveTasks.list(arn("dead"))[0]).toMatchObject({ status: "COMPLETED", moved: 20 });
      await second.close();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
