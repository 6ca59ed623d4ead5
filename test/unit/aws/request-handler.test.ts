import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
import { GetQueueAttributesCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { HttpRequest } from "@smithy/core/protocols";
import { expect, test } from "vitest";
import { clientConfig } from "../../../shared/aws/client-config.ts";
import { sendCommand } from "../../../shared/aws/fast-path.ts";
import { RequestHandler, type RequestHandlerOptions } from "../../../shared/aws/request-handler.ts";
import { CONNECTION_TIMEOUT_MILLISECONDS, requestTimeoutOf } from "../../../shared/aws/timeouts.ts";
import { httpServer, silentServer, unreachableServer } from "../../helpers/silent-servers.ts";

/** For requests that are not answered. */
const SHORT = { requestTimeoutMilliseconds: 100 };
/** For requests of which some are answered: a busy machine takes its time. */
const LONGER = { requestTimeoutMilliseconds: 1_500 };

const setup = (endpoint: string, options: RequestHandlerOptions) => ({
  ...clientConfig(options),
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "id", secretAccessKey: "secret" },
});
const sqs = (endpoint: string, options: RequestHandlerOptions = SHORT) => new SQSClient(setup(endpoint, options));
const depth = (client: SQSClient) =>
  client.send(new GetQueueAttributesCommand({ QueueUrl: "http://127.0.0.1/0/queue", AttributeNames: ["All"] }));

const answer = (response: ServerResponse) =>
  response.setHeader("content-type", "application/x-amz-json-1.0").end('{"Attributes":{"DelaySeconds":"0"}}');

test("a request to a server that accepts and never answers fails with TimeoutError, after its retries", async () => {
  const { endpoint, connections, open } = await silentServer();

  await expect(depth(sqs(endpoint))).rejects.toMatchObject({ name: "TimeoutError", $metadata: { attempts: 4 } });
  expect(connections()).toBe(4);
  // None is left that would go on waiting.
  await expect.poll(open).toBe(0);
});

test("a request to a server that never accepts fails after the connection timeout", async () => {
  const { hostname, port } = new URL(await unreachableServer());
  const request = new HttpRequest({ method: "POST", protocol: "http:", hostname, port: Number(port), path: "/" });

  await expect(new RequestHandler().handle(request)).rejects.toMatchObject({
    name: "TimeoutError",
    message: expect.stringContaining(`${CONNECTION_TIMEOUT_MILLISECONDS} ms`),
  });
});

test("a response whose body stops half way fails with TimeoutError", async () => {
  let requests = 0;
  const endpoint = await httpServer((_, response) => {
    requests++;
    response.setHeader("content-length", 100).write('{"Item"');
  });
  const client = new DynamoDBClient(setup(endpoint, SHORT));

  await expect(client.send(new GetItemCommand({ TableName: "ledger", Key: { pk: { S: "a" } } }))).rejects.toMatchObject(
    { name: "TimeoutError" },
  );
  expect(requests).toBe(4);
});

test("a long poll has its wait in addition to the time of a request", async () => {
  const endpoint = await httpServer((_, response) => setTimeout(() => response.end("{}"), 300));
  const client = sqs(endpoint);
  const QueueUrl = "http://127.0.0.1/0/queue";

  await expect(sendCommand(client, ReceiveMessageCommand, { QueueUrl, WaitTimeSeconds: 1 })).resolves.toBeDefined();
  await expect(sendCommand(client, ReceiveMessageCommand, { QueueUrl })).rejects.toMatchObject({
    name: "TimeoutError",
  });
  expect(requestTimeoutOf({ WaitTimeSeconds: 20 })).toBe(25_000);
  expect(requestTimeoutOf({})).toBe(5_000);
});

/** Answers on new connections, and never again on one that was used before `turnSilent`. */
async function forgetfulServer() {
  const known = new Set<Socket>();
  const dead = new Set<Socket>();
  const log: string[] = [];
  const endpoint = await httpServer(({ socket }, response) => {
    known.add(socket);
    log.push(dead.has(socket) ? "on a dead connection" : "answered");
    if (!dead.has(socket)) answer(response);
  });
  const turnSilent = () => {
    for (const socket of known) dead.add(socket);
  };
  return { endpoint, log, turnSilent };
}

test("a request after a freeze uses a new connection at once", async () => {
  const { endpoint, log, turnSilent } = await forgetfulServer();
  let time = 0;
  const client = sqs(endpoint, { now: () => time });
  await Promise.all([depth(client), depth(client), depth(client)]);

  turnSilent();
  time += 60_000;

  await expect(depth(client)).resolves.toMatchObject({ Attributes: { DelaySeconds: "0" } });
  expect(log).toEqual(["answered", "answered", "answered", "answered"]);
});

test("if several connections died unnoticed, the first timeout leads to a new connection", async () => {
  const { endpoint, log, turnSilent } = await forgetfulServer();
  const client = sqs(endpoint, LONGER);
  await Promise.all([depth(client), depth(client), depth(client)]);

  turnSilent();

  await expect(depth(client)).resolves.toMatchObject({ $metadata: { attempts: 2 } });
  expect(log.slice(3)).toEqual(["on a dead connection", "answered"]);
});

test("connections in use are kept alive between requests", async () => {
  const sockets = new Set<Socket>();
  const endpoint = await httpServer(({ socket }, response) => {
    sockets.add(socket);
    answer(response);
  });
  const client = sqs(endpoint, LONGER);
  for (let request = 0; request < 3; request++) {
    await depth(client);
    await nextTurn();
  }

  expect(sockets.size).toBe(1);
});

test("a response that arrived while a task blocked the event loop is used", async () => {
  let requests = 0;
  const blocked = Promise.withResolvers<void>();
  const endpoint = await httpServer((_, response) => {
    requests++;
    answer(response);
    // The server's answer is in the kernel's buffers when the loop is blocked beyond the timeout.
    setImmediate(() => {
      for (const start = performance.now(); performance.now() - start < 2_000; );
      blocked.resolve();
    });
  });
  const client = sqs(endpoint, LONGER);
  await Promise.all([depth(client), blocked.promise]);

  expect(requests).toBe(1);
});

test("a caller's signal aborts a request", async () => {
  const { endpoint } = await silentServer();
  const client = sqs(endpoint, {});
  const sent = client.send(new GetQueueAttributesCommand({ QueueUrl: "http://127.0.0.1/0/queue" }), {
    abortSignal: AbortSignal.timeout(20),
  });

  await expect(sent).rejects.toMatchObject({ name: "AbortError" });
});
