import { setTimeout } from "node:timers/promises";
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type SqsServer, startSqsServer } from "../../../local/sqs/http-server.ts";
import { inProcess } from "../../../local/sqs/in-process-handler.ts";
import { Faults } from "../../../local/sqs/injected-faults.ts";

let server: SqsServer;
let client: SQSClient;
let QueueUrl: string;

beforeEach(async () => {
  server = await startSqsServer({ file: ":memory:", accessKeyId: "test", faults: new Faults({ seed: 1 }) });
  server.store.createQueue("q", {});
  QueueUrl = server.queueUrl("q");
  client = new SQSClient({
    // Nobody listens there: what is answered was answered in this process.
    endpoint: "http://127.0.0.1:1",
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    requestHandler: server.requestHandler,
    maxAttempts: 5,
  });
});

afterEach(async () => {
  client.destroy();
  await server.close();
});

const send = (MessageBody: string) => client.send(new SendMessageCommand({ QueueUrl, MessageBody }));
const receive = (WaitTimeSeconds = 0) => new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds });

describe("a client in the server's process", () => {
  it("is answered as over HTTP", async () => {
    await send("Zürich 🏔 — «Œuvre»");
    const { Messages = [] } = await client.send(receive());
    expect(Messages.map(({ Body }) => Body)).toEqual(["Zürich 🏔 — «Œuvre»"]);
  });

  it("is refused as over HTTP", async () => {
    await expect(
      client.send(new SendMessageCommand({ QueueUrl: server.queueUrl("none"), MessageBody: "x" })),
    ).rejects.toMatchObject({ name: "QueueDoesNotExist", $metadata: { httpStatusCode: 400 } });
  });

  it("tries again if a fault lost the answer or the service failed", async () => {
    server.faults.set({ lostResponse: 0.4, internalFailure: 0.1 });
    for (let sent = 0; sent < 10; sent++) await send("x");
    server.faults.clear();
    // Some of those whose answer was lost took effect twice.
    expect(server.store.counts("q").visible).toBeGreaterThan(10);
  });

  it("gives back messages that it received but no longer wants", async () => {
    const gone = new AbortController();
    const undo = vi.fn();
    const respond = async () => {
      gone.abort();
      return { status: 200, headers: {}, output: {}, undo };
    };
    const { handle } = inProcess({ respond });
    await expect(handle({ headers: {} }, { abortSignal: gone.signal })).rejects.toThrow("the request was aborted");
    expect(undo).toHaveBeenCalledOnce();
  });

  it("sends no request that was aborted before", async () => {
    const abortSignal = AbortSignal.abort();
    await expect(
      client.send(new SendMessageCommand({ QueueUrl, MessageBody: "x" }), { abortSignal }),
    ).rejects.toThrow();
    await setTimeout(20);
    expect(server.store.counts("q").visible).toBe(0);
  });

  it("lets timers fire, however many requests follow each other", async () => {
    let fired = false;
    const timer = setTimeout(1).then(() => {
      fired = true;
    });
    while (!fired) await send("x");
    await timer;
  });
});
