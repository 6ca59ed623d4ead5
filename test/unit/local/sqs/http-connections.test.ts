import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { Server, ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type SqsServer, startSqsServer } from "../../../../local/sqs/http-server.ts";
import { QueueStore } from "../../../../local/sqs/queue-store.ts";
import { SqsService } from "../../../../local/sqs/sqs-service.ts";
import { PATIENTLY } from "../../../helpers/patience.ts";

const authorization = "AWS4-HMAC-SHA256 Credential=key/20261127/us-east-1/sqs/aws4_request";
const AT_ONCE = { ...PATIENTLY, interval: 1 };

let server: SqsServer;
/** The server's sides of the connections. */
let accepted: Socket[];
/** https://nodejs.org/api/diagnostics_channel.html#net */
const onAccepted = (message: unknown) => void accepted.push((message as { readonly socket: Socket }).socket);

beforeEach(async () => {
  server = await startSqsServer({ file: ":memory:", accessKeyId: "key" });
  accepted = [];
  subscribe("net.server.socket", onAccepted);
});
afterEach(async () => {
  unsubscribe("net.server.socket", onAccepted);
  vi.restoreAllMocks();
  await server.close();
});

/** A client that speaks over one connection. */
async function client() {
  const { hostname, port } = new URL(server.endpoint);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const serverSide = await vi.waitFor(() => lastOf(accepted), AT_ONCE);
  const ask = (action: string, input: object = {}) => {
    const body = JSON.stringify({ QueueUrl: "http://sqs/000000000000/q", ...input });
    const target = `x-amz-target: AmazonSQS.${action}`;
    const head = ["POST / HTTP/1.1", "host: localhost", `authorization: ${authorization}`, target];
    socket.write(`${head.join("\r\n")}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  };
  return {
    socket,
    ask,
    answer: async (action: string, input: object = {}) => {
      ask(action, input);
      let text = "";
      while (!text.endsWith("}")) text += String((await once(socket, "data"))[0]);
      return text;
    },
    /** Ends the connection in some way, and waits until the server knows it. */
    end: async (way: (socket: Socket) => void) => {
      const ended = new Promise((resolve) => serverSide.once("close", resolve));
      way(socket);
      await ended;
    },
  };
}

function lastOf(sockets: readonly Socket[]): Socket {
  const last = sockets.at(-1);
  if (last === undefined) throw new Error("the server has not accepted the connection");
  return last;
}

const reset = (socket: Socket) => socket.resetAndDestroy();

function createQueueWith(...bodies: string[]): void {
  server.store.createQueue("q");
  for (const body of bodies) server.store.send("q", { body });
}

describe("a client that resets its connection", () => {
  const answered = async (millisecondsLater: number) => {
    createQueueWith("a");
    const time = vi.spyOn(performance, "now").mockReturnValue(5_000);
    const poller = await client();
    expect(await poller.answer("ReceiveMessage")).toContain('"Body":"a"');
    time.mockReturnValue(5_000 + millisecondsLater);
    return poller;
  };

  test("right after an answer was written has not read it, so its messages are visible again", async () => {
    const { end } = await answered(99);
    await end(reset);
    expect(server.store.counts("q")).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
  });

  test("a while after an answer keeps its messages", async () => {
    const { end } = await answered(100);
    await end(reset);
    expect(server.store.counts("q")).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
  });

  test("after another request has read the answer before, so it keeps its messages", async () => {
    const { answer, end } = await answered(0);
    expect(await answer("ListQueues")).toContain("QueueUrls");
    await end(reset);
    expect(server.store.counts("q")).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
  });

  test("before an answer gets no message that arrives later", async () => {
    createQueueWith();
    const receives = vi.spyOn(server.store, "receiveOrWait");
    const { ask, end } = await client();
    ask("ReceiveMessage", { WaitTimeSeconds: 20 });
    await vi.waitFor(() => expect(receives).toHaveBeenCalledOnce(), AT_ONCE);
    await end(reset);
    server.store.send("q", { body: "a" });
    expect(await receives.mock.results[0]?.value).toEqual([]);
    expect(server.store.counts("q")).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
  });

  test("without a request, or after an answer without messages, changes nothing", async () => {
    createQueueWith();
    const { end } = await client();
    await end(reset);
    accepted = [];
    const poller = await client();
    expect(await poller.answer("ReceiveMessage")).toContain("200 OK");
    await poller.end(reset);
    expect(server.store.counts("q")).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });
});

describe("a client that closes its connection", () => {
  test("after an answer keeps its messages", async () => {
    createQueueWith("a");
    const { answer, end } = await client();
    expect(await answer("ReceiveMessage")).toContain('"Body":"a"');
    await end((socket) => socket.end());
    expect(server.store.counts("q")).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
  });

  test("within its request is not waited for", async () => {
    const respond = vi.spyOn(SqsService.prototype, "respond");
    const { socket, end } = await client();
    const head = `POST / HTTP/1.1\r\nhost: localhost\r\nauthorization: ${authorization}\r\ncontent-length: 100\r\n\r\n{`;
    socket.write(head);
    await vi.waitFor(() => expect(respond).toHaveBeenCalledOnce(), AT_ONCE);
    await end((socket) => socket.destroy());
    expect(await respond.mock.results[0]?.value).toMatchObject({ status: 500 });
  });
});

describe("a connection that is lost", () => {
  test("while an answer is written gives the messages back", async () => {
    createQueueWith("a");
    vi.spyOn(ServerResponse.prototype, "end").mockImplementation(function (this: ServerResponse) {
      return this.destroy();
    });
    const { ask, end } = await client();
    await end(() => ask("ReceiveMessage"));
    expect(server.store.counts("q")).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
  });
});

describe("a request that cannot be answered", () => {
  const post = (headers: Record<string, string>) =>
    fetch(server.endpoint, { method: "POST", headers: { authorization, ...headers }, body: '{"QueueUrl":"x/q"}' });

  test("names no action, and is refused", async () => {
    const answer = await post({});
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ __type: "com.amazonaws.sqs#UnknownOperationException" });
  });

  test("has an answer that cannot be written, and its connection is closed", async () => {
    vi.spyOn(server.store, "tags").mockReturnValue({ a: 1n as unknown as string });
    await expect(post({ "x-amz-target": "AmazonSQS.ListQueueTags" })).rejects.toThrow();
  });
});

describe("the server", () => {
  test("listens on the loopback interface only", async () => {
    const listen = vi.spyOn(Server.prototype, "listen");
    const other = await startSqsServer({ file: ":memory:", accessKeyId: "key" });
    const [listening] = listen.mock.contexts as [Server];
    expect(listening.address()).toMatchObject({ address: "127.0.0.1" });
    await other.close();
  });

  test("closes its file if it cannot listen, and says why", async () => {
    const closed = vi.spyOn(QueueStore.prototype, "close");
    vi.spyOn(Server.prototype, "listen").mockImplementation(function (this: Server) {
      setImmediate(() => this.emit("error", new Error("no port is free")));
      return this;
    });
    await expect(startSqsServer({ file: ":memory:", accessKeyId: "key" })).rejects.toThrow("no port is free");
    expect(closed).toHaveBeenCalledOnce();
  });
});
