import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Faults } from "../../../../local/sqs/injected-faults.ts";
import { queueArn } from "../../../../local/sqs/queue-registry.ts";
import { QueueStore } from "../../../../local/sqs/queue-store.ts";
import { allowInFlight } from "./allow-in-flight.ts";

const faults = new Faults({ seed: 1 });
let now: number;
let store: QueueStore;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate"] });
  now = 1_000_000_000_000;
  store = new QueueStore({ file: ":memory:", clock: () => now, faults });
  store.createQueue("q");
});
afterEach(() => {
  store.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const receive = (queue = "q", max = 10, visibilityTimeoutSeconds = 30) =>
  store.receive({ queue, max, visibilityTimeoutSeconds });
const bodies = (queue = "q", max = 10) => receive(queue, max).map(({ body }) => body);
const send = (...of: string[]) => {
  for (const body of of) store.send("q", { body });
};
const handleOf = (messages: readonly { readonly receiptHandle: string }[], index = 0) =>
  messages[index]?.receiptHandle ?? "";

/** Lets offers to waiting callers happen. */
const tick = () => vi.advanceTimersByTimeAsync(1);

/** A caller that waits, and what it has got so far. */
function waiting(queue = "q", options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {}) {
  const got: { bodies?: string[]; error?: unknown } = {};
  store.receiveOrWait({ queue, max: 1 }, { timeoutMs: 20_000, ...options }).then(
    (messages) => {
      got.bodies = messages.map(({ body }) => body);
    },
    (error) => {
      got.error = error;
    },
  );
  return got;
}

describe("the messages in flight", () => {
  test("are at most as many as SQS allows", () => {
    using _ = allowInFlight(3);
    send("a", "b", "c", "d");
    expect(bodies("q", 2)).toEqual(["a", "b"]);
    store.checkInFlight("q");
    const third = receive("q", 10);
    expect(third.map(({ body }) => body)).toEqual(["c"]);
    expect(bodies("q", 1)).toEqual([]);
    expect(() => store.checkInFlight("q")).toThrow("The queue has 3 messages in flight: delete some first.");
    store.deleteMessage("q", handleOf(third));
    store.checkInFlight("q");
    expect(bodies()).toEqual(["d"]);
    now += 30_000;
    expect(bodies("q", 3)).toHaveLength(3);
  });

  test("include one whose visibility was changed after its time", () => {
    using _ = allowInFlight(2);
    send("a", "b", "c");
    const first = receive("q", 1);
    now += 30_000;
    // The other two take the first one's place.
    store.changeVisibility("q", handleOf(first), 60);
    expect(store.counts("q")).toEqual({ visible: 2, inFlight: 1, delayed: 0 });
    expect(bodies()).toEqual(["b"]);
    expect(() => store.checkInFlight("q")).toThrow();
  });

  test("include one that was hidden again while others were received", () => {
    using _ = allowInFlight(3);
    send("a", "b", "c", "d", "e");
    const first = receive("q", 2, 1);
    now += 1_000;
    expect(bodies("q", 2)).toEqual(["c", "d"]);
    store.changeVisibility("q", handleOf(first), 60);
    expect(bodies("q", 1)).toEqual([]);
  });

  test("do not include one that is made visible", () => {
    using _ = allowInFlight(2);
    send("a", "b", "c");
    const first = receive("q", 2);
    store.changeVisibility("q", handleOf(first), 0);
    expect(bodies()).toEqual(["a"]);
    expect(bodies()).toEqual([]);
  });

  test("of a FIFO queue are as many, and a receive then returns nothing", () => {
    using _ = allowInFlight(1);
    store.createQueue("q.fifo", { FifoQueue: "true" });
    for (const id of ["a", "b"]) store.send("q.fifo", { body: id, groupId: id, deduplicationId: id });
    expect(bodies("q.fifo")).toEqual(["a"]);
    expect(bodies("q.fifo")).toEqual([]);
    store.checkInFlight("q.fifo");
  });
});

describe("a caller that waits", () => {
  test("gets a message that is sent", async () => {
    const got = waiting();
    await tick();
    send("a");
    await tick();
    expect(got).toEqual({ bodies: ["a"] });
  });

  test("gets a message that is made visible, given back or freed", async () => {
    send("a");
    for (const free of [
      (handle: string) => store.changeVisibility("q", handle, 0),
      (handle: string) => store.undoReceives("q", [handle]),
      () => store.releaseOrphans(),
    ]) {
      const held = receive();
      expect(held).toHaveLength(1);
      const got = waiting();
      await tick();
      free(handleOf(held));
      await tick();
      expect(got).toEqual({ bodies: ["a"] });
      store.releaseOrphans();
    }
  });

  test("gets the next message of a FIFO group when the first one is deleted, given back or freed", async () => {
    store.createQueue("q.fifo", { FifoQueue: "true" });
    const sent = (body: string) => store.send("q.fifo", { body, groupId: "g", deduplicationId: body });
    sent("1");
    sent("2");
    for (const [free, next] of [
      [(handle: string) => store.undoReceives("q.fifo", [handle]), "1"],
      [(handle: string) => store.changeVisibility("q.fifo", handle, 0), "1"],
      [() => store.releaseOrphans(), "1"],
      [(handle: string) => store.deleteMessage("q.fifo", handle), "2"],
    ] as const) {
      const held = receive("q.fifo", 1);
      expect(held.map(({ body }) => body)).toEqual(["1"]);
      const got = waiting("q.fifo");
      await tick();
      expect(got).toEqual({});
      free(handleOf(held));
      await tick();
      expect(got).toEqual({ bodies: [next] });
      store.releaseOrphans();
    }
  });

  test("gets a message whose time comes, and one that moves to a dead-letter queue", async () => {
    store.createQueue("dead");
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: queueArn("dead"), maxReceiveCount: 1 });
    store.setAttributes("q", { RedrivePolicy });
    send("a");
    receive("q", 1, 5);
    const dead = waiting("dead");
    const again = waiting();
    await tick();
    now += 5_000;
    await vi.advanceTimersByTimeAsync(5_000);
    await tick();
    expect(dead).toEqual({ bodies: ["a"] });
    expect(again).toEqual({});
    await vi.advanceTimersByTimeAsync(15_000);
    expect(again).toEqual({ bodies: [] });
  });

  test("gets nothing when its time is over, and a message that nobody has offered by then", async () => {
    const nothing = waiting("q", { timeoutMs: 1_000 });
    await vi.advanceTimersByTimeAsync(999);
    expect(nothing).toEqual({});
    await vi.advanceTimersByTimeAsync(1);
    expect(nothing).toEqual({ bodies: [] });
    store.send("q", { body: "late", delaySeconds: 100 });
    const late = waiting("q", { timeoutMs: 1_000 });
    await tick();
    now += 100_000;
    await vi.advanceTimersByTimeAsync(998);
    expect(late).toEqual({});
    await vi.advanceTimersByTimeAsync(1);
    expect(late).toEqual({ bodies: ["late"] });
  });

  test.each([
    ["its time is 0", () => ({ timeoutMs: 0 })],
    ["its signal has fired", () => ({ signal: AbortSignal.abort() })],
  ])("does not wait if %s", async (_, options) => {
    const got = waiting("q", options());
    expect(vi.getTimerCount()).toBe(0);
    await Promise.resolve();
    await Promise.resolve();
    expect(got).toEqual({ bodies: [] });
  });

  test("stops waiting when its signal fires, and hears of nothing after that", async () => {
    const gone = new AbortController();
    const got = waiting("q", { signal: gone.signal });
    await tick();
    gone.abort();
    await tick();
    expect(got).toEqual({ bodies: [] });
    expect(vi.getTimerCount()).toBe(0);
    send("a");
    await tick();
    expect(store.counts("q")).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
  });

  test("stops waiting when the store is closed", async () => {
    const got = waiting();
    await tick();
    store.close();
    await tick();
    expect(got).toEqual({ bodies: [] });
  });

  test("is told of an error of the receive", async () => {
    const got = waiting();
    await tick();
    vi.spyOn(faults, "duplicates").mockImplementation(() => {
      throw new Error("the disk is full");
    });
    send("a");
    await tick();
    expect(got).toEqual({ error: new Error("the disk is full") });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is told of an error at the end of its time", async () => {
    store.send("q", { body: "late", delaySeconds: 100 });
    const got = waiting("q", { timeoutMs: 1_000 });
    await tick();
    now += 100_000;
    vi.spyOn(store, "receive").mockImplementation(() => {
      throw new Error("the disk is full");
    });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(got).toEqual({ error: new Error("the disk is full") });
  });

  test("gets nothing at the end of its time if the only message becomes a dead letter then", async () => {
    store.createQueue("dead");
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: queueArn("dead"), maxReceiveCount: 1 });
    store.setAttributes("q", { RedrivePolicy });
    send("a");
    receive("q", 1, 5);
    const got = waiting("q", { timeoutMs: 1_000 });
    await tick();
    now += 5_000;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(got).toEqual({ bodies: [] });
    expect(bodies("dead")).toEqual(["a"]);
  });

  test("does not try to receive messages that are not there", async () => {
    const attempts = vi.spyOn(store, "receive");
    const both = [waiting(), waiting()];
    await tick();
    expect(attempts).toHaveBeenCalledTimes(2);
    send("a");
    await tick();
    expect(attempts).toHaveBeenCalledTimes(3);
    expect(both).toEqual([{ bodies: ["a"] }, {}]);
  });

  test("does not try to receive messages of a blocked group", async () => {
    store.createQueue("q.fifo", { FifoQueue: "true" });
    const sent = (body: string) => store.send("q.fifo", { body, groupId: "g", deduplicationId: body });
    sent("1");
    sent("2");
    receive("q.fifo", 1);
    const attempts = vi.spyOn(store, "receive");
    waiting("q.fifo");
    await tick();
    sent("3");
    await tick();
    expect(attempts).toHaveBeenCalledOnce();
  });

  test("gets a message that another caller got too, because it was delivered twice", async () => {
    faults.set({ duplicate: 1 });
    const both = [waiting(), waiting()];
    await tick();
    send("a");
    await tick();
    await tick();
    expect(both).toEqual([{ bodies: ["a"] }, { bodies: ["a"] }]);
    faults.clear();
  });

  test("is offered messages again after the clock was advanced", async () => {
    store.send("q", { body: "late", delaySeconds: 10 });
    const got = waiting();
    await tick();
    now += 10_000;
    store.clockAdvanced();
    await tick();
    expect(got).toEqual({ bodies: ["late"] });
  });

  test("no longer listens to its signal when it has its messages", async () => {
    const { signal } = new AbortController();
    const got = waiting("q", { signal });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    send("a");
    await tick();
    expect(got).toEqual({ bodies: ["a"] });
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("of a queue that is suspended does not wait if the store is closed", async () => {
    store.suspend("q");
    store.close();
    const got = waiting();
    expect(vi.getTimerCount()).toBe(0);
    await Promise.resolve();
    await Promise.resolve();
    expect(got).toEqual({ bodies: [] });
  });
});

describe("a queue that is suspended", () => {
  test("delivers nothing more, and keeps its messages", () => {
    store.createQueue("other");
    store.send("other", { body: "b" });
    send("a");
    store.suspend("q");
    expect(bodies()).toEqual([]);
    expect(bodies("other")).toEqual(["b"]);
    expect(store.counts("q")).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
  });
});

describe("a queue that is deleted", () => {
  test("is gone with its messages, groups and deduplication ids", () => {
    const create = () => store.createQueue("q.fifo", { FifoQueue: "true" });
    const sent = () => store.send("q.fifo", { body: "x", groupId: "g", deduplicationId: "1" });
    create();
    const first = sent();
    expect(store.hasQueue("q.fifo")).toBe(true);
    store.deleteQueue("q.fifo");
    expect(store.hasQueue("q.fifo")).toBe(false);
    expect(store.queueNames()).toEqual(["q"]);
    create();
    expect(bodies("q.fifo")).toEqual([]);
    expect(sent().messageId).not.toBe(first.messageId);
  });
});

describe("the retention of messages", () => {
  test("deletes them in their time, and frees their groups", () => {
    store.createQueue("q.fifo", { FifoQueue: "true", MessageRetentionPeriod: "60" });
    const sent = (body: string, groupId: string) =>
      store.send("q.fifo", { body, groupId, deduplicationId: `${body}${groupId}` });
    sent("old", "g");
    receive("q.fifo", 1, 600);
    now += 30_000;
    sent("new", "g");
    now += 29_999;
    expect(store.counts("q.fifo")).toEqual({ visible: 1, inFlight: 1, delayed: 0 });
    now += 1;
    expect(store.counts("q.fifo")).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
    expect(bodies("q.fifo")).toEqual(["new"]);
    now += 30_000;
    expect(store.counts("q.fifo")).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });

  test("deletes each message at most a second late", () => {
    store.setAttributes("q", { MessageRetentionPeriod: "60" });
    send("a");
    now += 500;
    send("b");
    now += 59_500;
    expect(store.counts("q").visible).toBe(1);
    now += 999;
    expect(store.counts("q").visible).toBe(1);
    now += 1;
    expect(store.counts("q").visible).toBe(0);
  });
});

describe("the next message", () => {
  test("of a queue is the first one that becomes visible, whether its receive is written or not", () => {
    expect(store.nextVisibleAt("q")).toBeUndefined();
    send("a", "b");
    receive("q", 1, 30);
    expect(store.nextVisibleAt("q")).toBe(now + 30_000);
    store.send("q", { body: "c", delaySeconds: 10 });
    expect(store.nextVisibleAt("q")).toBe(now + 10_000);
    receive("q", 1, 5);
    expect(store.nextVisibleAt("q")).toBe(now + 5_000);
  });

  test("of a FIFO queue is the first one of a group that becomes free", () => {
    store.createQueue("q.fifo", { FifoQueue: "true" });
    for (const id of ["a", "b"]) store.send("q.fifo", { body: id, groupId: "g", deduplicationId: id });
    expect(store.nextVisibleAt("q.fifo")).toBeUndefined();
    receive("q.fifo", 1, 30);
    expect(store.nextVisibleAt("q.fifo")).toBe(now + 30_000);
  });

  test("that returns from a backoff is told apart from one in work", () => {
    expect(store.nextReturnAt("q", 20)).toBeUndefined();
    send("backoff", "work");
    const held = receive();
    expect(store.nextReturnAt("q", 20)).toBeUndefined();
    store.changeVisibility("q", handleOf(held, 1), 20);
    expect(store.nextReturnAt("q", 20)).toBeUndefined();
    store.changeVisibility("q", handleOf(held), 40);
    expect(store.nextReturnAt("q", 20)).toBe(now + 40_000);
  });
});

describe("a message that moves to the dead-letter queue of a FIFO queue", () => {
  test("is the first of its group there, and frees the group that it leaves", () => {
    store.createQueue("dead.fifo", { FifoQueue: "true" });
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: queueArn("dead.fifo"), maxReceiveCount: 1 });
    store.createQueue("q.fifo", { FifoQueue: "true", RedrivePolicy });
    for (const id of ["1", "2"]) store.send("q.fifo", { body: id, groupId: "g", deduplicationId: id });
    expect(receive("q.fifo", 1).map(({ body }) => body)).toEqual(["1"]);
    now += 30_000;
    expect(bodies("q.fifo")).toEqual(["2"]);
    const dead = receive("dead.fifo");
    expect(dead.map(({ body }) => body)).toEqual(["1"]);
    expect(dead[0]?.systemAttributes).toMatchObject({
      ApproximateReceiveCount: "2",
      DeadLetterQueueSourceArn: queueArn("q.fifo"),
      SentTimestamp: `${now}`,
      MessageGroupId: "g",
    });
    expect(bodies("dead.fifo")).toEqual([]);
  });
});
