import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import type { ReceivedMessage } from "../../../shared/aws/received-message.ts";
import { Isolation } from "../../../shared/consumer/attempts/isolation.ts";
import { toDeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { RetryLater, type TaskContext, Throttled, type WorkflowOptions } from "../../../shared/index.ts";
import { parseEnvelope } from "../../../shared/messages/envelope.ts";
import { attemptsKey } from "../../../shared/messages/item-address.ts";
import { ConsumerWorld, RUN } from "../../helpers/consumer-world.ts";

const START = Date.UTC(2026, 10, 27, 13);
const HOUR = 3_600;
const DAY = 24 * HOUR;

let isolation: { readonly run: MockInstance<Isolation["run"]> };

beforeEach(() => {
  // The items of this file are no suspects, unless a test says so.
  isolation = { run: vi.spyOn(Isolation.prototype, "run").mockRejectedValue(new Error("no suspect is expected")) };
  vi.useFakeTimers({ now: START, toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
  isolation.run.mockRestore();
});

const pass = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1_000);

const ITEM = { run: RUN, partition: 0, page: 0, index: 0, epoch: 1, redriveGeneration: 0 };

/** One item whose message is delivered again each time its visibility timeout is over. */
async function waiting(workflow: Partial<WorkflowOptions>) {
  const world = await ConsumerWorld.of(["a"]);
  let message: ReceivedMessage = world.message(0, { receiveCount: 0, sentAt: START });
  return {
    world,
    get message() {
      return message;
    },
    /**
     * Delivers the message, and waits as long as it is hidden then.
     *
     * @returns for how many seconds; `undefined` if it is deleted.
     */
    async deliver(task: WorkflowOptions["task"]): Promise<number | undefined> {
      message = { ...message, receiveCount: message.receiveCount + 1 };
      const before = { hidden: world.sqs.visibilities.length, sent: world.replacements.length };
      const again = await world.consume({ ...workflow, task }, [message]);
      const replacement = world.replacements[before.sent];
      const seconds = replacement?.delaySeconds ?? world.sqs.visibilities[before.hidden]?.seconds;
      if (replacement !== undefined) {
        expect(again).toEqual([]);
        message = world.raw(replacement.body, { id: `copy ${before.sent}`, receiveCount: 0, sentAt: Date.now() });
      } else if (again.length === 0) return undefined;
      pass(seconds ?? 0);
      return seconds;
    },
    async row() {
      return await world.store.get(attemptsKey(ITEM));
    },
    async state() {
      return (await world.ledger.itemStates([ITEM]))[0];
    },
  };
}

const asksFor = (after: ConstructorParameters<typeof RetryLater>[0]) => () => {
  throw new RetryLater(after);
};
const throttled = () => {
  throw new Throttled();
};
const fails = () => {
  throw new TypeError("no");
};

describe("an item whose task asks for a wait", () => {
  test("loses no attempt, is no suspect, and takes constant space, however often it waits", async () => {
    const item = await waiting({ retry: { attempts: 2, backoff: { cap: { seconds: 10 } } } });
    const contexts: Partial<TaskContext>[] = [];
    let afterThree = 0;
    for (let wait = 0; wait < 400; wait++) {
      await item.deliver((_, { attempt, waits }) => {
        contexts.push({ attempt, waits });
        return wait % 2 === 0 ? throttled() : asksFor({ seconds: 5 })();
      });
      if (wait === 2) afterThree = JSON.stringify(await item.row()).length;
    }
    expect(contexts).toEqual(Array.from({ length: 400 }, (_, waits) => ({ attempt: 1, waits })));
    // Only the numbers in its row get longer.
    expect(JSON.stringify(await item.row()).length - afterThree).toBeLessThan(30);
    expect(await item.state()).toMatchObject({
      failures: [],
      waits: { throttled: { count: 200 }, retryLater: { count: 200 } },
    });
    expect(await item.deliver(() => {})).toBeUndefined();
    expect(await item.world.counts()).toMatchObject({ succeeded: 1, dead: 0, retried: 0 });
    expect(item.world.metrics.counts).toEqual({ succeeded: 1, throttled: 200 });
    expect(isolation.run).not.toHaveBeenCalled();
  });

  test("is replaced before its message has as many receives as SQS allows", async () => {
    const item = await waiting({ retry: { attempts: 5 } });
    let most = 0;
    for (let wait = 0; wait < 300; wait++) {
      await item.deliver(asksFor({ seconds: 1 }));
      most = Math.max(most, item.message.receiveCount);
    }
    // SQS allows 145.
    expect(most).toBe(72);
    expect(item.world.replacements.length).toBe(4);
    expect(parseEnvelope(item.message.body)).toMatchObject({ receives: 292, resent: true, item: "a", index: 0 });
  });

  test("keeps all of its attempts for failures, and its dead letter holds failures and waits", async () => {
    const item = await waiting({ retry: { attempts: 3 } });
    const attempts: number[] = [];
    const does =
      (act: () => unknown) =>
      (_: unknown, { attempt }: TaskContext) => {
        attempts.push(attempt);
        return act();
      };
    for (const act of [asksFor({ seconds: 1 }), fails, throttled, throttled, fails, asksFor("7"), fails]) {
      await item.deliver(does(act));
    }
    expect(attempts).toEqual([1, 1, 2, 2, 2, 3, 3]);
    const [deadLetter] = item.world.deadLetters;
    expect(deadLetter?.dead).toMatchObject({
      reason: "exhausted",
      failures: [{ attempt: 1 }, { attempt: 2 }, { attempt: 3 }],
      waits: { throttled: { count: 2 }, retryLater: { count: 2, last: { milliseconds: 7_000 } } },
    });
    expect(await item.world.counts()).toMatchObject({ dead: 1, retried: 2, deadByReason: { exhausted: 1 } });
  });

  test("comes back at the HTTP date that the service gives", async () => {
    const item = await waiting({});
    expect(await item.deliver(asksFor("Fri, 27 Nov 2026 14:00:00 GMT"))).toBe(HOUR);
  });

  test("waits for a growing backoff beside the asked wait, if it was throttled", async () => {
    // random is 0.5: half of 8, 16, 32 and 60 (capped) seconds.
    const item = await waiting({ retry: { backoff: { base: { seconds: 8 }, cap: { seconds: 60 } } } });
    const task = () => {
      throw new Throttled({ seconds: 100 });
    };
    const seconds = [];
    for (let wait = 0; wait < 4; wait++) seconds.push(await item.deliver(task));
    expect(seconds).toEqual([104, 108, 116, 130]);
  });

  test("can wait for longer than SQS hides a message: the wait is renewed without an attempt", async () => {
    const item = await waiting({ retry: { waitAtMost: { days: 2 } } });
    expect(await item.deliver(asksFor({ hours: 30 }))).toBe(11 * HOUR);
    const task = vi.fn();
    expect(await item.deliver(task)).toBe(11 * HOUR);
    expect(await item.deliver(task)).toBe(8 * HOUR);
    expect(task).not.toHaveBeenCalled();
    expect(await item.deliver(task)).toBeUndefined();
    expect(task).toHaveBeenCalledOnce();
    expect(Date.now()).toBe(START + 30 * HOUR * 1_000);
    expect(isolation.run).not.toHaveBeenCalled();
  });

  test("goes on waiting if its message comes too early, because its consumer ended before it hid the message", async () => {
    const item = await waiting({});
    item.world.sqs.before = (action) => {
      if (action === "changeVisibility") throw new Error("killed");
    };
    await item.deliver(asksFor({ minutes: 10 }));
    item.world.sqs.before = () => {};
    pass(60);
    const task = vi.fn();
    expect(await item.deliver(task)).toBe(540);
    expect(task).not.toHaveBeenCalled();
    expect(await item.deliver(task)).toBeUndefined();
  });

  test("stays a suspect if it was one, and its isolated attempts are explained", async () => {
    const item = await waiting({});
    isolation.run.mockImplementation(async () => {
      const times = { startedAt: Date.now(), endedAt: Date.now() };
      return { tag: "failed", kind: "threw", thrown: new Throttled(), ...times };
    });
    // The consumer ends before it can record anything.
    item.world.store.before = (operation) => operation === "update" && Promise.reject(new Error("killed"));
    await item.deliver(fails);
    item.world.store.before = () => {};
    for (let wait = 0; wait < 3; wait++) await item.deliver(fails);
    expect(isolation.run).toHaveBeenCalledTimes(3);
    expect(await item.state()).toMatchObject({ failures: [], suspect: true, waits: { throttled: { count: 3 } } });
    expect((await item.state()) as object).toHaveProperty("receives", new Map());
  });
});

describe("retry.waitAtMost", () => {
  test("limits all waits together: the item dies at once, and its dead letter holds the waits", async () => {
    const item = await waiting({ retry: { attempts: 2 } });
    for (let wait = 0; wait < 24; wait++) expect(await item.deliver(asksFor({ hours: 1 }))).toBe(HOUR);
    const at = new Date(START).toISOString();
    const now = new Date().toISOString();
    expect(await item.deliver(throttled)).toBeUndefined();
    expect(Date.now()).toBe(START + DAY * 1_000);
    const [deadLetter] = item.world.deadLetters;
    const later = { name: "RetryLater", message: "try again in 3600 s", milliseconds: 3_600_000 };
    const refused = { at: now, name: "Throttled", message: "throttled by the service", milliseconds: 150_000 };
    expect(deadLetter?.dead).toMatchObject({
      reason: "waited too long",
      failures: [],
      waits: {
        milliseconds: DAY * 1_000,
        throttled: { count: 1, first: refused, last: refused },
        retryLater: { count: 24, first: { at, ...later }, last: later },
      },
    });
    expect(await item.world.counts()).toMatchObject({
      dead: 1,
      retried: 0,
      deadByReason: { "waited too long": 1 },
    });
    const raw = item.world.raw(item.world.rawDeadLetters[0]?.body ?? "");
    expect(toDeadLetter(raw)).toMatchObject({
      reason: "waited too long",
      error: { name: "Throttled", message: "throttled by the service" },
      fingerprint: { text: "Throttled: throttled by the service" },
      waits: { retryLater: { count: 24 } },
    });
  });

  test("is exceeded by a single wait that is too long", async () => {
    const item = await waiting({ retry: { waitAtMost: { hours: 1 } } });
    expect(await item.deliver(asksFor({ hours: 1 }))).toBe(HOUR);
    expect(item.world.deadLetters).toEqual([]);
    const other = await waiting({ retry: { waitAtMost: { hours: 1 } } });
    expect(await other.deliver(asksFor({ hours: 1, seconds: 1 }))).toBeUndefined();
    expect(other.world.deadLetters).toMatchObject([{ dead: { reason: "waited too long" } }]);
  });

  test("does not count time in the queue, in a pause, or without a slot", async () => {
    const item = await waiting({ retry: { waitAtMost: { hours: 1 } } });
    await item.deliver(asksFor({ minutes: 30 }));
    pass(3 * DAY);
    expect(await item.deliver(asksFor({ minutes: 30 }))).toBeDefined();
    pass(3 * DAY);
    expect(await item.deliver(asksFor({ seconds: 1 }))).toBeUndefined();
    expect(item.world.deadLetters).toHaveLength(1);
  });

  test("stops the run if more items than it tolerates wait too long", async () => {
    const world = await ConsumerWorld.of(["a", "b", "c"], { count: 1, minimum: 100 });
    const workflow = { task: asksFor({ hours: 2 }), retry: { waitAtMost: { hours: 1 } } };
    await world.consume(workflow, [world.message(0)]);
    expect(await world.status()).toBe("running");
    await world.consume(workflow, [world.message(1)]);
    expect(await world.status()).toBe("failing");
  });

  test("starts again with a redrive", async () => {
    const item = await waiting({ retry: { waitAtMost: { seconds: 10 } } });
    await item.deliver(asksFor({ minutes: 1 }));
    const body = item.world.rawDeadLetters[0]?.body ?? "";
    const message = item.world.raw(body);
    const task = vi.fn(asksFor({ seconds: 10 }));
    expect(await item.world.consume({ task, retry: { waitAtMost: { seconds: 10 } } }, [message])).toEqual(["raw"]);
    expect(item.world.deadLetters).toHaveLength(1);
  });

  test("is decided once: if a consumer ends before it sends the dead letter, the next one sends it", async () => {
    const item = await waiting({ retry: { waitAtMost: { seconds: 10 } } });
    item.world.sqs.before = (action) => {
      if (action === "send") throw new Error("killed");
    };
    await item.deliver(asksFor({ minutes: 1 }));
    item.world.sqs.before = () => {};
    const task = vi.fn();
    expect(await item.deliver(task)).toBeUndefined();
    expect(task).not.toHaveBeenCalled();
    expect(item.world.deadLetters).toMatchObject([
      { dead: { reason: "waited too long", waits: { retryLater: { count: 1 } } } },
    ]);
  });
});

describe("a message that stays in the queue for long", () => {
  test("is replaced before SQS deletes it: at a wait, at a failure, and in a pause", async () => {
    for (const task of [asksFor({ hours: 11 }), fails]) {
      const item = await waiting({ retry: { backoff: { base: { hours: 11 }, cap: { hours: 11 } } } });
      pass(5 * DAY - 3 * HOUR);
      expect(await item.deliver(task)).toBe(900);
      expect(item.world.replacements).toHaveLength(1);
    }
    const paused = await waiting({});
    await paused.world.runs.pause(RUN);
    pass(5 * DAY);
    await paused.deliver(fails);
    expect(paused.world.replacements).toHaveLength(1);
  });

  test("is not replaced earlier", async () => {
    const item = await waiting({});
    pass(4 * DAY);
    expect(await item.deliver(asksFor({ hours: 11 }))).toBe(11 * HOUR);
    expect(item.world.replacements).toEqual([]);
  });

  test("is replaced by one that is hidden again, if the wait is longer than a delay can be", async () => {
    const item = await waiting({});
    pass(5 * DAY);
    expect(await item.deliver(asksFor({ hours: 2 }))).toBe(900);
    const task = vi.fn();
    expect(await item.deliver(task)).toBe(2 * HOUR - 900);
    expect(task).not.toHaveBeenCalled();
    expect(await item.deliver(task)).toBeUndefined();
    expect(await item.world.counts()).toMatchObject({ succeeded: 1 });
  });

  test("may come again beside its replacement, and the item counts once", async () => {
    const item = await waiting({});
    const old = item.message;
    pass(5 * DAY);
    await item.deliver(asksFor({ hours: 1 }));
    // The consumer ended before it deleted the old message.
    pass(HOUR);
    const task = vi.fn();
    expect(await item.world.consume({ task }, [{ ...old, receiveCount: 2 }])).toEqual([]);
    expect(await item.deliver(task)).toBeUndefined();
    expect(task).toHaveBeenCalledOnce();
    expect(await item.world.counts()).toMatchObject({ succeeded: 1, dead: 0 });
  });

  test("of a paused run is replaced again and again, in constant space", async () => {
    const item = await waiting({ retry: { attempts: 1 } });
    await item.world.runs.pause(RUN);
    pass(60);
    for (let receive = 0; receive < 300; receive++) await item.deliver(fails);
    // SQS allows 109.
    expect(item.message.receiveCount).toBeLessThanOrEqual(55);
    expect(item.world.replacements).toHaveLength(5);
    const state = await item.state();
    expect(state).toMatchObject({ accountedTo: 275, failures: [] });
    expect(state?.tag === "pending" && state.receives.size).toBe(25);
    await item.world.runs.reopen(RUN);
    pass(HOUR);
    expect(await item.deliver(() => {})).toBeUndefined();
    expect(isolation.run).not.toHaveBeenCalled();
  });

  test("during an outage of the ledger is replaced before SQS moves it", async () => {
    const item = await waiting({});
    item.world.store.before = () => Promise.reject(new Error("down"));
    for (let receive = 0; receive < 200; receive++) await item.deliver(fails);
    expect(item.message.receiveCount).toBeLessThanOrEqual(72);
    expect(parseEnvelope(item.message.body).receives).toBe(146);
  });
});

test("a wait is counted once if the answer to its write is lost", async () => {
  const item = await waiting({});
  let lose = true;
  const { store } = item.world;
  const update = store.update.bind(store);
  store.update = async (key, change) => {
    const row = await update(key, change);
    if (lose && key.sk.startsWith("item#")) {
      lose = false;
      // The SDK repeats a request that gets no answer.
      return await update(key, change);
    }
    return row;
  };
  expect(await item.deliver(asksFor({ seconds: 5 }))).toBe(5);
  expect(await item.state()).toMatchObject({ waits: { retryLater: { count: 1 }, milliseconds: 5_000 } });
});

test("an attempt that timed out is a failure, whatever its task throws afterwards", async () => {
  const item = await waiting({ timeout: { milliseconds: 1 } });
  await item.deliver(
    (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Throttled()))),
  );
  expect(await item.state()).toMatchObject({ failures: [{ kind: "timed out" }] });
});
