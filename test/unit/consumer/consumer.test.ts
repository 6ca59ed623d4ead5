import { describe, expect, test, vi } from "vitest";
import * as z from "zod";
import { Queue } from "../../../shared/aws/queue.ts";
import type { SlotSupplier, SlotUse } from "../../../shared/consumer/slots/slot-supplier.ts";
import { topology } from "../../../shared/definition/topology.ts";
import { defineWorkflow, PermanentError, RetryLater, type TaskContext, Throttled } from "../../../shared/index.ts";
import { toJson } from "../../../shared/messages/body.ts";
import { deadLetterBody } from "../../../shared/messages/dead-letter.ts";
import { envelopeBody, parseEnvelope } from "../../../shared/messages/envelope.ts";
import { addressOf, attemptsKey } from "../../../shared/messages/item-address.ts";
import { ConsumerWorld, RUN } from "../../helpers/consumer-world.ts";
import { failureOf } from "../../helpers/failures.ts";
import { HOSTILE_VALUES } from "../../helpers/hostile-values.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { refusedBySqs } from "../../helpers/sqs-characters.ts";
import { workflowOptions } from "../../helpers/workflow-options.ts";

const ok = { succeeded: 0, dead: 0, retried: 0, pending: 0 };
const once = { attempts: 1 };

describe("a batch", () => {
  test("whose tasks succeed is deleted, is recorded in one write, and completes the run", async () => {
    const world = await ConsumerWorld.of([..."abcdefghij"]);
    const task = vi.fn();
    expect(await world.consume({ task })).toEqual([]);
    expect(task.mock.calls.map(([item]) => item).sort()).toEqual([..."abcdefghij"]);
    expect(await world.counts()).toMatchObject({ ...ok, produced: 10, succeeded: 10 });
    expect(await world.status()).toBe("completed");
    expect(world.store.updates.filter(({ sk }) => sk === "page")).toHaveLength(1);
    // No earlier attempts were looked up.
    expect(world.sqs.sent).toEqual([]);
    expect(world.metrics.counts).toEqual({ succeeded: 10 });
    expect(world.metrics.durations).toHaveLength(10);
  });

  test("may be empty", async () => {
    const world = await ConsumerWorld.of(["a"]);
    expect(await world.consume({}, [])).toEqual([]);
  });

  test("reports the ids of the messages whose tasks fail, and no others", async () => {
    const world = await ConsumerWorld.of([0, 1, 2, 3, 4, 5]);
    const task = async (item: unknown) => {
      // The tasks end in another order than the batch's.
      for (let turn = 0; turn < 10 - Number(item); turn++) await null;
      if (Number(item) % 2 === 1) throw new Error(`odd ${item}`);
    };
    expect([...(await world.consume({ task }))].sort()).toEqual(["1", "3", "5"]);
    expect(await world.counts()).toMatchObject({ succeeded: 3, pending: 3, dead: 0 });
    expect(await world.status()).toBe("running");
    expect(world.metrics.counts).toEqual({ succeeded: 3, retried: 3 });
  });

  test("never has more tasks in flight than the environment has slots, and fills each free slot", async () => {
    const world = await ConsumerWorld.of(Array.from({ length: 40 }, (_, index) => index));
    let inFlight = 0;
    const levels: number[] = [];
    const task = async (item: unknown) => {
      levels.push(++inFlight);
      for (let turn = 0; turn < 1 + ((Number(item) * 7) % 5); turn++) await new Promise(setImmediate);
      inFlight--;
      if (Number(item) % 3 === 0) throw new Error("x");
    };
    await world.consume({ task }, world.messages(), { tasksPerEnvironment: 4 });
    expect(Math.max(...levels)).toBe(4);
    // All tasks after the first four begin as the fourth of four.
    expect(levels.slice(4).filter((level) => level < 4)).toEqual([]);
    expect(levels).toHaveLength(40);
    expect(world.metrics.peakInFlight).toBe(4);
  });

  test("with several pages is recorded in one write per page", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    await world.ledger.pages.open({ run: RUN, partition: 0, page: 1 }, { size: 2, digest: "e" });
    const other = (index: number) =>
      world.raw(
        envelopeBody({ workflow: "test", run: RUN, partition: 0, page: 1, epoch: 1, resent: false }, index, "1"),
        {
          id: `other ${index}`,
        },
      );
    world.store.updates.length = 0;
    expect(await world.consume({}, [world.message(0), other(0), world.message(1), other(1)])).toEqual([]);
    expect(world.store.updates.filter(({ sk }) => sk === "page").map(({ pk }) => pk)).toEqual([
      `run#${RUN}#page#0`,
      `run#${RUN}#page#1`,
    ]);
  });

  test("gives each task its identity", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    const contexts: Omit<TaskContext, "signal" | "logger">[] = [];
    const task = (_: unknown, { signal: _s, logger: _l, ...context }: TaskContext) => void contexts.push(context);
    await world.consume({ task });
    const first = { attempt: 1, waits: 0, redrives: 0, run: { id: RUN, workflow: "test" } };
    expect(contexts).toEqual([
      { ...first, id: `${RUN}/0/0`, idempotencyKey: `${RUN}/0/0` },
      { ...first, id: `${RUN}/0/1`, idempotencyKey: `${RUN}/0/1` },
    ]);
  });
});

describe("a failed attempt", () => {
  const fails = () => {
    throw new Error("no luck");
  };

  test("makes its message visible after a backoff that doubles", async () => {
    const world = await ConsumerWorld.of(["a"]);
    for (let receiveCount = 1; receiveCount <= 4; receiveCount++) {
      // random is 0.5: half of 8, 16, 32, 60 (capped) seconds.
      const retry = { attempts: 9, backoff: { base: { seconds: 8 }, cap: { seconds: 60 } } };
      expect(await world.consume({ task: fails, retry }, [world.message(0, { receiveCount })])).toEqual(["0"]);
    }
    expect(world.sqs.visibilities.map(({ seconds }) => seconds)).toEqual([4, 8, 16, 30]);
    expect(world.sqs.visibilities[0]?.receiptHandle).toBe("handle-0");
  });

  test("that asks for a delay gets it, whatever the backoff is", async () => {
    const world = await ConsumerWorld.of(["a", "b", "c"]);
    // The error of another copy of the library, as another bundle may have it.
    const copy = Object.assign(new Error("later"), { code: "RETRY_LATER", afterMilliseconds: 2_500 });
    const thrown = [new RetryLater({ minutes: 3 }), new RetryLater({ seconds: 0 }), copy];
    const task = (item: unknown) => {
      throw thrown[["a", "b", "c"].indexOf(String(item))];
    };
    await world.consume({ task });
    expect(
      Object.fromEntries(world.sqs.visibilities.map(({ receiptHandle, seconds }) => [receiptHandle, seconds])),
    ).toEqual({ "handle-0": 180, "handle-1": 1, "handle-2": 3 });
  });

  test("is followed by an attempt with the next number", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const attempts: number[] = [];
    const task = (_: unknown, { attempt }: TaskContext) => {
      attempts.push(attempt);
      throw new Error("x");
    };
    for (const receiveCount of [1, 2, 3]) await world.consume({ task }, [world.message(0, { receiveCount })]);
    expect(attempts).toEqual([1, 2, 3]);
  });

  test("that is followed by a success counts as one retry", async () => {
    const world = await ConsumerWorld.of(["a"]);
    await world.consume({ task: fails });
    await world.consume({}, [world.message(0, { receiveCount: 2 })]);
    expect(await world.counts()).toMatchObject({ succeeded: 1, retried: 1, dead: 0, pending: 0 });
    expect(await world.status()).toBe("completed");
  });

  test("that is the last one moves the item and its history to the dead-letter queue", async () => {
    const world = await ConsumerWorld.of([{ city: "Köln 😀" }]);
    const workflow = { task: fails, retry: { attempts: 3 } };
    expect(await world.consume(workflow, [world.message(0, { receiveCount: 1 })])).toEqual(["0"]);
    expect(await world.consume(workflow, [world.message(0, { receiveCount: 2 })])).toEqual(["0"]);
    expect(await world.consume(workflow, [world.message(0, { receiveCount: 3 })])).toEqual([]);
    expect(world.deadLetters).toHaveLength(1);
    const [deadLetter] = world.deadLetters;
    expect(deadLetter).toMatchObject({ run: RUN, page: 0, index: 0, item: { city: "Köln 😀" } });
    expect(deadLetter?.dead).toMatchObject({ reason: "exhausted", redrives: 0 });
    expect(deadLetter?.dead.failures.map(({ attempt, message, kind }) => [attempt, message, kind])).toEqual([
      [1, "no luck", "threw"],
      [2, "no luck", "threw"],
      [3, "no luck", "threw"],
    ]);
    expect(await world.counts()).toMatchObject({ succeeded: 0, dead: 1, retried: 2, deadByReason: { exhausted: 1 } });
    expect(await world.status()).toBe("completed");
    expect(world.metrics.counts).toEqual({ retried: 2, deadLettered: 1 });
  });

  test.each([
    ["PermanentError", new PermanentError("never")],
    ["a PermanentError of another copy of the library", Object.assign(new Error("never"), { code: "PERMANENT" })],
  ])("that throws %s is not retried", async (_, error) => {
    const world = await ConsumerWorld.of(["a"]);
    const task = () => Promise.reject(error);
    expect(await world.consume({ task })).toEqual([]);
    expect(world.deadLetters[0]?.dead).toMatchObject({
      reason: "permanent",
      failures: [{ attempt: 1, message: "never" }],
    });
    expect(await world.counts()).toMatchObject({ dead: 1, retried: 0, deadByReason: { permanent: 1 } });
  });

  test("that throws undefined is like any other", async () => {
    const world = await ConsumerWorld.of(["a"]);
    expect(await world.consume({ task: () => Promise.reject(undefined), retry: once })).toEqual([]);
    expect(world.deadLetters[0]?.dead).toMatchObject({
      reason: "exhausted",
      failures: [{ name: "NonError", message: expect.stringContaining("thrown: undefined") }],
    });
  });

  test.each(Object.entries(HOSTILE_VALUES))(
    "that throws %s is recorded at once, and a good item beside it succeeds",
    async (_, value) => {
      const world = await ConsumerWorld.of(["bad", "good"]);
      const task = (item: unknown) => (item === "bad" ? Promise.reject(value.make()) : undefined);
      expect(await world.consume({ task, retry: once })).toEqual([]);
      expect(world.deadLetters).toHaveLength(1);
      expect(world.deadLetters[0]?.dead).toMatchObject({
        reason: "exhausted",
        failures: [{ attempt: 1, kind: "threw", name: value.name }],
      });
      expect(await world.counts()).toMatchObject({ succeeded: 1, dead: 1, retried: 0 });
    },
  );

  test("that times out is counted as timed out", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    const task = (item: unknown) => (item === "a" ? new Promise(() => {}) : undefined);
    expect(await world.consume({ task, timeout: { milliseconds: 20 }, retry: once })).toEqual([]);
    expect(world.deadLetters[0]?.dead).toMatchObject({ reason: "exhausted", failures: [{ kind: "timed out" }] });
    expect(await world.counts()).toMatchObject({ succeeded: 1, dead: 1 });
    expect(world.metrics.counts).toMatchObject({ timedOut: 1 });
  });

  test("of an invalid item is not retried, and the run goes on", async () => {
    const world = await ConsumerWorld.of([{ id: 1 }, { id: "2" }]);
    const task = vi.fn();
    expect(await world.consume({ task, item: z.object({ id: z.number() }) })).toEqual([]);
    expect(task).toHaveBeenCalledExactlyOnceWith({ id: 1 }, expect.anything());
    expect(world.deadLetters).toMatchObject([
      {
        item: { id: "2" },
        dead: { reason: "invalid item", failures: [{ kind: "invalid", name: "InvalidItemError" }] },
      },
    ]);
    expect(await world.status()).toBe("completed");
  });

  test("whose error cannot be read makes its message come again, and harms no other item", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    const hostile = new Proxy(new Error("x"), {
      get() {
        throw new Error("do not look at me");
      },
    });
    expect(await world.consume({ task: (item) => (item === "a" ? Promise.reject(hostile) : undefined) })).toEqual([
      "0",
    ]);
    expect(await world.counts()).toMatchObject({ succeeded: 1, pending: 1 });
  });
});

describe("a message that was received before", () => {
  test("is deleted without an attempt if its item is done, and the completion is rolled up again", async () => {
    const world = await ConsumerWorld.of(["a"]);
    // The consumer ends between recording the success and completing the run.
    world.store.before = (operation, key) => {
      if (operation === "update" && key?.sk === "block") throw new Error("died");
    };
    expect(await world.consume({})).toEqual(["0"]);
    world.store.before = () => {};
    expect(await world.status()).toBe("running");
    const task = vi.fn();
    expect(await world.consume({ task }, [world.message(0, { receiveCount: 2 })])).toEqual([]);
    expect(task).not.toHaveBeenCalled();
    expect(await world.status()).toBe("completed");
  });

  test("is deleted without an attempt if its item is dead, and no second dead letter is sent", async () => {
    const world = await ConsumerWorld.of(["a"]);
    await world.consume({ task: () => Promise.reject(new PermanentError("no")) });
    const task = vi.fn();
    expect(await world.consume({ task }, [world.message(0, { receiveCount: 2 })])).toEqual([]);
    expect(task).not.toHaveBeenCalled();
    expect(world.deadLetters).toHaveLength(1);
  });

  test("is dead-lettered without an attempt if the last attempt was recorded, but not the death", async () => {
    const world = await ConsumerWorld.of(["a"]);
    world.sqs.before = () => Promise.reject(new Error("SQS is down"));
    const workflow = { task: () => Promise.reject(new PermanentError("no")) };
    expect(await world.consume(workflow)).toEqual(["0"]);
    world.sqs.before = () => {};
    const task = vi.fn();
    expect(await world.consume({ task }, [world.message(0, { receiveCount: 2 })])).toEqual([]);
    expect(task).not.toHaveBeenCalled();
    expect(world.deadLetters).toMatchObject([{ dead: { reason: "permanent", failures: [{ attempt: 1 }] } }]);
    expect(await world.status()).toBe("completed");
  });

  test("is exhausted if a deployment leaves fewer attempts than it has failures", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const task = vi.fn(() => Promise.reject(new Error("x")));
    await world.consume({ task });
    await world.consume({ task }, [world.message(0, { receiveCount: 2 })]);
    expect(await world.consume({ task, retry: { attempts: 2 } }, [world.message(0, { receiveCount: 3 })])).toEqual([]);
    expect(task).toHaveBeenCalledTimes(2);
    expect(world.deadLetters[0]?.dead).toMatchObject({ reason: "exhausted", failures: [{}, {}] });
  });

  test("is dropped if it is of an earlier epoch of its page, before or after its attempt", async () => {
    const world = await ConsumerWorld.of(["a"], undefined, ["d", "changed"]);
    const task = vi.fn();
    expect(await world.consume({ task }, [world.message(0, { receiveCount: 2 })])).toEqual([]);
    expect(task).not.toHaveBeenCalled();
    expect(await world.consume({ task }, [world.message(0)])).toEqual([]);
    expect(await world.consume({ task: () => Promise.reject(new PermanentError("x")) }, [world.message(0)])).toEqual(
      [],
    );
    expect(world.deadLetters).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 0, dead: 0, pending: 1 });
    expect(await world.consume({ task }, [world.message(0, { epoch: 2 })])).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 1, pending: 0 });
  });

  test("many times without any record gets one more attempt, isolated: the ledger may have been down", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const task = vi.fn();
    expect(await world.consume({ task }, [world.message(0, { receiveCount: 99 })])).toEqual([]);
    expect(task).not.toHaveBeenCalled();
    expect(await world.counts()).toMatchObject({ succeeded: 1, dead: 0 });
  });

  test.for([
    [1, 2],
    [2, 3],
    [5, 24],
    [50, 225],
  ])(
    "and now for the %ith time, during an outage of the ledger, is hidden for %i s and comes again",
    async ([receiveCount = 0, seconds]) => {
      const world = await ConsumerWorld.of(["a"]);
      world.store.before = () => Promise.reject(new Error("down"));
      const task = vi.fn();
      expect(await world.consume({ task }, [world.message(0, { receiveCount })])).toEqual(["0"]);
      expect(task).not.toHaveBeenCalled();
      expect(world.sqs.visibilities).toEqual([{ receiptHandle: "handle-0", seconds }]);
    },
  );

  test("and was redriven gets fresh attempts and keeps its history", async () => {
    const world = await ConsumerWorld.of(["a"]);
    await world.consume({ task: () => Promise.reject(new PermanentError("first generation")) });
    const deadLetter = () => world.raw(world.rawDeadLetters.at(-1)?.body ?? "", { id: "redriven" });
    expect(
      await world.consume({ task: () => Promise.reject(new PermanentError("second generation")) }, [deadLetter()]),
    ).toEqual([]);
    expect(world.deadLetters[1]?.dead).toMatchObject({
      redrives: 1,
      failures: [{ message: "first generation" }, { message: "second generation" }],
    });
    expect(await world.counts()).toMatchObject({ dead: 1, succeeded: 0 });
    const contexts: Partial<TaskContext>[] = [];
    const task = (_: unknown, { attempt, redrives, id, idempotencyKey }: TaskContext) =>
      void contexts.push({ attempt, redrives, id, idempotencyKey });
    await world.consume({ task }, [deadLetter()]);
    const id = `${RUN}/0/0`;
    expect(contexts).toEqual([{ attempt: 1, redrives: 2, id, idempotencyKey: id }]);
  });
});

describe("a message that is not of this workflow", () => {
  const own = { DataType: "String", StringValue: "theirs" };

  test.each([
    ["text", "hello 😀"],
    ["an emoji alone", "😀"],
    ["JSON of another application", '{"Records":[]}'],
    ["a key with a control character", '{"\\u0001":1}'],
    ["a key with half an emoji", '{"\\ud83d":1}'],
    ["a version and nothing else", '{"sluice":2}'],
    ["long", `{"${"x".repeat(5_000)}":1}`],
  ])("(%s) is moved unchanged to the dead-letter queue, with the reason in an attribute", async (_, body) => {
    const world = await ConsumerWorld.of(["a"]);
    const task = vi.fn();
    const foreign = world.raw(body, { attributes: { colour: own } });
    expect(await world.consume({ task }, [foreign, world.message(0)])).toEqual([]);
    expect(world.rawDeadLetters).toHaveLength(1);
    const [deadLetter] = world.rawDeadLetters;
    expect(deadLetter?.body).toBe(body);
    expect(deadLetter?.attributes).toEqual({
      colour: own,
      SluiceReason: { DataType: "String", StringValue: expect.stringMatching(/^malformed message: the body is not/) },
    });
    expect(refusedBySqs(deadLetter?.attributes.SluiceReason?.StringValue ?? "")).toEqual([]);
    expect(deadLetter?.attributes.SluiceReason?.StringValue?.length).toBeLessThanOrEqual(1_000);
    // The other messages of the batch are not affected.
    expect(task).toHaveBeenCalledExactlyOnceWith("a", expect.anything());
    expect(world.metrics.counts).toEqual({ deadLettered: 1, succeeded: 1 });
  });

  test("but of another workflow gets a reason that says so", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const header = { workflow: "other\u0000", run: RUN, partition: 0, page: 0, epoch: 1, resent: false };
    const body = envelopeBody(header, 0, '"a"');
    expect(await world.consume({}, [world.raw(body)])).toEqual([]);
    expect(world.rawDeadLetters[0]).toMatchObject({
      body,
      attributes: {
        SluiceReason: {
          StringValue: 'malformed message: the message is of workflow "other\uFFFD", this is the queue of "test"',
        },
      },
    });
    expect(await world.counts()).toMatchObject({ pending: 1 });
  });

  test.each([
    ["of a mebibyte", { body: "x".repeat(1_048_576), attributes: {} }],
    ["with ten attributes", { body: "x", attributes: Object.fromEntries([..."abcdefghij"].map((key) => [key, own])) }],
  ])("%s has no room for a reason, and is moved as it came", async (_, { body, attributes }) => {
    const world = await ConsumerWorld.of(["a"]);
    expect(await world.consume({}, [world.raw(body, { attributes })])).toEqual([]);
    expect(world.rawDeadLetters).toEqual([{ queue: expect.any(String), body, attributes }]);
  });

  test("gets a new reason in place of an earlier one, also among ten attributes", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const attributes = Object.fromEntries([..."abcdefghi", "SluiceReason"].map((key) => [key, own]));
    await world.consume({}, [world.raw("x", { attributes })]);
    expect(world.rawDeadLetters[0]?.attributes).toMatchObject({
      a: own,
      SluiceReason: { StringValue: expect.stringContaining("malformed message") },
    });
  });

  test("comes again if it cannot be moved to the dead-letter queue", async () => {
    const world = await ConsumerWorld.of(["a"]);
    world.sqs.before = () => Promise.reject(new Error("SQS is down"));
    expect(await world.consume({}, [world.raw("x"), world.message(0)])).toEqual(["raw"]);
  });
});

describe("if something else fails", () => {
  const down = () => {
    throw new Error("down");
  };

  test("and successes cannot be recorded, all of them come again, and nothing is lost", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    world.store.before = (operation) => operation === "update" && down();
    expect([...(await world.consume({}))].sort()).toEqual(["0", "1"]);
    world.store.before = () => {};
    // They look like items that ended their process, so they are isolated, one at a time.
    const again = await world.consume({}, world.messages({ receiveCount: 2 }));
    expect(again).toHaveLength(1);
    const rest = world.messages({ receiveCount: 3 }).filter(({ id }) => again.includes(id));
    expect(await world.consume({}, rest)).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 2, retried: 0 });
  });

  test("and the ledger cannot be read, messages that were received before come again, and new ones run", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    world.store.before = (operation) => operation === "getMany" && down();
    const task = vi.fn();
    const again = await world.consume({ task }, [world.message(0, { receiveCount: 2 }), world.message(1)]);
    expect(again).toEqual(["0"]);
    expect(task).toHaveBeenCalledExactlyOnceWith("b", expect.anything());
  });

  test("and a retry cannot be scheduled, it follows after the visibility timeout", async () => {
    const world = await ConsumerWorld.of(["a"]);
    world.sqs.before = () => Promise.reject(new Error("SQS is down"));
    expect(await world.consume({ task: down })).toEqual(["0"]);
    expect(await world.consume({}, [world.message(0, { receiveCount: 2 })])).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 1, retried: 1 });
  });

  // A death has four steps: record the failure, claim the death, send the dead letter, record the death.
  test("and a failure cannot be recorded, the item stays pending, and its message comes again", async () => {
    const world = await ConsumerWorld.of(["a"]);
    world.store.before = (operation) => operation === "update" && down();
    expect(await world.consume({ task: () => Promise.reject(new PermanentError("no")) })).toEqual(["0"]);
    expect(world.deadLetters).toEqual([]);
    world.store.before = () => {};
    expect(await world.counts()).toMatchObject({ pending: 1, dead: 0 });
  });

  test.each([1, 2, 3, 4, 5, 6])(
    "at step %i of a death, the item still dies once, with its dead letter",
    async (step) => {
      const world = await ConsumerWorld.of(["a"]);
      let steps = 0;
      const fail = () => {
        if (steps++ === step) down();
      };
      world.store.before = (operation) => operation === "update" && fail();
      world.sqs.before = fail;
      const task = vi.fn(() => Promise.reject(new PermanentError("no")));
      const again = await world.consume({ task });
      world.store.before = () => {};
      world.sqs.before = () => {};
      if (again.length > 0) expect(await world.consume({ task }, [world.message(0, { receiveCount: 2 })])).toEqual([]);
      expect(await world.counts()).toMatchObject({ dead: 1, succeeded: 0, deadByReason: { permanent: 1 } });
      expect(await world.status()).toBe("completed");
      expect(world.deadLetters.length).toBeGreaterThanOrEqual(1);
      expect(task).toHaveBeenCalledTimes(1);
    },
  );

  test("and everything fails, consume() does not reject", async () => {
    const world = await ConsumerWorld.of(["a", "b", "c", "d"]);
    world.store.before = down;
    world.sqs.before = down;
    const messages = [world.message(0), world.message(1, { receiveCount: 2 }), world.raw("x"), world.message(2)];
    const task = (item: unknown) => (item === "c" ? Promise.reject("c") : undefined);
    expect([...(await world.consume({ task }, messages))].sort()).toEqual(["0", "1", "2", "raw"]);
  });
});

describe("a consumer that refills its slots", () => {
  const refill = () => ({ until: Date.now() + 60_000, waitingMilliseconds: 10_000, visibilityTimeoutSeconds: 45 });
  const arrival = (world: ConsumerWorld, index: number, receiveCount = 1) => ({
    MessageId: `polled ${index}`,
    ReceiptHandle: `polled-handle-${index}`,
    Body: world.message(index).body,
    Attributes: { ApproximateReceiveCount: String(receiveCount) },
  });

  test("receives messages for its free slots, and deletes them", async () => {
    const world = await ConsumerWorld.of([..."abcde"]);
    world.sqs.arrivals.push([arrival(world, 2), arrival(world, 3)], [arrival(world, 4)]);
    const task = vi.fn();
    const again = await world.consume({ task }, [world.message(0), world.message(1)], { refill: refill() });
    expect(again).toEqual([]);
    expect(task.mock.calls.map(([item]) => item)).toEqual([..."abcde"]);
    // Lambda would delete those of the batch at the end of the invocation, when they may be visible again.
    expect(world.sqs.deleted.toSorted()).toEqual([
      ...["handle-0", "handle-1", "polled-handle-2", "polled-handle-3", "polled-handle-4"],
    ]);
    expect(await world.status()).toBe("completed");
    for (const { max, visibilitySeconds } of world.sqs.received) {
      expect(max).toBeGreaterThanOrEqual(1);
      expect(max).toBeLessThanOrEqual(10);
      expect(visibilitySeconds).toBe(45);
    }
  });

  test("begins no task before the visibility timeout of its batch is set", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    world.sqs.before = async (action) => {
      for (let turns = 0; action === "changeVisibilities" && turns < 5; turns++) await turn();
    };
    const found: unknown[] = [];
    const task = () => void found.push([...world.sqs.batchVisibilities]);
    // The message was sent just now. So its run is not asked first, and nothing else delays the tasks.
    const messages = world.messages({ sentAt: Date.now() });
    await world.consume({ task }, messages, { refill: refill() });
    const both = ["handle-0", "handle-1"].map((receiptHandle) => ({ receiptHandle, seconds: 45 }));
    expect(found).toEqual([both, both]);
  });

  test("runs its batch even if the visibility timeout cannot be set", async () => {
    const world = await ConsumerWorld.of(["a"]);
    world.sqs.before = (action) => {
      if (action === "changeVisibilities") throw new Error("SQS is away");
    };
    expect(await world.consume({}, world.messages(), { refill: refill() })).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 1 });
  });

  test("does not receive for a slot that a message it is looking up will take", async () => {
    const world = await ConsumerWorld.of([..."abc"]);
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    let receivedMeanwhile: unknown;
    world.store.before = async (operation) => {
      if (operation !== "getMany") return;
      for (let turns = 0; turns < 5; turns++) await turn();
      receivedMeanwhile = [...world.sqs.received];
    };
    const messages = [world.message(0, { receiveCount: 2 }), world.message(1, { receiveCount: 2 })];
    await world.consume({}, messages, { refill: refill(), tasksPerEnvironment: 2 });
    expect(receivedMeanwhile).toEqual([]);
  });

  test.each([
    [10, [10, 2]],
    [9, []],
  ])(
    "receives for the slots that a batch of %i leaves free, while the batch is looked up: %o",
    async (size, expected) => {
      const world = await ConsumerWorld.of(Array.from({ length: size }, (_, index) => index));
      const turn = () => new Promise((resolve) => setImmediate(resolve));
      let receivedMeanwhile: unknown;
      world.store.before = async (operation) => {
        if (operation !== "getMany") return;
        for (let turns = 0; turns < 5; turns++) await turn();
        // After empty answers more requests follow, because the invocation waits for the look-up anyway.
        receivedMeanwhile = world.sqs.received.slice(0, 2).map(({ max }) => max);
      };
      await world.consume({}, world.messages({ receiveCount: 2 }), { refill: refill(), tasksPerEnvironment: 22 });
      expect(receivedMeanwhile).toEqual(expected);
    },
  );

  test("gives the messages that it receives their whole timeout, also after a foreign message", async () => {
    const world = await ConsumerWorld.of(["a"]);
    world.sqs.arrivals.push([arrival(world, 0)]);
    const task = vi.fn(async (_: unknown, { signal }: TaskContext) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      signal.throwIfAborted();
    });
    expect(await world.consume({ task, retry: once }, [world.raw("x")], { refill: refill() })).toEqual([]);
    expect(task).toHaveBeenCalledTimes(1);
    expect(await world.counts()).toMatchObject({ succeeded: 1, dead: 0 });
  });

  test("returns failed messages by their visibility, and reports only those of its batch", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    world.sqs.arrivals.push([arrival(world, 1)]);
    const task = () => Promise.reject(new Error("x"));
    expect(await world.consume({ task }, [world.message(0)], { refill: refill() })).toEqual(["0"]);
    expect(world.sqs.deleted).toEqual([]);
    expect(world.sqs.visibilities.map(({ receiptHandle }) => receiptHandle)).toEqual(["handle-0", "polled-handle-1"]);
  });

  describe("does not change the visibility of a message after its visibility timeout", () => {
    // SQS would make the change, and hide or expose a message that another consumer has by then.
    const failsAfter = async (milliseconds: number, origin: "batch" | "receive") => {
      const world = await ConsumerWorld.of(["a", "b"]);
      let now = Date.now();
      const task = (item: unknown) => {
        if ((item === "a") !== (origin === "batch")) return;
        now += milliseconds;
        throw new Error("x");
      };
      if (origin === "receive") world.sqs.arrivals.push([arrival(world, 1)]);
      await world.consume({ task }, [world.message(0)], {
        refill: { ...refill(), until: now + 60_000 },
        now: () => now,
      });
      expect(world.metrics.counts.retried).toBe(1);
      return { changed: world.sqs.visibilities.map(({ receiptHandle }) => receiptHandle), lines: world.logger.lines };
    };

    test.each([
      ["batch", "handle-0"],
      ["receive", "polled-handle-1"],
    ] as const)("which came by %s", async (origin, handle) => {
      expect((await failsAfter(44_999, origin)).changed).toEqual([handle]);
      const { changed, lines } = await failsAfter(45_000, origin);
      expect(changed).toEqual([]);
      expect(lines).toContain(
        "warn: a message keeps its place in the queue, because its delay comes after its visibility timeout",
      );
    });

    test("and ends a request that is under way then", async () => {
      const world = await ConsumerWorld.of(["a"]);
      let now = Date.now();
      const task = () => {
        // The steady clock of an invocation counts fractions of milliseconds.
        now += 44_989.5;
        throw new Error("x");
      };
      const aborted = vi.fn();
      using _ = vi.spyOn(Queue.prototype, "changeVisibility").mockImplementation(
        (_handle, _milliseconds, signal) =>
          new Promise((resolve) => {
            signal?.addEventListener("abort", () => resolve(aborted()), { once: true });
          }),
      );
      await world.consume({ task }, [world.message(0)], {
        refill: { ...refill(), until: now + 60_000 },
        now: () => now,
      });
      expect(aborted).toHaveBeenCalledOnce();
    });

    test("and counts the time of a received message from the beginning of its request", async () => {
      const world = await ConsumerWorld.of(["a", "b"]);
      let now = Date.now();
      world.sqs.arrivals.push([arrival(world, 1)]);
      world.sqs.before = (action) => {
        if (action === "receive" && world.sqs.arrivals.length > 0) now += 10_000;
      };
      const task = (item: unknown) => {
        if (item === "a") return;
        now += 35_000;
        throw new Error("x");
      };
      await world.consume({ task }, [world.message(0)], {
        refill: { ...refill(), until: now + 60_000 },
        now: () => now,
      });
      expect(world.metrics.counts.retried).toBe(1);
      expect(world.sqs.visibilities).toEqual([]);
    });
  });

  test("never has more tasks in flight than the environment has slots", async () => {
    const world = await ConsumerWorld.of(Array.from({ length: 60 }, (_, index) => index));
    for (let index = 3; index < 60; index += 3) {
      world.sqs.arrivals.push([arrival(world, index), arrival(world, index + 1), arrival(world, index + 2)]);
    }
    let inFlight = 0;
    let peak = 0;
    const task = async (item: unknown) => {
      peak = Math.max(peak, ++inFlight);
      for (let turn = 0; turn < 1 + (Number(item) % 4); turn++) await new Promise(setImmediate);
      inFlight--;
    };
    await world.consume(
      { task },
      [0, 1, 2].map((index) => world.message(index)),
      {
        refill: refill(),
        tasksPerEnvironment: 3,
      },
    );
    expect(peak).toBe(3);
    expect(await world.counts()).toMatchObject({ succeeded: 60, pending: 0 });
  });

  test.each([
    [1, 10],
    [10, 40],
  ])("with %i slots has at most %i outcomes that are not recorded", async (tasksPerEnvironment, most) => {
    const world = await ConsumerWorld.of(Array.from({ length: 100 }, (_, index) => index));
    for (let index = 0; index < 100; index++) world.sqs.arrivals.push([arrival(world, index)]);
    const gate = Promise.withResolvers<void>();
    world.store.before = (operation, key) => (operation === "update" && key?.sk === "page" ? gate.promise : undefined);
    const task = vi.fn();
    const consumed = world.consume({ task }, [], { refill: refill(), tasksPerEnvironment });
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    await vi.waitFor(() => expect(task).toHaveBeenCalledTimes(most), PATIENTLY);
    for (let turns = 0; turns < 50; turns++) await turn();
    expect(task).toHaveBeenCalledTimes(most);
    gate.resolve();
    await consumed;
    expect(task).toHaveBeenCalledTimes(100);
    expect(await world.counts()).toMatchObject({ succeeded: 100, pending: 0 });
  });

  test("receives messages before a slot is free for them, if the queue holds enough for all slots", async () => {
    const world = await ConsumerWorld.of(Array.from({ length: 30 }, (_, index) => index));
    world.sqs.depth = { visible: 100, inFlight: 0, delayed: 0 };
    for (const first of [10, 20]) {
      world.sqs.arrivals.push(Array.from({ length: 10 }, (_, offset) => arrival(world, first + offset)));
    }
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const task = vi.fn((item: unknown) => (Number(item) < 10 ? gate : undefined));
    const batch = Array.from({ length: 10 }, (_, index) => world.message(index));
    const consumed = world.consume({ task, timeout: { seconds: 5 } }, batch, { refill: refill() });
    await vi.waitFor(() => expect(world.sqs.received).toHaveLength(1), PATIENTLY);
    // All slots are taken. The prefetched messages wait, and no more are requested.
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(task).toHaveBeenCalledTimes(10);
    expect(world.sqs.received).toHaveLength(1);
    open();
    expect(await consumed).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 30, pending: 0 });
    expect(world.metrics.peakInFlight).toBe(10);
  });

  test("returns a message that waited too long for a slot, without a failure", async () => {
    const world = await ConsumerWorld.of([..."ab"]);
    world.sqs.depth = { visible: 100, inFlight: 0, delayed: 0 };
    let now = Date.now();
    const task = vi.fn(async () => {
      await vi.waitFor(() => expect(world.sqs.received.length).toBeGreaterThan(0), PATIENTLY);
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      now += 10_001;
    });
    world.sqs.arrivals.push([arrival(world, 1)]);
    const options = { refill: { ...refill(), until: now + 60_000 }, tasksPerEnvironment: 1, now: () => now };
    // A full batch shows that the queue holds many messages. Nine of them are of another workflow.
    const foreign = Array.from({ length: 9 }, (_, index) => world.raw("x", { id: `x${index}` }));
    await world.consume({ task, timeout: { seconds: 5 } }, [world.message(0), ...foreign], options);
    expect(task).toHaveBeenCalledTimes(1);
    expect(world.sqs.visibilities).toContainEqual({ receiptHandle: "polled-handle-1", seconds: 0 });
    expect(world.sqs.deleted).not.toContain("polled-handle-1");
    const [state] = await world.ledger.itemStates([addressOf(parseEnvelope(world.message(1).body))]);
    expect(state).toMatchObject({ tag: "pending", failures: [] });
    expect(state?.tag === "pending" && [...state.receives]).toEqual([[1, "returned"]]);
  });

  test("asks again about the run of a message that waited for a slot, before its task begins", async () => {
    const world = await ConsumerWorld.of([..."ab"]);
    let now = Date.now();
    const task = vi.fn(async () => {
      await world.runs.pause(RUN);
      now += 3_001;
    });
    const both = [world.message(0), world.message(1)];
    expect(await world.consume({ task }, both, { tasksPerEnvironment: 1, now: () => now })).toEqual(["1"]);
    expect(task).toHaveBeenCalledTimes(1);
  });

  test("begins tasks even if each answer about their run takes longer than it is valid", async () => {
    const world = await ConsumerWorld.of([..."ab"]);
    let now = Date.now();
    world.store.before = (operation) => {
      if (operation === "get") now += 3_200;
    };
    expect(await world.consume({}, world.messages(), { now: () => now })).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 2 });
  });

  test("returns a message of its batch if the look-up took longer than the visibility timeout covers", async () => {
    const world = await ConsumerWorld.of(["a"]);
    let now = Date.now();
    let milliseconds = 16_000;
    world.store.before = (operation) => {
      if (operation === "get") now += milliseconds;
    };
    const task = vi.fn();
    const consume = (receiveCount: number) =>
      world.consume({ task }, world.messages({ receiveCount }), {
        refill: { ...refill(), until: now + 60_000 },
        now: () => now,
      });
    expect(await consume(1)).toEqual(["0"]);
    // At first another environment may be faster. Later receives show that none is. But the message may have been received
    // often for other reasons, so it must not wait for minutes.
    for (let receiveCount = 2; receiveCount <= 8; receiveCount++) expect(await consume(receiveCount)).toEqual(["0"]);
    expect(task).not.toHaveBeenCalled();
    expect(world.sqs.visibilities.map(({ seconds }) => seconds)).toEqual([0, 2, 4, 8, 16, 30, 30, 30]);
    // The look-up has its own time, beside the wait for a slot.
    milliseconds = 7_000;
    expect(await consume(9)).toEqual([]);
    expect(task).toHaveBeenCalledTimes(1);
  });

  test("stops receiving when its run is paused, and returns the messages that it has", async () => {
    const world = await ConsumerWorld.of(Array.from({ length: 40 }, (_, index) => index));
    for (let index = 1; index < 40; index++) world.sqs.arrivals.push([arrival(world, index)]);
    let now = Date.now();
    const task = vi.fn(async () => {
      await world.runs.pause(RUN);
      now += 3_001;
    });
    const options = { refill: { ...refill(), until: now + 60_000 }, tasksPerEnvironment: 1, now: () => now };
    await world.consume({ task }, [world.message(0)], options);
    expect(task).toHaveBeenCalledTimes(1);
    expect(world.sqs.arrivals.length).toBeGreaterThan(30);
    expect(world.sqs.deleted).toEqual(["handle-0"]);
    const putBack = world.sqs.visibilities.map(({ receiptHandle }) => receiptHandle);
    expect(putBack).toContain("polled-handle-1");
  });

  test("stops receiving when its time is over", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    world.sqs.arrivals.push([arrival(world, 1)]);
    await world.consume({}, [world.message(0)], { refill: { ...refill(), until: Date.now() } });
    expect(world.sqs.received).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 1, pending: 1 });
  });

  test("logs a warning if settled messages cannot be deleted", async () => {
    const world = await ConsumerWorld.of(["a"]);
    world.sqs.refuses = (handle) => handle === "handle-0";
    expect(await world.consume({}, world.messages(), { refill: refill() })).toEqual([]);
    expect(world.logger.lines).toContain("warn: settled messages could not be deleted, so they will be received again");
  });

  test("processes its batch if it cannot receive, and ends if it cannot delete", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    world.sqs.arrivals.push([arrival(world, 1)]);
    world.sqs.before = (action) => (action === "delete" ? Promise.reject(new Error("down")) : undefined);
    expect(await world.consume({}, [world.message(0)], { refill: refill() })).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 2 });
    const other = await ConsumerWorld.of(["a", "b"]);
    other.sqs.before = (action) => (action === "receive" ? Promise.reject(new Error("down")) : undefined);
    expect(await other.consume({}, other.messages(), { refill: refill() })).toEqual([]);
    expect(await other.counts()).toMatchObject({ succeeded: 2 });
  });
});

describe("a consumer with a slot supplier", () => {
  /** A supplier that notes how each slot is used, and refuses what the test says. */
  function supplying(refusals: readonly number[] = []) {
    const uses: SlotUse[] = [];
    const left = [...refusals];
    const slots: SlotSupplier = {
      size: 10,
      async reserve() {
        const hideUntil = left.shift();
        if (hideUntil !== undefined) return { tag: "refused", hideUntil };
        return { tag: "reserved", slot: { release: (use) => void uses.push(use) } };
      },
    };
    return { slots, uses };
  }

  test("releases each slot, and says how its attempt ended", async () => {
    const world = await ConsumerWorld.of(["succeeds", "is throttled", "is not ready", "fails", "is hit by a timeout"]);
    const { slots, uses } = supplying();
    const tasks: Record<string, () => unknown> = {
      succeeds: () => {},
      "is throttled": () => Promise.reject(new Throttled({ seconds: 7 })),
      "is not ready": () => Promise.reject(new RetryLater({ seconds: 7 })),
      fails: () => Promise.reject(new Error("no")),
      "is hit by a timeout": () => new Promise(() => {}),
    };
    const task = (item: unknown) => tasks[String(item)]?.();
    await world.consume({ task, timeout: { milliseconds: 20 } }, world.messages(), { slots });
    const durationMilliseconds = expect.any(Number);
    expect(uses).toHaveLength(5);
    expect(uses).toEqual(
      expect.arrayContaining([
        { tag: "succeeded", durationMilliseconds },
        { tag: "throttled", durationMilliseconds, retryAfterMilliseconds: 7_000 },
        ...Array(3).fill({ tag: "failed", durationMilliseconds }),
      ]),
    );
    expect(uses.filter(({ tag }) => tag === "failed")).toHaveLength(3);
  });

  test("counts the attempts that the service refused apart from failures", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    const task = () => {
      throw new Throttled({ seconds: 7 });
    };
    await world.consume({ task });
    expect(world.metrics.counts).toMatchObject({ throttled: 2 });
    expect(world.metrics.counts).not.toHaveProperty("retried");
  });

  test("releases a slot unused if the item needs no attempt, or none could be made", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    await world.consume({}, [world.message(0)]);
    const { slots, uses } = supplying();
    world.store.before = (operation) => {
      if (operation === "update") throw new Error("down");
    };
    // The second receive of an item that never reported is isolated. Its begin cannot be recorded.
    const again = [world.message(0, { receiveCount: 2 }), world.message(1, { receiveCount: 2 })];
    expect(await world.consume({}, again, { slots })).toContain("1");
    expect(uses).toEqual([{ tag: "unused" }, { tag: "unused" }]);
  });

  test("returns a message that gets no slot until the supplier says, and counts no attempt", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    const now = Date.now();
    const { slots, uses } = supplying([now + 90_000]);
    const task = vi.fn();
    expect(await world.consume({ task }, world.messages(), { slots, now: () => now })).toEqual(["0"]);
    expect(task).toHaveBeenCalledExactlyOnceWith("b", expect.anything());
    expect(world.sqs.visibilities).toEqual([{ receiptHandle: "handle-0", seconds: 90 }]);
    expect(uses.map(({ tag }) => tag)).toEqual(["succeeded"]);
    const [state] = await world.ledger.itemStates([addressOf(parseEnvelope(world.message(0).body))]);
    // One number accounts for all receives: a message may get no slot very often.
    expect(state).toMatchObject({ tag: "pending", failures: [], receives: new Map(), accountedTo: 1 });
  });

  test("a message that gets no slot 300 times is no suspect, stays far from the queue's limit, and needs one small row", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const { maxReceiveCount } = topology(defineWorkflow(workflowOptions({}))).queue;
    let message = world.message(0);
    let largest = 0;
    for (let receive = 1; receive <= 300; receive++) {
      const { slots } = supplying([Date.now() + 90_000]);
      const sent = world.replacements.length;
      await world.consume({}, [message], { slots });
      const row = await world.store.get(
        attemptsKey({ run: RUN, partition: 0, page: 0, index: 0, epoch: 1, redriveGeneration: 0 }),
      );
      expect(Object.keys(row ?? {}).toSorted()).toEqual(["accounted 0", "pk", "sk"]);
      largest = Math.max(largest, message.receiveCount);
      const replacement = world.replacements[sent];
      message =
        replacement === undefined
          ? { ...message, receiveCount: message.receiveCount + 1 }
          : world.raw(replacement.body, { id: "0", receiveCount: 1 });
    }
    expect(largest).toBeLessThanOrEqual(maxReceiveCount / 2 + 1);
    expect(world.replacements.length).toBeGreaterThan(1);
    const task = vi.fn();
    await world.consume({ task }, [message]);
    // The task runs in this process: a suspect's would run in another one.
    expect(task).toHaveBeenCalledOnce();
    expect(await world.counts()).toMatchObject({ succeeded: 1, dead: 0, retried: 0 });
  });

  test("deletes a message that gets no slot, if its item is settled", async () => {
    const world = await ConsumerWorld.of(["a"]);
    await world.consume({});
    const { slots } = supplying([Date.now() + 90_000]);
    expect(await world.consume({}, [world.message(0, { receiveCount: 2 })], { slots })).toEqual([]);
    expect(world.sqs.visibilities).toEqual([]);
  });
});

test("the dead letter of the largest item with the longest history can be redriven", async () => {
  const world = await ConsumerWorld.of(["x".repeat(980_000)]);
  const body = deadLetterBody(parseEnvelope(world.message(0).body), {
    reason: "exhausted",
    at: "2026-01-01",
    failures: Array.from({ length: 100 }, (_, attempt) => failureOf(new Error("y".repeat(5_000)), attempt)),
  });
  expect(await world.consume({ task: () => Promise.reject(new PermanentError("again")) }, [world.raw(body)])).toEqual(
    [],
  );
  expect(world.deadLetters[0]).toMatchObject({ item: JSON.parse(toJson("x".repeat(980_000))), dead: { redrives: 1 } });
  expect(world.deadLetters[0]?.dead.failures.at(-1)?.message).toBe("again");
});
