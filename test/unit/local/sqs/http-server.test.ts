import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SqsServer, startSqsServer } from "../../../../local/sqs/http-server.ts";

let server: SqsServer;

beforeAll(async () => {
  server = await startSqsServer({ file: ":memory:", accessKeyId: "key" });
  server.store.createQueue("q");
});
afterAll(() => server.close());

const authorization = "AWS4-HMAC-SHA256 Credential=key/20261127/us-east-1/sqs/aws4_request";

function post(action: string, input: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(server.endpoint, {
    method: "POST",
    headers: { authorization, "x-amz-target": `AmazonSQS.${action}`, ...headers },
    body: JSON.stringify({ QueueUrl: server.queueUrl("q"), ...input }),
  });
}

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html */
describe("an answer over HTTP", () => {
  test("has the headers of the protocol", async () => {
    expect(server.queueUrl("q")).toBe(`${server.endpoint}/000000000000/q`);
    const answers = [await post("GetQueueUrl", { QueueName: "q" }), await post("GetQueueUrl", { QueueName: "q" })];
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-type")).toBe("application/x-amz-json-1.0");
      expect(answer.headers.get("x-amzn-requestid")).toMatch(/^[0-9a-f-]{36}$/);
      expect(await answer.json()).toEqual({ QueueUrl: server.queueUrl("q") });
    }
    expect(new Set(answers.map(({ headers }) => headers.get("x-amzn-requestid"))).size).toBe(2);
  });

  test("has the length of its bytes, and not of its characters", async () => {
    server.store.send("q", { body: "Zürich 😀" });
    const answer = await post("ReceiveMessage", {});
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect(answer.headers.get("content-length")).toBe(`${bytes.length}`);
    expect(JSON.parse(bytes.toString()).Messages[0].Body).toBe("Zürich 😀");
    server.store.purge("q");
  });

  test("to a refused request names the code of the older protocol", async () => {
    const answer = await post("GetQueueUrl", { QueueName: "none" });
    expect(answer.status).toBe(400);
    expect(answer.headers.get("x-amzn-query-error")).toBe("AWS.SimpleQueueService.NonExistentQueue;Sender");
    expect(answer.headers.get("content-type")).toBe("application/x-amz-json-1.0");
    expect(await answer.json()).toEqual({
      __type: "com.amazonaws.sqs#QueueDoesNotExist",
      message: "The specified queue does not exist.",
    });
  });

  test("is refused without the server's key, and without an effect", async () => {
    const other = authorization.replace("key", "other");
    const answer = await post("SendMessage", { MessageBody: "x" }, { authorization: other });
    expect(answer.status).toBe(403);
    expect(server.store.counts("q")).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });

  test("is closed without a byte if a fault lost it", async () => {
    server.faults.set({ lostResponse: 1 });
    await expect(post("SendMessage", { MessageBody: "x" })).rejects.toThrow();
    server.faults.clear();
    expect(server.store.counts("q").visible).toBe(1);
    server.store.purge("q");
  });
});

describe("a request over HTTP", () => {
  test("carries the trace of its sender", async () => {
    await post("SendMessage", { MessageBody: "x" }, { "x-amzn-trace-id": "Root=1" });
    const [message] = server.store.receive({ queue: "q", max: 1 });
    expect(message?.systemAttributes.AWSTraceHeader).toBe("Root=1");
    server.store.purge("q");
  });

  test("may come in parts, and others may follow on its connection", async () => {
    const { port } = new URL(server.endpoint);
    const socket = connect(Number(port), "127.0.0.1");
    await once(socket, "connect");
    // Otherwise the second part waits for the acknowledgement of the first one.
    socket.setNoDelay();
    let received = "";
    socket.on("data", (data) => {
      received += data;
    });
    const answers = () => received.match(/"MessageId"/g)?.length ?? 0;
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on("warning", onWarning);
    for (let request = 1; request <= 12; request++) {
      const body = Buffer.from(JSON.stringify({ QueueUrl: "x/q", MessageBody: "ü" }));
      const head = [
        "POST / HTTP/1.1",
        "host: localhost",
        `authorization: ${authorization}`,
        "x-amz-target: AmazonSQS.SendMessage",
        `content-length: ${body.length}`,
      ];
      // The second part begins within the letter.
      const middle = body.indexOf("ü") + 1;
      socket.write(`${head.join("\r\n")}\r\n\r\n`);
      socket.write(body.subarray(0, middle));
      await new Promise((resolve) => setImmediate(resolve));
      socket.write(body.subarray(middle));
      await expect.poll(answers, { interval: 1 }).toBe(request);
    }
    socket.destroy();
    process.off("warning", onWarning);
    // Node warns of a connection to which each request adds a listener.
    expect(warnings).toEqual([]);
    const bodies = server.store.receive({ queue: "q", max: 20 }).map(({ body }) => body);
    expect(bodies).toEqual(Array.from({ length: 12 }, () => "ü"));
    server.store.purge("q");
  });

  test("that ends early has no effect, and does not keep the server from answering", async () => {
    const { port } = new URL(server.endpoint);
    const socket = connect(Number(port), "127.0.0.1");
    await once(socket, "connect");
    const head = `POST / HTTP/1.1\r\nhost: localhost\r\nauthorization: ${authorization}\r\nx-amz-target: AmazonSQS.SendMessage`;
    socket.write(`${head}\r\ncontent-length: 100\r\n\r\n{"QueueUrl":"x/q","MessageBody":"x"}`);
    await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    await once(socket, "close");
    expect((await post("ListQueues", {})).status).toBe(200);
    expect(server.store.counts("q").visible).toBe(0);
  });
});

describe("the server", () => {
  test("can be closed twice, and its store is then closed", async () => {
    const other = await startSqsServer({ file: ":memory:", accessKeyId: "key" });
    const closing = other.close();
    expect(other.close()).toBe(closing);
    await closing;
    expect(() => other.store.createQueue("q")).toThrow();
    await expect(fetch(other.endpoint)).rejects.toThrow();
  });

  test("does not start with a file that cannot be opened", async () => {
    await expect(startSqsServer({ file: "/none/such/file", accessKeyId: "key" })).rejects.toThrow(
      "unable to open database file",
    );
  });
});
