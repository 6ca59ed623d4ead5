import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { queueArn } from "../../../../local/sqs/queue-registry.ts";
import { QueueStore } from "../../../../local/sqs/queue-store.ts";

let now: number;
let store: QueueStore;

beforeEach(() => {
  now = 1_000_000_000_000;
  store = new QueueStore({ file: ":memory:", clock: () => now });
  store.createQueue("dead.fifo", { FifoQueue: "true" });
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: queueArn("dead.fifo"), maxReceiveCount: 1 });
  store.createQueue("q.fifo", { FifoQueue: "true", RedrivePolicy });
});
afterEach(() => store.close());

const send = (queue: string, groupId: string, body: string) =>
  store.send(queue, { body, groupId, deduplicationId: body });
const receiveOne = (queue: string) => store.receive({ queue, max: 1 }).map(({ body }) => body);

describe("a message group that has no message left", () => {
  test("does not keep another group from being received after a move task took its messages", () => {
    send("dead.fifo", "empty", "moved");
    store.moveTasks.start({ sourceArn: queueArn("dead.fifo"), destinationArn: queueArn("q.fifo") });
    store.clockAdvanced();
    send("dead.fifo", "other", "next");
    expect(receiveOne("dead.fifo")).toEqual(["next"]);
    expect(receiveOne("q.fifo")).toEqual(["moved"]);
  });

  test("does not keep another group from being received after its message became a dead letter", () => {
    send("q.fifo", "empty", "dead");
    expect(receiveOne("q.fifo")).toEqual(["dead"]);
    now += 30_000;
    send("q.fifo", "other", "next");
    expect(receiveOne("q.fifo")).toEqual(["next"]);
    expect(receiveOne("dead.fifo")).toEqual(["dead"]);
  });
});

describe("a queue whose dead-letter queue was deleted", () => {
  test("delivers a message again, however often it was received", () => {
    send("q.fifo", "g", "a");
    store.deleteQueue("dead.fifo");
    for (let receives = 1; receives <= 3; receives++) {
      expect(receiveOne("q.fifo")).toEqual(["a"]);
      now += 30_000;
    }
  });
});
