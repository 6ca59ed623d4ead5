import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Faults } from "../../../../local/sqs/injected-faults.ts";
import { queueArn } from "../../../../local/sqs/queue-registry.ts";
import { QueueStore } from "../../../../local/sqs/queue-store.ts";

const SECOND = 1_000;
let now: number;
let faults: Faults;
let store: QueueStore;
/** The handle of the latest receive of each message, by its body. */
let handles: Map<string, string>;

beforeEach(() => {
  now = 1_000_000_000_000;
  faults = new Faults({ seed: 1 });
  store = new QueueStore({ file: ":memory:", clock: () => now, faults });
  store.createQueue("q");
  handles = new Map();
});
afterEach(() => store.close());

const send = (...bodies: string[]) => {
  for (const body of bodies) store.send("q", { body });
};
const receive = (max = 10) =>
  store.receive({ queue: "q", max, visibilityTimeoutSeconds: 30 }).map(({ body, receiptHandle }) => {
    handles.set(body, receiptHandle);
    return body;
  });
const handleOf = (body: string) => handles.get(body) ?? "";
const hide = (body: string, seconds: number) => store.changeVisibility("q", handleOf(body), seconds);
const putBack = (...bodies: string[]) => {
  for (const body of bodies) hide(body, 0);
};
const failingTransaction = (work: () => void) =>
  expect(() =>
    store.transaction(() => {
      work();
      throw new Error("undone");
    }),
  ).toThrow("undone");

describe("a message that was put back", () => {
  test("is delivered once, also after another receiver hid it", () => {
    send("a", "b", "c");
    receive();
    putBack("a", "b");
    expect(receive(1)).toEqual(["a"]);
    hide("a", 10);
    now += 10 * SECOND;
    expect(receive()).toEqual(["b", "a"]);
  });

  test("is delivered once, also after its receiver hid it again", () => {
    send("a", "b");
    receive();
    putBack("a");
    hide("a", 10);
    expect(receive()).toEqual([]);
    now += 10 * SECOND;
    expect(receive()).toEqual(["a"]);
  });

  test("is delivered once after a transaction that failed", () => {
    send("a", "b");
    receive();
    putBack("a", "b");
    failingTransaction(() => receive(1));
    expect(receive()).toEqual(["a", "b"]);
  });

  test("is not delivered in addition to as many messages as were asked for", () => {
    send("deleted", "a", "b", "c");
    receive();
    putBack("deleted", "a", "b", "c");
    store.deleteMessage("q", handleOf("deleted"));
    expect(receive(2)).toEqual(["a", "b"]);
  });

  test("returns to its place after its receiver had hidden it for longer", () => {
    send("a");
    now += SECOND;
    send("b");
    receive(1);
    hide("a", 60);
    now += SECOND;
    putBack("a");
    expect(receive()).toEqual(["a", "b"]);
  });

  test("stays there when a later transaction fails", () => {
    send("a");
    receive();
    putBack("a");
    failingTransaction(() => send("b"));
    expect(store.counts("q")).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
  });

  test("is delivered again if it was delivered twice and the second answer was lost", () => {
    send("a");
    now += SECOND;
    faults.set({ duplicate: 1 });
    receive();
    faults.clear();
    store.undoReceives("q", [handleOf("a")]);
    const [again] = store.receive({ queue: "q", max: 10 });
    expect(again).toMatchObject({ body: "a", systemAttributes: { ApproximateReceiveCount: "1" } });
  });
});

describe("a message under way", () => {
  test("is visible as before if a transaction fails that received and deleted it", () => {
    send("a");
    failingTransaction(() => {
      receive();
      store.deleteMessage("q", handleOf("a"));
    });
    expect(store.counts("q")).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
  });

  test("becomes visible in its time if a transaction fails that deleted it", () => {
    send("a");
    receive();
    failingTransaction(() => {
      store.deleteMessage("q", handleOf("a"));
      expect(store.nextVisibleAt("q")).toBeUndefined();
    });
    now += 30 * SECOND;
    expect(receive()).toEqual(["a"]);
  });

  test("becomes visible in its time after thousands of others were deleted", () => {
    send("kept");
    receive();
    const others = Array.from({ length: 1_100 }, (_, index) => ({ body: `${index}` }));
    store.sendBatch("q", others);
    receive(others.length);
    const deleted = others.map(({ body }) => handleOf(body));
    expect(store.deleteMessages("q", deleted).every(({ ok }) => ok)).toBe(true);
    now += SECOND;
    send("last");
    expect(receive()).toEqual(["last"]);
    expect(store.nextVisibleAt("q")).toBe(now + 29 * SECOND);
    now += 29 * SECOND;
    expect(receive()).toEqual(["kept"]);
  });

  test("does not hide a message before it that nobody has received", () => {
    faults.set({ reorder: 1, reorderWindow: 10 });
    vi.spyOn(faults, "pick").mockImplementation((items, count) => items.slice(-count));
    send("a", "b", "c");
    expect([receive(1), receive(1), receive(1)]).toEqual([["c"], ["b"], ["a"]]);
  });
});

describe("messages behind others that are under way", () => {
  test("are delivered once each", () => {
    faults.set({ reorder: 1, reorderWindow: 2 });
    vi.spyOn(faults, "pick").mockImplementation((items, count) => items.slice(0, count));
    send("under way", "also under way", "a", "b", "c");
    receive(2);
    faults.clear();
    expect(receive(3)).toEqual(["a", "b", "c"]);
  });
});

describe("a clock that is set back", () => {
  test("does not change how many messages are in flight", () => {
    send("a");
    expect(receive()).toEqual(["a"]);
    now -= 10 * SECOND;
    send("b");
    expect(receive()).toEqual(["b"]);
    expect(store.counts("q")).toEqual({ visible: 0, inFlight: 2, delayed: 0 });
  });

  test("hides no message that a move task moves", () => {
    store.createQueue("dead");
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: queueArn("dead"), maxReceiveCount: 5 });
    store.setAttributes("q", { RedrivePolicy });
    store.send("dead", { body: "dead" });
    now += 20 * SECOND;
    send("a");
    expect(receive()).toEqual(["a"]);
    now -= 10 * SECOND;
    store.moveTasks.start({ sourceArn: queueArn("dead"), destinationArn: queueArn("q") });
    store.clockAdvanced();
    expect(receive()).toEqual(["dead"]);
  });
});
