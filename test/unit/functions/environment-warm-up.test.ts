import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { warmUpCode, warmUpConnections } from "../../../functions/environment-warm-up.ts";
import { DynamoDbStore } from "../../../shared/aws/dynamodb-table.ts";
import type { Blueprints } from "../../../shared/aws/fast-path.ts";
import { Queue } from "../../../shared/aws/queue.ts";

const REQUESTS = "http.client.request.start";

beforeEach(() => {
  vi.stubEnv("AWS_REGION", "eu-central-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "nobody");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "nothing");
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

test("the warm-up of the code makes every request that an invocation makes, and none of them reaches AWS", async () => {
  const left = vi.fn();
  subscribe(REQUESTS, left);
  const received = vi.spyOn(Queue.prototype, "receive");
  const sent = vi.spyOn(Queue.prototype, "sendEach");
  const deleted = vi.spyOn(Queue.prototype, "deleteAll");
  const hidden = vi.spyOn(Queue.prototype, "changeVisibility");
  const written = vi.spyOn(DynamoDbStore.prototype, "update");
  const read = vi.spyOn(DynamoDbStore.prototype, "get");

  const queueUrl = "https://sqs.eu-central-1.amazonaws.com/000000000000/queue";
  const blueprints: Blueprints = new Map();
  await warmUpCode({ queueUrl, table: "ledger" }, blueprints);

  unsubscribe(REQUESTS, left);
  expect(left).not.toHaveBeenCalled();
  // The answers are such as AWS would give: they are read to their end.
  expect(await received.mock.results[0]?.value).toContainEqual(
    expect.objectContaining({ id: "9", body: "{}", receiveCount: 1 }),
  );
  expect(await sent.mock.results[0]?.value).toEqual(new Map());
  expect(await deleted.mock.results[0]?.value).toEqual([]);
  // A producer's first request hides its control message.
  expect(await hidden.mock.results[0]?.value).toBeUndefined();
  expect(hidden).toHaveBeenCalled();
  expect(await written.mock.results[0]?.value).toMatchObject({ size: 1, done: new Set([0, 1]), ended: false });
  expect(await read.mock.results[0]?.value).toEqual({ id: "0", size: 1 });
  // The function's own first requests need not show what they look like.
  for (const command of ["SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch", "GetQueueAttributes"]) {
    expect(blueprints.get(`${command}Command ${queueUrl}`)?.request.hostname).toBe("sqs.eu-central-1.amazonaws.com");
  }
  for (const command of ["GetItem", "UpdateItem"]) {
    const { request } = blueprints.get(`${command}Command ledger`) ?? {};
    expect(request?.hostname).toBe("dynamodb.eu-central-1.amazonaws.com");
  }
});

test("the warm-up of the connections opens as many as the function needs, even where every request fails", async () => {
  let underWay = 0;
  let most = 0;
  const depth = async () => {
    most = Math.max(most, ++underWay);
    await new Promise(setImmediate);
    underWay--;
    throw new Error("no network");
  };
  const queue = { depth } as unknown as Queue;
  const store = { get: depth, update: depth } as never;
  await warmUpConnections({ store, queue, controlQueue: queue }, 7, 20_000);
  expect(most).toBe(7);
});

test("the warm-up of the connections sends requests to the control queue only if the function uses it", async () => {
  const depth = vi.fn(async () => 0);
  const controlDepth = vi.fn(async () => 0);
  const queue = { depth } as unknown as Queue;
  const controlQueue = { depth: controlDepth } as unknown as Queue;
  const store = { get: depth, update: depth } as never;

  await warmUpConnections({ store, queue }, 7, 20_000);
  expect(controlDepth).not.toHaveBeenCalled();
  await warmUpConnections({ store, queue, controlQueue }, 7, 20_000);
  expect(controlDepth).toHaveBeenCalled();
});

test("the warm-up of the connections ends in time where no request is answered", async () => {
  const depth = vi.fn(() => new Promise<never>(() => {}));
  const queue = { depth } as unknown as Queue;
  const store = { get: depth, update: depth } as never;

  await warmUpConnections({ store, queue, controlQueue: queue }, 7, 20);

  // Nothing else is asked for.
  expect(depth).toHaveBeenCalledTimes(4);
});

test("the warm-up of the code runs one round where no time is left", async () => {
  const read = vi.spyOn(DynamoDbStore.prototype, "get");
  const queueUrl = "https://sqs.eu-central-1.amazonaws.com/000000000000/queue";

  await warmUpCode({ queueUrl, table: "ledger" }, new Map(), () => true);

  expect(read).toHaveBeenCalledTimes(1);
});
