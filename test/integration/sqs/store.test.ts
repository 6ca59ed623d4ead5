import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Database } from "../../../local/sqs/database.ts";
import { Faults } from "../../../local/sqs/injected-faults.ts";
import { queueArn } from "../../../local/sqs/queue-registry.ts";
import { QueueStore } from "../../../local/sqs/queue-store.ts";
import { SqsError } from "../../../local/sqs/sqs-error.ts";
import { limits } from "../../../local/sqs/sqs-limits.ts";
import { temporaryDirectory } from "../../helpers/test-engine.ts";

const seconds = 1_000;
const minutes = 60 * seconds;

let now = 0;
let store: QueueStore;

function open(faults?: Faults): QueueStore {
  return new QueueStore({ file: ":memory:", clock: () => now, ...(faults === undefined ? {} : { faults }) });
}

beforeEach(() => {
  now = 1_000_000_000_000;
  store = open();
  store.createQueue("q");
});

afterEach(() => store.close());

function receive(queue = "q", max = 10) {
  return store.receive({ queue, max });
}

function bodies(queue = "q", max = 10): string[] {
  return receive(queue, max).map(({ body }) => body);
}

function code(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof SqsError) return error.code;
    throw error;
  }
  return "none";
}

describe("order", () => {
  const all = () => ["a", "b", "c", "d"];
  beforeEach(() => {
    for (const body of all()) {
      store.send("q", { body });
      now += 1;
    }
  });

  it("is the same after a receiver looked at all messages and made them visible at once, in any order", () => {
    const received = receive();
    now += 5 * seconds;
    store.send("q", { body: "e" });
    for (const { receiptHandle } of received.toReversed()) store.changeVisibility("q", receiptHandle, 0);
    expect(bodies()).toEqual([...all(), "e"]);
  });

  it("is the same after a receiver looked at some messages and died", () => {
    receive("q", 3);
    now += 5 * seconds;
    expect(store.releaseOrphans()).toBe(3);
    expect(bodies()).toEqual(all());
  });

  it("puts a delayed message behind messages that already wait", () => {
    const [first] = receive("q", 1);
    store.changeVisibility("q", first?.receiptHandle ?? "", 10);
    now += 10 * seconds;
    expect(bodies()).toEqual(["b", "c", "d", "a"]);
  });

  it("is new in the queue to which a message moves", () => {
    store.createQueue("dead");
    store.setAttributes("q", {
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: queueArn("dead"), maxReceiveCount: 1 }),
    });
    store.send("dead", { body: "before" });
    receive();
    now += 30 * seconds;
    expect(bodies()).toEqual([]);
    const looked = receive("dead");
    now += 1;
    store.send("dead", { body: "after" });
    for (const { receiptHandle } of looked) store.changeVisibility("dead", receiptHandle, 0);
    expect(bodies("dead")).toEqual(["before", ...all(), "after"]);
  });

  it("works in a file of an earlier version that had no such column", () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "queues.sqlite");
    const old = new QueueStore({ file, clock: () => now });
    old.createQueue("q");
    old.send("q", { body: "x" });
    old.close();
    const database = new DatabaseSync(file);
    database.exec("ALTER TABLE messages DROP COLUMN first_visible_at");
    database.close();
    const reopened = new QueueStore({ file, clock: () => now });
    expect(reopened.receive({ queue: "q", max: 10 }).map(({ body }) => body)).toEqual(["x"]);
    reopened.close();
  });
});

describe("time", () => {
  it("tells when the next message becomes visible", () => {
    expect(store.nextVisibleAt("q")).toBeUndefined();
    store.send("q", { body: "now" });
    expect(store.nextVisibleAt("q")).toBeUndefined();
    store.send("q", { body: "later", delaySeconds: 9 });
    expect(store.nextVisibleAt("q")).toBe(now + 9 * seconds);
    const [message] = receive();
    store.changeVisibility("q", message?.receiptHandle ?? "", 4);
    expect(store.nextVisibleAt("q")).toBe(now + 4 * seconds);
    // A message in work returns by itself only if its consumer dies.
    expect(store.nextReturnAt("q", 4)).toBe(now + 9 * seconds);
    now += 4 * seconds;
    expect(store.nextVisibleAt("q")).toBe(now + 5 * seconds);
  });

  it("shows a message again when its visibility timeout is over, not a millisecond earlier", () => {
    store.send("q", { body: "x" });
    receive();
    now += 30 * seconds - 1;
    expect(store.counts("q")).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
    expect(bodies()).toEqual([]);
    now += 1;
    expect(store.counts("q")).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
    expect(bodies()).toEqual(["x"]);
  });

  it("delays a message to the millisecond", () => {
    store.send("q", { body: "x", delaySeconds: 900 });
    now += 900 * seconds - 1;
    expect(store.counts("q")).toEqual({ visible: 0, inFlight: 0, delayed: 1 });
    expect(bodies()).toEqual([]);
    now += 1;
    expect(bodies()).toEqual(["x"]);
  });

  it("forgets a deduplication id after five minutes from its first message", () => {
    store.createQueue("q.fifo", { FifoQueue: "true" });
    const send = () => store.send("q.fifo", { body: "x", groupId: "g", deduplicationId: "d" });
    const first = send();
    now += 5 * minutes - 1;
    expect(send()).toEqual(first);
    now += 1;
    expect(send().messageId).not.toBe(first.messageId);
  });

  it("deletes messages whose retention period is over, in flight or not", () => {
    store.setAttributes("q", { MessageRetentionPeriod: "60" });
    store.send("q", { body: "old" });
    store.send("q", { body: "old, in flight" });
    const [held] = receive("q", 1);
    now += 60 * seconds - 1;
    store.send("q", { body: "young" });
    expect(store.counts("q")).toEqual({ visible: 3, inFlight: 0, delayed: 0 });
    now += 1;
    expect(store.counts("q")).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
    expect(bodies()).toEqual(["young"]);
    expect(code(() => store.changeVisibility("q", held?.receiptHandle ?? "", 1))).toBe("InvalidParameterValue");
  });

  it("deletes them at most a second late, also in a dead-letter queue, which keeps their age, and after a move", () => {
    store.createQueue("dlq", { MessageRetentionPeriod: "60" });
    const deadLetterTargetArn = queueArn("dlq");
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 1 });
    store.setAttributes("q", { MessageRetentionPeriod: "60", VisibilityTimeout: "10", RedrivePolicy });
    const totals = () => ["q", "dlq"].map((name) => Object.values(store.counts(name)).reduce((sum, n) => sum + n));
    expect(totals()).toEqual([0, 0]);
    store.send("q", { body: "a" });
    receive();
    now += 10 * seconds;
    store.send("q", { body: "b" });
    expect(bodies()).toEqual(["b"]);
    expect(totals()).toEqual([1, 1]);
    now += 50 * seconds - 1;
    expect(totals()).toEqual([1, 1]);
    now += 1;
    expect(totals()).toEqual([1, 0]);
    expect(bodies()).toEqual([]);
    expect(totals()).toEqual([0, 1]);
    store.moveTasks.start({ sourceArn: deadLetterTargetArn });
    store.clockAdvanced();
    now += 60 * seconds - 1;
    expect(totals()).toEqual([1, 0]);
    now += 1 * seconds;
    expect(totals()).toEqual([0, 0]);
    store.send("q", { body: "c" });
    now += 60 * seconds;
    expect(totals()).toEqual([0, 0]);
  });

  it("hides a message for at most 12 hours from its receive", () => {
    store.send("q", { body: "x" });
    const [message] = store.receive({ queue: "q", max: 1, visibilityTimeoutSeconds: limits.visibilityTimeoutSeconds });
    const handle = message?.receiptHandle ?? "";
    store.changeVisibility("q", handle, limits.visibilityTimeoutSeconds);
    now += 10 * seconds;
    const most = limits.visibilityTimeoutSeconds - 10;
    store.changeVisibility("q", handle, most);
    expect(code(() => store.changeVisibility("q", handle, most + 1))).toBe("InvalidParameterValue");
  });

  it("changes a message of a standard queue through the handle of a receive that is over", () => {
    store.send("q", { body: "x" });
    const [early] = receive();
    now += 30 * seconds;
    store.changeVisibility("q", early?.receiptHandle ?? "", 10);
    expect(store.counts("q")).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
    now += 10 * seconds;
    const [late] = receive();
    // It now exposes a message that another receiver holds.
    store.changeVisibility("q", early?.receiptHandle ?? "", 0);
    expect(store.counts("q")).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
    // The handle of the latest receive is still the one that deletes.
    store.deleteMessage("q", early?.receiptHandle ?? "");
    expect(store.counts("q").visible).toBe(1);
    store.deleteMessage("q", late?.receiptHandle ?? "");
    expect(store.counts("q").visible).toBe(0);
  });

  it("hides a message that another receiver holds for as long as an early handle says", () => {
    store.send("q", { body: "x" });
    const [early] = receive();
    now += 30 * seconds;
    receive();
    store.changeVisibility("q", early?.receiptHandle ?? "", 3_600);
    now += 3_599 * seconds;
    expect(bodies()).toEqual([]);
    now += seconds;
    expect(bodies()).toEqual(["x"]);
  });

  it("keeps a move task to its rate", () => {
    store.createQueue("dead");
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: queueArn("dead"), maxReceiveCount: 1 });
    store.setAttributes("q", { RedrivePolicy });
    store.sendBatch(
      "dead",
      Array.from({ length: 10 }, (_, i) => ({ body: `${i}` })),
    );
    const task = { sourceArn: queueArn("dead"), destinationArn: queueArn("q"), messagesPerSecond: 2 };
    const handle = store.moveTasks.start(task);
    expect(code(() => store.moveTasks.start(task))).toBe("InvalidParameterValue");
    const movedAfter = (ms: number) => {
      now += ms;
      store.clockAdvanced();
      return store.moveTasks.list(queueArn("dead"))[0]?.moved;
    };
    expect([movedAfter(0), movedAfter(499), movedAfter(1), movedAfter(1_000)]).toEqual([1, 1, 2, 4]);
    expect(store.moveTasks.cancel(handle)).toBe(4);
    expect(movedAfter(10_000)).toBe(4);
    expect([store.counts("q").visible, store.counts("dead").visible]).toEqual([4, 6]);
    store.moveTasks.start({ sourceArn: queueArn("dead"), destinationArn: queueArn("q") });
    store.clockAdvanced();
    expect(store.moveTasks.list(queueArn("dead"), 10).map(({ status, moved }) => [status, moved])).toEqual([
      ["COMPLETED", 6],
      ["CANCELLED", 4],
    ]);
    expect(store.counts("q").visible).toBe(10);
  });
});

describe("limits", () => {
  it("has at most 120,000 messages in flight, and refuses further short polls", () => {
    store.sendBatch(
      "q",
      Array.from({ length: limits.inFlight + 5 }, () => ({ body: "x" })),
    );
    const held = receive("q", limits.inFlight - 3);
    expect(receive("q", 10)).toHaveLength(3);
    expect(receive("q", 10)).toEqual([]);
    expect(code(() => store.checkInFlight("q"))).toBe("OverLimit");
    store.deleteMessages(
      "q",
      held.slice(0, 2).map(({ receiptHandle }) => receiptHandle),
    );
    expect(code(() => store.checkInFlight("q"))).toBe("none");
    expect(receive("q", 10)).toHaveLength(2);
    expect(store.counts("q")).toEqual({ visible: 3, inFlight: limits.inFlight, delayed: 0 });
  });

  it("refuses a handle of another queue", () => {
    store.createQueue("other");
    store.send("q", { body: "x" });
    const [message] = receive();
    expect(code(() => store.deleteMessage("other", message?.receiptHandle ?? ""))).toBe("ReceiptHandleIsInvalid");
  });
});

describe("transactions", () => {
  it("undoes all of a transaction that throws, counts included", () => {
    store.send("q", { body: "kept" });
    expect(() =>
      store.transaction(() => {
        store.send("q", { body: "undone" });
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(store.counts("q").visible).toBe(1);
    expect(bodies()).toEqual(["kept"]);
  });

  it("undoes receives and deletions", () => {
    for (const body of ["a", "b", "c"]) store.send("q", { body });
    const [a] = store.receive({ queue: "q", max: 1 });
    expect(() =>
      store.transaction(() => {
        store.deleteMessage("q", a?.receiptHandle ?? "");
        expect(bodies()).toEqual(["b", "c"]);
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(store.counts("q")).toEqual({ visible: 2, inFlight: 1, delayed: 0 });
    expect(bodies("q", 1)).toEqual(["b"]);
    store.deleteMessage("q", a?.receiptHandle ?? "");
    expect(store.counts("q")).toEqual({ visible: 1, inFlight: 1, delayed: 0 });
  });

  it("keeps the good messages of a batch", () => {
    const outcomes = store.sendBatch("q", [{ body: "good" }, { body: "" }, { body: "also good" }]);
    expect(outcomes.map((outcome) => (outcome.ok ? "sent" : outcome.error.code))).toEqual([
      "sent",
      "MissingParameter",
      "sent",
    ]);
    expect(bodies()).toEqual(["good", "also good"]);
  });
});

describe("messages under way", () => {
  it("hide no message with an earlier place", () => {
    const send = (body: string) => store.send("q", { body });
    send("a");
    expect(bodies()).toEqual(["a"]);
    // The clock of a computer may be set back.
    now -= 1;
    send("b");
    expect(bodies()).toEqual(["b"]);
    now += 1;
    for (const body of ["c", "d"]) send(body);
    const [c, d] = receive();
    store.undoReceives("q", [c?.receiptHandle ?? ""]);
    send("e");
    store.changeVisibility("q", d?.receiptHandle ?? "", 0);
    expect(bodies()).toEqual(["c", "d", "e"]);
  });

  it("hide no message that is put back out of a backoff, and none that a waiter waits for", async () => {
    for (const body of ["a", "b"]) store.send("q", { body });
    const [a] = receive();
    for (const seconds of [40, 0]) store.changeVisibility("q", a?.receiptHandle ?? "", seconds);
    const found = await store.receiveOrWait({ queue: "q", max: 5 }, { timeoutMs: 1_000 });
    expect(found.map(({ body }) => body)).toEqual(["a"]);
  });

  it("are not deleted by a handle of an earlier receive", () => {
    store.send("q", { body: "a" });
    const [first] = receive();
    now += 30 * seconds;
    expect(bodies()).toEqual(["a"]);
    store.deleteMessage("q", first?.receiptHandle ?? "");
    expect(store.counts("q")).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
  });

  it("are gone when they are purged or too old", () => {
    store.setAttributes("q", { MessageRetentionPeriod: "60" });
    const grow = () => {
      now += 60 * seconds;
    };
    for (const end of [() => store.purge("q"), grow]) {
      store.send("q", { body: "a" });
      store.receive({ queue: "q", max: 1, visibilityTimeoutSeconds: 300 });
      end();
      expect(store.counts("q")).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
    }
  });

  it("are received in order, whether they were put back or never received", () => {
    const faults = new Faults({ seed: 1 });
    store.close();
    store = open(faults);
    store.createQueue("q");
    for (let i = 0; i < 8; i++) store.send("q", { body: `${i}` });
    const held = receive("q", 6);
    for (const i of [4, 1, 3, 0]) store.changeVisibility("q", held[i]?.receiptHandle ?? "", 0);
    // A receive out of order leaves gaps among those that follow.
    faults.set({ reorder: 1, reorderWindow: 3 });
    const [first] = bodies("q", 1);
    expect(["0", "1", "3"]).toContain(first);
    faults.clear();
    const rest = ["0", "1", "3", "4", "6", "7"].filter((body) => body !== first);
    expect([...bodies("q", 2), ...bodies("q", 2), ...bodies("q", 2)]).toEqual(rest);
  });

  it("are forgotten when they are undone, and the handle of the receive before stays invalid", () => {
    store.send("q", { body: "a" });
    const [first] = receive();
    now += 30 * seconds;
    const [second] = receive();
    store.undoReceives("q", [second?.receiptHandle ?? ""]);
    for (const message of [first, second]) store.deleteMessage("q", message?.receiptHandle ?? "");
    expect(receive()).toMatchObject([{ body: "a", systemAttributes: { ApproximateReceiveCount: "2" } }]);
  });

  it("end at the time to which their receiver changed their visibility", () => {
    store.send("q", { body: "a" });
    const [held] = receive("q", 1);
    store.changeVisibility("q", held?.receiptHandle ?? "", 60);
    now += 59 * seconds;
    expect(receive()).toEqual([]);
    now += 1 * seconds;
    expect(bodies()).toEqual(["a"]);
  });

  it("count as receives when their time is over, even if the store closes before the next request", () => {
    using directory = temporaryDirectory();
    const reopen = () => new QueueStore({ file: join(directory.path, "queues.sqlite"), clock: () => now });
    let kept = reopen();
    kept.createQueue("q");
    kept.send("q", { body: "a" });
    kept.receive({ queue: "q", max: 1 });
    now += 30 * seconds;
    kept.close();
    kept = reopen();
    expect(kept.releaseOrphans()).toBe(0);
    expect(kept.receive({ queue: "q", max: 1 })[0]?.systemAttributes.ApproximateReceiveCount).toBe("2");
    kept.close();
  });

  it("are counted once if the clock was set back", () => {
    for (const body of ["a", "b", "c"]) store.send("q", { body });
    const [, b] = receive("q", 2);
    store.changeVisibility("q", b?.receiptHandle ?? "", 0);
    now -= 5 * seconds;
    expect(store.counts("q")).toEqual({ visible: 0, inFlight: 2, delayed: 1 });
    expect(receive()).toEqual([]);
    now += 5 * seconds;
    expect(bodies()).toEqual(["b", "c"]);
  });

  it("are the same after an error in SQLite that undid the transaction", () => {
    const database = new Database(":memory:");
    let undone = 0;
    expect(() =>
      database.transaction(() => {
        database.whenUndone(() => undone++);
        database.run("ROLLBACK");
        throw new Error("the disk is full");
      }),
    ).toThrow("the disk is full");
    expect(undone).toBe(1);
    expect(database.transaction(() => database.nextSequence())).toBe(1);
    expect(undone).toBe(1);
    database.close();
  });

  it("are not moved from a dead-letter queue, and do not count as receivable", async () => {
    store.createQueue("dlq");
    const deadLetterTargetArn = queueArn("dlq");
    store.setAttributes("q", { RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 1 }) });
    for (const body of ["a", "b", "c"]) store.send("q", { body });
    receive();
    now += 30 * seconds;
    expect(receive()).toEqual([]);
    const held = bodies("dlq", 1);
    store.moveTasks.start({ sourceArn: deadLetterTargetArn });
    held.push(...bodies("dlq", 1));
    store.clockAdvanced();
    expect([...held, ...bodies()].sort()).toEqual(["a", "b", "c"]);
    expect(await store.receiveOrWait({ queue: "dlq", max: 1 }, { timeoutMs: 20 })).toEqual([]);
    expect(store.nextVisibleAt("dlq")).toBe(now + 30 * seconds);
    now += 30 * seconds;
    store.clockAdvanced();
    expect(await store.receiveOrWait({ queue: "dlq", max: 1 }, { timeoutMs: 1_000 })).toHaveLength(1);
  });
});

describe("undone receives", () => {
  it("leave a message as if it had not been received", () => {
    store.send("q", { body: "x" });
    const [first] = receive();
    now += 1 * seconds;
    store.undoReceives("q", [first?.receiptHandle ?? ""]);
    now += 1 * seconds;
    const [second] = receive();
    expect(second?.systemAttributes).toMatchObject({
      ApproximateReceiveCount: "1",
      ApproximateFirstReceiveTimestamp: String(now),
    });
  });

  it("have no effect after the message was received again or deleted", () => {
    store.send("q", { body: "x" });
    const [first] = store.receive({ queue: "q", max: 1, visibilityTimeoutSeconds: 0 });
    const [second] = receive();
    store.undoReceives("q", [first?.receiptHandle ?? ""]);
    expect(store.counts("q")).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
    store.deleteMessage("q", second?.receiptHandle ?? "");
    store.undoReceives("q", [second?.receiptHandle ?? ""]);
    expect(store.counts("q")).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });
});

describe("waiting", () => {
  it("wakes one waiter per message, first come, first served", async () => {
    const woken: number[] = [];
    const waits = [0, 1, 2].map((i) =>
      store.receiveOrWait({ queue: "q", max: 1 }, { timeoutMs: 10_000 }).then((messages) => {
        if (messages.length > 0) woken.push(i);
        return messages.map(({ body }) => body);
      }),
    );
    store.send("q", { body: "a" });
    store.send("q", { body: "b" });
    expect(await Promise.all(waits.slice(0, 2))).toEqual([["a"], ["b"]]);
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    expect(woken).toEqual([0, 1]);
    store.send("q", { body: "c" });
    expect(await waits[2]).toEqual(["c"]);
  });

  it("wakes at the end of a visibility timeout and of a delay", async () => {
    store.send("q", { body: "x" });
    receive();
    const wait = store.receiveOrWait({ queue: "q", max: 1 }, { timeoutMs: 10_000 });
    now += 30 * seconds;
    store.clockAdvanced();
    expect(await wait).toHaveLength(1);
  });

  it("sleeps on the real clock until the next message is visible", async () => {
    const real = new QueueStore({ file: ":memory:" });
    try {
      real.createQueue("q");
      real.send("q", { body: "x", delaySeconds: 1 });
      const start = performance.now();
      const [message] = await real.receiveOrWait({ queue: "q", max: 1 }, { timeoutMs: 5_000 });
      expect(message?.body).toBe("x");
      expect(performance.now() - start).toBeGreaterThan(900);
    } finally {
      real.close();
    }
  });

  it("wakes when a message group becomes free", async () => {
    store.createQueue("q.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
    for (const body of ["1", "2"]) store.send("q.fifo", { body, groupId: "g" });
    const [first] = receive("q.fifo", 1);
    const wait = store.receiveOrWait({ queue: "q.fifo", max: 1 }, { timeoutMs: 10_000 });
    await new Promise(setImmediate);
    store.deleteMessage("q.fifo", first?.receiptHandle ?? "");
    expect((await wait).map(({ body }) => body)).toEqual(["2"]);
  });

  it("ends without a message at a signal, at its time and at the store's close", async () => {
    const abort = new AbortController();
    const aborted = store.receiveOrWait({ queue: "q", max: 1 }, { timeoutMs: 10_000, signal: abort.signal });
    abort.abort();
    expect(await aborted).toEqual([]);
    expect(await store.receiveOrWait({ queue: "q", max: 1 }, { timeoutMs: 1 })).toEqual([]);
    const closed = store.receiveOrWait({ queue: "q", max: 1 }, { timeoutMs: 10_000 });
    store.close();
    expect(await closed).toEqual([]);
  });

  it("skips a waiter that is gone", async () => {
    const abort = new AbortController();
    const gone = store.receiveOrWait({ queue: "q", max: 1 }, { timeoutMs: 10_000, signal: abort.signal });
    const stays = store.receiveOrWait({ queue: "q", max: 1 }, { timeoutMs: 10_000 });
    store.send("q", { body: "x" });
    abort.abort();
    expect(await gone).toEqual([]);
    expect((await stays).map(({ body }) => body)).toEqual(["x"]);
  });
});

describe("orphans", () => {
  it("become visible at once as if never received, but a backoff keeps its time", () => {
    for (const body of ["orphan", "backoff", "delayed"]) {
      store.send("q", { body, delaySeconds: body === "delayed" ? 60 : 0 });
    }
    const held = receive();
    const backoff = held.find(({ body }) => body === "backoff");
    store.changeVisibility("q", backoff?.receiptHandle ?? "", 40);
    expect(store.releaseOrphans()).toBe(1);
    const [again, ...others] = receive();
    expect(others).toEqual([]);
    expect(again).toMatchObject({ body: "orphan", systemAttributes: { ApproximateReceiveCount: "1" } });
    expect(store.counts("q")).toEqual({ visible: 0, inFlight: 2, delayed: 1 });
    now += 40 * seconds;
    expect(store.counts("q")).toEqual({ visible: 2, inFlight: 0, delayed: 1 });
  });

  it("are also those whose visibility was changed to what the queue's receivers use while they work", () => {
    for (const body of ["at work", "backoff"]) store.send("q", { body });
    const held = receive("q", 2);
    for (const { receiptHandle } of held) store.changeVisibility("q", receiptHandle, 20);
    store.changeVisibility("q", held[1]?.receiptHandle ?? "", 40);
    expect(store.releaseOrphans({ q: 30 })).toBe(0);
    expect(store.releaseOrphans({ q: 20 })).toBe(1);
    expect(receive()).toMatchObject([{ body: "at work", systemAttributes: { ApproximateReceiveCount: "1" } }]);
  });

  it("are all messages in flight of a queue whose receivers renew their visibility", () => {
    store.createQueue("renewed", {});
    for (const queue of ["q", "renewed"]) {
      store.send(queue, { body: "at work" });
      store.send(queue, { body: "delayed", delaySeconds: 60 });
      const [message] = receive(queue, 1);
      store.changeVisibility(queue, message?.receiptHandle ?? "", 30);
      store.changeVisibility(queue, message?.receiptHandle ?? "", 30);
    }
    expect(store.releaseOrphans({ renewed: "any" })).toBe(1);
    expect(receive("q")).toEqual([]);
    expect(receive("renewed")).toMatchObject([{ body: "at work", systemAttributes: { ApproximateReceiveCount: "1" } }]);
  });

  it("free their message group", () => {
    store.createQueue("q.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
    for (const body of ["1", "2"]) store.send("q.fifo", { body, groupId: "g" });
    receive("q.fifo", 1);
    expect(store.releaseOrphans()).toBe(1);
    expect(bodies("q.fifo")).toEqual(["1", "2"]);
  });
});

describe("FIFO groups", () => {
  it("are blocked behind a message in flight, and not before it", () => {
    store.createQueue("q.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
    for (const body of ["1", "2", "3"]) store.send("q.fifo", { body, groupId: "g" });
    const [first, second] = receive("q.fifo", 2);
    store.changeVisibility("q.fifo", first?.receiptHandle ?? "", 0);
    expect(bodies("q.fifo")).toEqual(["1"]);
    expect(bodies("q.fifo")).toEqual([]);
    store.deleteMessage("q.fifo", second?.receiptHandle ?? "");
    expect(bodies("q.fifo")).toEqual([]);
  });

  it("go behind the groups that could be received before, when a receiver makes their message visible", () => {
    store.createQueue("q.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
    for (const groupId of ["g", "h"]) store.send("q.fifo", { body: groupId, groupId });
    const [first] = receive("q.fifo", 1);
    now += 1;
    store.changeVisibility("q.fifo", first?.receiptHandle ?? "", 0);
    expect(bodies("q.fifo")).toEqual(["h", "g"]);
  });

  it("can have their own deduplication ids", () => {
    store.createQueue("q.fifo", { FifoQueue: "true", DeduplicationScope: "messageGroup" });
    for (const groupId of ["g", "h", "g"]) store.send("q.fifo", { body: groupId, groupId, deduplicationId: "d" });
    expect(store.counts("q.fifo").visible).toBe(2);
  });
});

describe("faults of deliveries", () => {
  it("deliver some messages twice", () => {
    store.close();
    store = open(new Faults({ seed: 1, duplicate: 0.5 }));
    store.createQueue("q");
    store.sendBatch(
      "q",
      Array.from({ length: 100 }, (_, i) => ({ body: `${i}` })),
    );
    const first = bodies("q", 100);
    const second = bodies("q", 100);
    expect(new Set(first).size).toBe(100);
    expect(second.length).toBeGreaterThan(20);
    expect(second.length).toBeLessThan(80);
  });

  it("reorder a standard queue, and never a FIFO queue", () => {
    store.close();
    store = open(new Faults({ seed: 1, reorder: 1 }));
    const numbers = Array.from({ length: 20 }, (_, i) => `${i}`);
    store.createQueue("q");
    store.sendBatch(
      "q",
      numbers.map((body) => ({ body })),
    );
    const received = [...bodies("q"), ...bodies("q")];
    expect(received).not.toEqual(numbers);
    expect(received.sort((a, b) => Number(a) - Number(b))).toEqual(numbers);
    store.createQueue("q.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
    store.sendBatch(
      "q.fifo",
      numbers.map((body) => ({ body, groupId: "g" })),
    );
    expect(bodies("q.fifo", 20)).toEqual(numbers);
  });

  it("are the same for the same seed, and spare excepted queues", () => {
    const run = (seed: number) => {
      const faults = new Faults({ seed, duplicate: 0.5, exceptQueues: ["spared"] });
      return Array.from({ length: 50 }, () => [faults.duplicates("q"), faults.duplicates("spared")]);
    };
    expect(run(7)).toEqual(run(7));
    expect(run(7)).not.toEqual(run(8));
    expect(run(7).some(([, spared]) => spared)).toBe(false);
  });

  it("refuse a probability above 1", () => {
    expect(() => new Faults({ seed: 1, throttle: 1.1 })).toThrow(RangeError);
  });
});
