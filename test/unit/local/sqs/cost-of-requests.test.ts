import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Database } from "../../../../local/sqs/database.ts";
import { Faults } from "../../../../local/sqs/injected-faults.ts";
import { queueArn } from "../../../../local/sqs/queue-registry.ts";
import { QueueStore } from "../../../../local/sqs/queue-store.ts";
import { allowInFlight } from "./allow-in-flight.ts";

let now: number;
let faults: Faults;
let store: QueueStore;

beforeEach(() => {
  now = 1_000_000_000_000;
  faults = new Faults({ seed: 1 });
  store = new QueueStore({ file: ":memory:", clock: () => now, faults });
  store.createQueue("q");
});
afterEach(() => {
  vi.restoreAllMocks();
  store.close();
});

const send = (count: number) => store.sendBatch("q", Array(count).fill({ body: "x" }));
const receive = (max: number, visibilityTimeoutSeconds = 30) =>
  store.receive({ queue: "q", max, visibilityTimeoutSeconds }).map(({ receiptHandle }) => receiptHandle);
const hide = (handles: readonly string[], seconds: number) => {
  for (const handle of handles) store.changeVisibility("q", handle, seconds);
};

/** How many statements `work` runs, by kind, and how many rows it reads. */
function costOf(work: () => void) {
  const all = vi.spyOn(Database.prototype, "all");
  const others = (["get", "one", "run"] as const).map((method) => vi.spyOn(Database.prototype, method));
  work();
  const statements = [all, ...others].flatMap(({ mock }) => mock.calls.map(([sql]) => String(sql)));
  const rows = all.mock.results.reduce((sum, { value }) => sum + (value as unknown[]).length, 0);
  vi.restoreAllMocks();
  const count = (kind: RegExp) => statements.filter((sql) => kind.test(sql)).length;
  return {
    rows,
    reads: count(/^\s*SELECT/),
    counts: count(/^\s*SELECT count/),
    writes: count(/^\s*(INSERT|UPDATE|DELETE)/),
    transactions: count(/^BEGIN/),
  };
}

describe("a receive", () => {
  test("reads the messages that it delivers, however many others are under way", () => {
    send(300);
    receive(200);
    expect(costOf(() => receive(10))).toMatchObject({ rows: 10, reads: 1, writes: 0 });
    expect(costOf(() => receive(10))).toMatchObject({ rows: 10, reads: 1, writes: 0 });
  });

  test("reads the rows of messages that were received out of order once", () => {
    send(100);
    faults.set({ reorder: 1, reorderWindow: 90 });
    vi.spyOn(faults, "pick").mockImplementation((items, count) => items.slice(0, count));
    receive(90);
    receive(1);
    // Nine messages that nobody has received, the one before them, and the body of the one that is delivered.
    expect(costOf(() => receive(1)).rows).toBe(11);
  });

  test("reads no more messages than it delivers, whether they were put back or never received", () => {
    send(30);
    hide(receive(5), 0);
    expect(costOf(() => receive(10)).rows).toBe(10);
  });

  test("reads no more messages than it delivers, whether they were sent at the same time or later", () => {
    send(8);
    now += 1;
    send(30);
    receive(5);
    expect(costOf(() => receive(10)).rows).toBe(10);
  });

  test("reads nothing else if enough messages were put back", () => {
    send(10);
    hide(receive(5), 0);
    expect(costOf(() => receive(5))).toMatchObject({ rows: 5, reads: 1 });
  });

  test("looks once for more messages than there are", () => {
    send(1);
    receive(1);
    send(3);
    // Those that were sent at one time, and those that were sent later.
    expect(costOf(() => receive(10))).toMatchObject({ rows: 3, reads: 2 });
  });

  test("does not look again for messages that were put back and deleted", () => {
    send(5);
    const handles = receive(5);
    hide(handles, 0);
    store.deleteMessages("q", handles);
    const first = costOf(() => receive(5));
    expect(costOf(() => receive(5)).reads).toBe(first.reads - 1);
  });

  test("does not read messages again that were put back and received again", () => {
    send(5);
    hide(receive(5), 0);
    expect(receive(5)).toHaveLength(5);
    expect(costOf(() => receive(5)).rows).toBe(0);
  });

  test("reads nothing while too many messages are in flight", () => {
    using _ = allowInFlight(2);
    send(5);
    receive(2);
    expect(costOf(() => receive(2))).toMatchObject({ rows: 0, counts: 1, reads: 1 });
  });

  test("of a FIFO queue reads no more message groups than it needs", () => {
    store.createQueue("q.fifo", { FifoQueue: "true" });
    expect(store.receive({ queue: "q.fifo", max: 1 })).toEqual([]);
    for (const [groupId, body] of [
      ["a", "1"],
      ["a", "2"],
      ["b", "3"],
    ] as const)
      store.send("q.fifo", { body, groupId, deduplicationId: body });
    const bodies: string[] = [];
    const cost = costOf(() => {
      for (const { body } of store.receive({ queue: "q.fifo", max: 2 })) bodies.push(body);
    });
    expect(bodies).toEqual(["1", "2"]);
    // Two groups, and two messages of the first one. The third statement looks for the next message of that group.
    expect(cost).toMatchObject({ rows: 4, reads: 3 });
  });
});

describe("the messages in flight are not counted", () => {
  test("while there cannot be too many", () => {
    using _ = allowInFlight(4);
    send(10);
    receive(2);
    expect(costOf(() => receive(2)).counts).toBe(0);
  });

  test("after the time of one of them was changed", () => {
    using _ = allowInFlight(4);
    send(10);
    hide(receive(2), 60);
    expect(costOf(() => receive(2)).counts).toBe(0);
  });

  test("after a message that was visible was made visible", () => {
    using _ = allowInFlight(4);
    send(10);
    const [first] = receive(2);
    for (let time = 0; time < 2; time++) store.changeVisibility("q", first ?? "", 0);
    expect(costOf(() => receive(2)).counts).toBe(0);
  });
});

describe("nothing is written", () => {
  test("when messages are counted and no receive has ended", () => {
    send(2);
    receive(2);
    expect(costOf(() => store.counts("q"))).toMatchObject({ writes: 0, transactions: 0 });
  });

  test("of receives that end later than others", () => {
    send(2);
    receive(1, 10);
    receive(1, 30);
    now += 10_000;
    expect(costOf(() => store.counts("q"))).toMatchObject({ writes: 1, transactions: 1 });
  });

  test("when the first receive of a message is undone", () => {
    send(1);
    const handles = receive(1);
    expect(costOf(() => store.undoReceives("q", handles)).writes).toBe(0);
  });

  test("by a message move task that has to wait because of its rate", () => {
    store.createQueue("dead");
    store.setAttributes("q", {
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: queueArn("dead"), maxReceiveCount: 5 }),
    });
    for (const body of ["a", "b"]) store.send("dead", { body });
    store.moveTasks.start({ sourceArn: queueArn("dead"), destinationArn: queueArn("q"), messagesPerSecond: 1 });
    store.clockAdvanced();
    expect(costOf(() => store.clockAdvanced()).writes).toBe(0);
  });
});

describe("a message", () => {
  test("costs one statement to send, and one to delete", () => {
    send(1);
    expect(costOf(() => send(1))).toMatchObject({ writes: 1, reads: 0 });
    const handles = receive(2);
    expect(costOf(() => store.deleteMessages("q", handles))).toMatchObject({ writes: 1, reads: 0 });
  });

  test("costs one statement to delete after its visibility was changed", () => {
    send(1);
    const handles = receive(1);
    hide(handles, 60);
    expect(costOf(() => store.deleteMessages("q", handles))).toMatchObject({ writes: 1, reads: 0 });
  });
});

test("Each statement is prepared once", () => {
  send(2);
  receive(1);
  const prepare = vi.spyOn(DatabaseSync.prototype, "prepare");
  receive(1);
  expect(prepare).not.toHaveBeenCalled();
});
