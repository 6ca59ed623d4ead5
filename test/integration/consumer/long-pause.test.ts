import { SQSClient } from "@aws-sdk/client-sqs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { messagesMayBeMissing } from "../../../cli/runs/missing-messages.ts";
import { type SqsServer, startSqsServer } from "../../../local/sqs/http-server.ts";
import { createQueues, queueNames } from "../../../local/workflow-queues.ts";
import { Queue } from "../../../shared/aws/queue.ts";
import { Consumer } from "../../../shared/consumer/consumer.ts";
import { topology } from "../../../shared/definition/topology.ts";
import { defineWorkflow, items } from "../../../shared/index.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { continueEntry, startEntry } from "../../../shared/messages/control.ts";
import { Producer } from "../../../shared/producer/producer.ts";
import { ISOLATED_MODULE } from "../../helpers/consumer-world.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";
import { RecordingMetrics, recordingLogger } from "../../helpers/recording-metrics.ts";
import { workflowOptions } from "../../helpers/workflow-options.ts";

const DAY = 86_400_000;
const START = Date.parse("2026-11-27T08:00:00.000Z");
const ITEMS = 15;
const names = queueNames("test");

let now: number;
let server: SqsServer;
let client: SQSClient;
let world: ReturnType<typeof worldOf>;

/** A run with real queues of the embedded engine, whose messages expire, all by one clock of the test. */
function worldOf() {
  const store = new MemoryStore();
  const clock = () => now;
  const queueOf = (name: string) => new Queue(client, server.queueUrl(name));
  const ran: unknown[] = [];
  const workflow = defineWorkflow(
    workflowOptions({
      source: items(Array.from({ length: ITEMS }, (_, index) => index)),
      task: async (item) => {
        if (Number(item) % 5 === 4 && !ran.includes(item)) {
          ran.push(item);
          throw new Error("not at first");
        }
        ran.push(item);
      },
      retry: { attempts: 3, backoff: { base: { seconds: 1 }, cap: { seconds: 1 } } },
    }),
  );
  const ledger = new Ledger(store, clock);
  const options = {
    workflow,
    ledger,
    runs: ledger.runs,
    queue: queueOf(names.queue),
    deadLetterQueue: queueOf(names.deadLetterQueue),
    controlQueue: queueOf(names.controlQueue),
    controlDeadLetterQueue: queueOf(names.controlDeadLetterQueue),
    logger: recordingLogger(),
    metrics: new RecordingMetrics(),
    now: clock,
    random: () => 0.5,
  };
  const handle = async (entry: { body: string; group: string }) => {
    const producer = new Producer({ ...options, maxBacklog: 1_000 });
    const never = new AbortController().signal;
    const time = { sliceEnd: Number.POSITIVE_INFINITY, signal: never, lost: never };
    await producer.handle({ id: "control", receiveCount: 1, sentAt: clock(), ...entry }, time);
  };
  /** One invocation. Returns how many messages it had. */
  const consume = async (): Promise<number> => {
    const batch = await options.queue.receive({ max: 10, waitSeconds: 0, visibilityTimeoutSeconds: 600 });
    const consumer = new Consumer({
      ...options,
      isolatedModule: ISOLATED_MODULE,
      memoryMb: 256,
      concurrency: 20,
      tasksPerEnvironment: 10,
      taskLogger: () => options.logger,
    });
    const again = new Set(await consumer.consume(batch, now + 600_000));
    const done = batch.filter(({ id }) => !again.has(id)).map(({ receiptHandle }) => receiptHandle);
    if (done.length > 0) await options.queue.deleteAll(done);
    return batch.length;
  };
  return { ...options, handle, consume, ran };
}

beforeEach(async () => {
  now = START;
  server = await startSqsServer({ file: ":memory:", accessKeyId: "test", clock: () => now });
  client = new SQSClient({
    endpoint: server.endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    requestHandler: server.requestHandler,
  });
  createQueues(server.store, names, topology(defineWorkflow(workflowOptions({}))));
  world = worldOf();
});

afterEach(async () => {
  client.destroy();
  await server.close();
});

/** Consumes as messages become visible, until a time, or until none is left. */
async function consumeUntil(end: number): Promise<void> {
  for (;;) {
    while ((await world.consume()) === 10);
    const next = server.store.nextVisibleAt(names.queue);
    if (next === undefined || next > end) break;
    now = Math.max(now, next);
  }
  if (end < Number.POSITIVE_INFINITY) now = end;
}

/** Ten items are attempted, and the run is paused. */
async function pausedMidway() {
  await world.handle(startEntry({ workflow: "test", run: "r", requestedAt: new Date(START).toISOString() }));
  await world.consume();
  await world.runs.pause("r");
  // Consumers notice it within 3 s.
  now += 3_000;
  const counts = await world.runs.counts(await world.runs.get("r"));
  expect(counts.produced).toBe(ITEMS);
  expect(counts.pending).toBeGreaterThanOrEqual(ITEMS / 3);
  return counts;
}

/** As the command does it. */
async function resume() {
  const { runs } = world;
  const lost = await messagesMayBeMissing(world, await runs.get("r"), { now: () => now });
  if (lost) await runs.resends.request("r");
  await runs.reopen("r");
  const { hop } = await runs.get("r");
  await world.handle(continueEntry({ workflow: "test", run: "r", hop: hop + 1 }));
  return lost;
}

async function expectWhole() {
  await consumeUntil(Number.POSITIVE_INFINITY);
  const run = await world.runs.get("r");
  expect(run.status).toBe("completed");
  expect(await world.runs.counts(run)).toMatchObject({ produced: ITEMS, succeeded: ITEMS, dead: 0, pending: 0 });
  // Each once, but for those that failed at first.
  expect(world.ran).toHaveLength(ITEMS + ITEMS / 5);
  expect((await world.deadLetterQueue.depth()).visible).toBe(0);
}

test("a pause of 11 days loses no message while consumers look at them for some hours of each day, and none dies of its receives", async () => {
  const before = await pausedMidway();
  const requests = vi.spyOn(world.ledger.attempts, "recordReceive");
  const hours = 6;
  for (let day = 0; day < 11; day++) {
    now = Math.max(now, START + (day + 1) * DAY - (hours * DAY) / 24);
    await consumeUntil(START + (day + 1) * DAY);
  }
  const { visible, inFlight, delayed } = await world.queue.depth();
  expect(visible + inFlight + delayed).toBe(before.pending);
  expect(await world.runs.counts(await world.runs.get("r"))).toEqual(before);
  // Every ten minutes, once the pause is long.
  const looks = requests.mock.calls.length / before.pending;
  expect(looks).toBeGreaterThan(11 * (6 * hours - 4));
  expect(looks).toBeLessThan(11 * 6 * hours + 60);
  // They would have been deleted.
  expect((await world.queue.policy()).retentionSeconds).toBe(10 * 86_400);
  await resume();
  await expectWhole();
});

test("a pause of 40 days in which no consumer works loses every message, and resume sends again what is pending", async () => {
  const before = await pausedMidway();
  now += 40 * DAY;
  expect(await world.consume()).toBe(0);
  expect(await world.queue.depth()).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  // Without it, the run would wait for ever.
  expect(await world.runs.counts(await world.runs.get("r"))).toEqual(before);
  expect(await resume()).toBe(true);
  await expectWhole();
});

test("a pause of 40 days in which no consumer works is cancelled, and nothing waits for the messages", async () => {
  const before = await pausedMidway();
  now += 40 * DAY;
  const run = await world.runs.get("r");
  await world.runs.cancel("r", { missing: await messagesMayBeMissing(world, run, { now: () => now }) });
  await world.handle(continueEntry({ workflow: "test", run: "r", hop: run.hop + 1 }));
  const cancelled = await world.runs.get("r");
  expect(cancelled.status).toBe("cancelled");
  expect(await world.runs.counts(cancelled)).toMatchObject({
    cancelled: before.pending,
    succeeded: before.succeeded,
    pending: 0,
  });
});

test("a pause of an hour needs no look at the source", async () => {
  await pausedMidway();
  await consumeUntil(START + DAY / 24);
  expect(await resume()).toBe(false);
  expect((await world.runs.get("r")).resend).toBeUndefined();
  await expectWhole();
});

test("messages that were purged by hand are sent again after a pause", async () => {
  await pausedMidway();
  server.store.purge(names.queue);
  now += 1_000;
  expect(await resume()).toBe(true);
  await expectWhole();
});
