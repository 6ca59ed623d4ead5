import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AttemptOutcome } from "../../../shared/consumer/attempts/attempt.ts";
import { IsolatedAttempts } from "../../../shared/consumer/attempts/isolated-attempts.ts";
import { type IsolatedAttempt, Isolation, type IsolationOutcome } from "../../../shared/consumer/attempts/isolation.ts";
import { isSuspect, type PendingState } from "../../../shared/consumer/attempts/receive-history.ts";
import { defineWorkflow } from "../../../shared/index.ts";
import type { ReceiveMark } from "../../../shared/ledger/attempts-row.ts";
import { parseEnvelope } from "../../../shared/messages/envelope.ts";
import type { ItemAddress } from "../../../shared/messages/item-address.ts";
import type { ItemMessage } from "../../../shared/messages/item-message.ts";
import { ConsumerWorld, RUN } from "../../helpers/consumer-world.ts";
import { failureOf } from "../../helpers/failures.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { plainContext } from "../../helpers/task-context.ts";
import { workflowOptions } from "../../helpers/workflow-options.ts";

/** When isolated attempts begin. */
const NOW = 1_790_000_000_000;

const succeeded: AttemptOutcome = { tag: "succeeded", startedAt: 0, endedAt: 1 };

type Run = (request: IsolatedAttempt, alone: boolean) => Promise<IsolationOutcome>;

/** Answers in place of the processes, which have their own test. */
const isolation = { run: vi.fn<Run>(), isReady: true };

beforeEach(() => {
  isolation.run.mockReset().mockResolvedValue(succeeded);
  isolation.isReady = true;
  vi.spyOn(Isolation.prototype, "run").mockImplementation(async (request, { alone, begin }) => {
    if (isolation.isReady) await begin();
    return await isolation.run(request, alone);
  });
});
afterEach(() => void vi.restoreAllMocks());

/** Makes attempts take until the function that it returns is called. */
function hold(): () => void {
  const { promise, resolve } = Promise.withResolvers<AttemptOutcome>();
  isolation.run.mockReturnValue(promise);
  return () => {
    resolve(succeeded);
    isolation.run.mockResolvedValue(succeeded);
  };
}

type Marks = Record<number, "failed" | ReceiveMark>;
const pending = (marks: Marks, failures: PendingState["failures"] = []): PendingState => ({
  tag: "pending",
  failures,
  final: undefined,
  receives: new Map(Object.entries(marks).map(([receive, mark]) => [Number(receive), mark])),
});

async function suspecting({ memoryMb = 1_024, attempts = 5 } = {}) {
  const world = await ConsumerWorld.of([..."abcdefgh"]);
  const { ledger } = world;
  const workflow = defineWorkflow(workflowOptions({ retry: { attempts } }));
  const suspects = new IsolatedAttempts({ workflow, ledger, isolatedModule: "", memoryMb, now: () => NOW });
  const itemOf = (index: number, receiveCount: number): ItemMessage => {
    const message = world.message(index, { receiveCount });
    return { message, envelope: parseEnvelope(message.body) };
  };
  return {
    world,
    attempt: (index: number, receiveCount: number, state: PendingState) =>
      suspects.attempt(itemOf(index, receiveCount), state, Number.POSITIVE_INFINITY),
    /** What the ledger has of the item's receives. */
    async recorded(index: number): Promise<PendingState> {
      const item: ItemAddress = { run: RUN, partition: 0, page: 0, index, epoch: 1, redriveGeneration: 0 };
      const [state] = await ledger.itemStates([item]);
      if (state?.tag !== "pending") throw new Error(`the item is ${state?.tag}`);
      return state;
    },
  };
}

const attempted = { tag: "attempted", outcome: succeeded };
const noPlace = { tag: "no place" };

test.each<[number, Marks, boolean]>([
  [1, {}, false],
  [2, {}, true],
  [2, { 1: "failed" }, false],
  [2, { 1: "returned" }, false],
  [2, { 1: "isolated" }, true],
  [2, { 1: "alone" }, true],
  [3, { 1: "failed" }, true],
  [4, { 1: "failed", 2: "returned", 3: "failed" }, false],
  // The mark of this receive itself explains nothing.
  [2, { 1: "failed", 2: "isolated" }, false],
])("an item that was received %i times, with the marks %j, is a suspect: %s", async (receiveCount, marks, suspect) => {
  const world = await ConsumerWorld.of(["a"]);
  const message = world.message(0, { receiveCount });
  expect(isSuspect({ message, envelope: parseEnvelope(message.body) }, pending(marks))).toBe(suspect);
});

test.each<[string, number, number | undefined, Partial<PendingState>, boolean]>([
  ["a message that replaced one with 3 receives, which are all explained", 1, 3, { accountedTo: 3 }, false],
  ["a message whose second receive is unexplained", 3, 3, { accountedTo: 4 }, true],
  [
    "a message whose isolated attempt never reported",
    3,
    undefined,
    { accountedTo: 2, ...pending({ 1: "isolated" }) },
    true,
  ],
  [
    "a message of an item that was a suspect when the message was replaced",
    3,
    undefined,
    { accountedTo: 2, suspect: true },
    true,
  ],
  ["an older message of the item", 1, undefined, { accountedTo: 70 }, false],
])("%s: is it a suspect?", async (_what, receiveCount, receives, state, suspect) => {
  const world = await ConsumerWorld.of(["a"]);
  const message = world.message(0, { receiveCount });
  const envelope = { ...parseEnvelope(message.body), ...(receives && { receives }) };
  expect(isSuspect({ message, envelope }, { ...pending({}), ...state })).toBe(suspect);
});

describe("the attempt of a suspect", () => {
  test("is recorded in the ledger before it begins", async () => {
    const { attempt, recorded } = await suspecting();
    let noted: unknown;
    isolation.run.mockImplementation(async () => {
      noted = (await recorded(0)).receives;
      return succeeded;
    });
    const failures = [failureOf(new Error("no"))];
    expect(await attempt(0, 3, pending({ 1: "failed" }, failures))).toEqual({ ...attempted, failures });
    expect(noted).toEqual(new Map([[3, "isolated"]]));
    const request = {
      item: "a",
      context: { ...plainContext(RUN), attempt: 2, run: { id: RUN, workflow: "test" } },
      timeoutMilliseconds: 30_000,
    };
    expect(isolation.run).toHaveBeenCalledExactlyOnceWith(request, false);
  });

  test("is not made if its begin cannot be recorded", async () => {
    const { world, attempt } = await suspecting();
    world.store.before = () => Promise.reject(new Error("down"));
    await expect(attempt(0, 2, pending({}))).rejects.toThrow("down");
    expect(isolation.run).not.toHaveBeenCalled();
  });

  test("runs alone after a consumer ended during isolated attempts, which counts against no item", async () => {
    const { attempt, recorded } = await suspecting();
    expect(await attempt(0, 3, pending({ 2: "isolated" }))).toMatchObject({ ...attempted, failures: [] });
    expect(await recorded(0)).toMatchObject({
      failures: [],
      receives: new Map([[3, "alone"]]),
      began: new Map([[3, NOW]]),
    });
  });

  test("runs alone again after it ran alone and its consumer ended", async () => {
    const { attempt } = await suspecting();
    expect(await attempt(0, 3, pending({ 2: "alone" }))).toMatchObject(attempted);
    expect(isolation.run).toHaveBeenCalledExactlyOnceWith(expect.anything(), true);
  });

  test("counts as crashed if it ran alone and its consumer ended", async () => {
    const { attempt, recorded } = await suspecting();
    const outcome = await attempt(0, 5, pending({ 1: "returned", 2: "isolated", 3: "alone", 4: "alone" }));
    expect(outcome).toMatchObject(attempted);
    expect(await recorded(0)).toMatchObject({
      failures: [
        { attempt: 1, kind: "crashed", message: "the attempt ended its whole execution environment" },
        { attempt: 2, kind: "crashed" },
      ],
      receives: new Map([
        [3, "failed"],
        [4, "failed"],
        [5, "alone"],
      ]),
    });
    expect((await recorded(0)).failures[0]).not.toHaveProperty("stack");
  });

  test("is not made if crashes have used up the attempts", async () => {
    const { attempt, recorded } = await suspecting({ attempts: 2 });
    const outcome = await attempt(0, 4, pending({ 2: "alone", 3: "alone" }));
    expect(outcome).toMatchObject({ tag: "exhausted", failures: [{ kind: "crashed" }, { kind: "crashed" }] });
    expect(isolation.run).not.toHaveBeenCalled();
    expect((await recorded(0)).receives.has(4)).toBe(false);
  });
});

describe("a place for an isolated attempt", () => {
  test.each([
    [128, 1],
    [512, 1],
    [1_023, 1],
    [1_024, 2],
    [10_240, 4],
  ])("in a function of %i MB is free for %i suspects at once, and again when one ends", async (memoryMb, places) => {
    const { attempt, recorded } = await suspecting({ memoryMb });
    const indexes = Array.from({ length: places }, (_, index) => index);
    const end = hold();
    const running = indexes.map((index) => attempt(index, 2, pending({})));
    expect(await attempt(7, 2, pending({}))).toEqual(noPlace);
    expect((await recorded(7)).receives.size).toBe(0);
    end();
    expect(await Promise.all(running)).toEqual(indexes.map(() => expect.objectContaining({ tag: "attempted" })));
    expect(await attempt(7, 2, pending({}))).toMatchObject(attempted);
  });

  test("is not free for a suspect that must run alone while others run, nor for others while it runs", async () => {
    const { attempt } = await suspecting();
    const endOther = hold();
    const other = attempt(0, 2, pending({}));
    expect(await attempt(1, 3, pending({ 2: "isolated" }))).toEqual(noPlace);
    endOther();
    await other;
    const endAlone = hold();
    const alone = attempt(1, 4, pending({ 2: "isolated", 3: "returned" }));
    expect(await attempt(2, 2, pending({}))).toEqual(noPlace);
    expect(await attempt(3, 3, pending({ 2: "alone" }))).toEqual(noPlace);
    endAlone();
    expect(await alone).toMatchObject(attempted);
    expect(await attempt(2, 2, pending({}))).toMatchObject(attempted);
  });

  test("is free again if the ledger fails", async () => {
    const { world, attempt } = await suspecting({ memoryMb: 256 });
    world.store.before = () => Promise.reject(new Error("down"));
    await expect(attempt(0, 3, pending({ 2: "isolated" }))).rejects.toThrow("down");
    world.store.before = () => {};
    expect(await attempt(1, 2, pending({}))).toMatchObject(attempted);
  });
});

describe("a consumer", () => {
  test("returns a suspect without a place, any number of times, which does not count against the item", async () => {
    const world = await ConsumerWorld.of([..."abcdefgh"]);
    for (let other = 1; other < 8; other++) {
      const messages = [world.message(other, { receiveCount: 2 }), world.message(0, { receiveCount: other + 1 })];
      expect(await world.consume({}, messages)).toEqual(["0"]);
    }
    expect(isolation.run).toHaveBeenCalledTimes(7);
    expect(await world.consume({}, [world.message(0, { receiveCount: 9 })])).toEqual([]);
    expect(world.deadLetters).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 8, retried: 0 });
  });

  test("returns it for a second, and for up to a timeout more", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    // random is 0.5.
    expect(await world.consume({ timeout: { seconds: 10 } }, world.messages({ receiveCount: 2 }))).toEqual(["1"]);
    expect(world.sqs.visibilities).toEqual([{ receiptHandle: "handle-1", seconds: 6 }]);
    const [state] = await world.ledger.itemStates([
      { run: RUN, partition: 0, page: 0, index: 1, epoch: 1, redriveGeneration: 0 },
    ]);
    expect(state).toMatchObject({ failures: [], receives: new Map([[2, "returned"]]) });
  });

  test("that cannot start a process counts no attempt, receives no more messages, and retires", async () => {
    const world = await ConsumerWorld.of([..."abcd"]);
    isolation.isReady = false;
    isolation.run.mockResolvedValue({ tag: "not started", error: new Error("spawn EMFILE") });
    const running = Promise.withResolvers<void>();
    const task = vi.fn(() => running.promise);
    const consumer = world.consumer(
      { task },
      {
        tasksPerEnvironment: 2,
        refill: { until: Date.now() + 60_000, waitingMilliseconds: 10_000, visibilityTimeoutSeconds: 60 },
      },
    );
    // The suspect and a good item take the two slots. The other two items wait.
    const consumed = consumer.consume(
      [world.message(1), world.message(0, { receiveCount: 3 }), world.message(2), world.message(3)],
      Date.now() + 600_000,
    );
    await vi.waitUntil(() => consumer.isRetired, PATIENTLY);
    const received = world.sqs.received.length;
    // A slot is free. A consumer that receives messages would ask for one in each turn.
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(world.sqs.received).toHaveLength(received);
    running.resolve();
    expect(new Set(await consumed)).toEqual(new Set(["0", "2", "3"]));
    expect(task).toHaveBeenCalledTimes(1);
    expect(world.sqs.received).toHaveLength(received);
    expect(world.metrics.counts).toEqual({ succeeded: 1, environmentsRetired: 1 });
    expect(world.logger.lines.join()).toContain("this environment takes no more messages and is replaced");
    // The receives are recorded as returned, so they are no failures and make no suspects.
    for (const [index, receiveCount] of [
      [0, 3],
      [2, 1],
      [3, 1],
    ] as const) {
      const [state] = await world.ledger.itemStates([
        { run: RUN, partition: 0, page: 0, index, epoch: 1, redriveGeneration: 0 },
      ]);
      expect(state).toMatchObject({ failures: [], receives: new Map([[receiveCount, "returned"]]) });
    }
    expect(world.sqs.visibilities.filter(({ receiptHandle }) => receiptHandle === "handle-2").at(-1)?.seconds).toBe(0);
    expect(world.sqs.visibilities.filter(({ receiptHandle }) => receiptHandle === "handle-0").at(-1)?.seconds).toBe(8);
    expect(world.deadLetters).toEqual([]);
  });

  test("that cannot start several processes retires once", async () => {
    const world = await ConsumerWorld.of([..."ab"]);
    isolation.isReady = false;
    isolation.run.mockResolvedValue({ tag: "not started", error: new Error("spawn EMFILE") });
    await world.consume({}, world.messages({ receiveCount: 2 }), { memoryMb: 1_024 });
    expect(isolation.run).toHaveBeenCalledTimes(2);
    expect(world.metrics.counts).toEqual({ environmentsRetired: 1 });
    expect(world.logger.lines).toHaveLength(1);
  });

  test("that receives no messages itself deletes the done messages of its batch before it retires", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    isolation.isReady = false;
    isolation.run.mockResolvedValue({ tag: "not started", error: new Error("spawn EAGAIN") });
    const consumer = world.consumer({});
    const batch = [world.message(0, { receiveCount: 2 }), world.message(1)];
    expect(await consumer.consume(batch, Date.now() + 600_000)).toEqual(["0"]);
    expect(consumer.isRetired).toBe(true);
    expect(world.sqs.deleted).toEqual(["handle-1"]);
  });

  test("that can start processes does not retire", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const consumer = world.consumer({});
    await consumer.consume([world.message(0, { receiveCount: 2 })], Date.now() + 600_000);
    expect(consumer.isRetired).toBe(false);
    expect(world.sqs.deleted).toEqual([]);
  });

  test("counts no crash while another consumer may have the item's attempt", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const item = { run: RUN, partition: 0, page: 0, index: 0, epoch: 1, redriveGeneration: 0 };
    const timeout = 30_000;
    const at = Date.now();
    const now = () => at;
    const began = at - timeout;
    await world.ledger.attempts.recordReceive(item, 2, "alone", began);
    const settings = { timeout: { milliseconds: timeout } };
    expect(await world.consume(settings, [world.message(0, { receiveCount: 3 })], { now })).toEqual(["0"]);
    const [state] = await world.ledger.itemStates([item]);
    expect(state).toMatchObject({
      failures: [],
      receives: new Map([
        [2, "alone"],
        [3, "returned"],
      ]),
    });
    expect(isolation.run).not.toHaveBeenCalled();
    // The message returns when the attempt and its record must have ended: 5 s after the timeout.
    expect(world.sqs.visibilities).toEqual([{ receiptHandle: "handle-0", seconds: 5 }]);
    // The attempt of a consumer whose clock was an hour ahead, and was then set back.
    await world.ledger.attempts.recordReceive(item, 2, "alone", at + 3_600_000);
    expect(await world.consume(settings, [world.message(0, { receiveCount: 4 })], { now })).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 1, retried: 1 });
  });

  test("counts a crash once the attempt and its record must have ended", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const item = { run: RUN, partition: 0, page: 0, index: 0, epoch: 1, redriveGeneration: 0 };
    const at = Date.now();
    const now = () => at;
    await world.ledger.attempts.recordReceive(item, 2, "alone", at - 30_000 - 5_000);
    const settings = { timeout: { milliseconds: 30_000 } };
    expect(await world.consume(settings, [world.message(0, { receiveCount: 4 })], { now })).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 1, retried: 1 });
  });

  test("counts nothing for an attempt that ended in a wait, and forgets when it began", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const item = { run: RUN, partition: 0, page: 0, index: 0, epoch: 1, redriveGeneration: 0 };
    await world.ledger.attempts.recordReceive(item, 2, "alone", 1);
    const [before] = await world.ledger.itemStates([item]);
    if (before?.tag !== "pending") throw new Error(`the item is ${before?.tag}`);
    expect(before.began).toEqual(new Map([[2, 1]]));
    const note = { at: "2026-01-01T00:00:00.000Z", name: "Throttled", message: "busy", milliseconds: 1_000 };
    const wait = { kind: "throttled", note, receive: 2, startedAt: 1, endedAt: 2 } as const;
    await world.ledger.attempts.recordWait(item, wait, before, { atMostMilliseconds: 60_000, isSuspect: true });
    const [after] = await world.ledger.itemStates([item]);
    expect(after).toMatchObject({ failures: [], receives: new Map(), accountedTo: 2 });
    expect(after).not.toHaveProperty("began");
  });

  test("records the outcome and the crashes of a suspect", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    const item = { run: RUN, partition: 0, page: 0, index: 0, epoch: 1, redriveGeneration: 0 };
    for (const receive of [2, 3]) await world.ledger.attempts.recordReceive(item, receive, "alone");
    expect(await world.consume({ retry: { attempts: 3 } }, [world.message(0, { receiveCount: 4 })])).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 1, pending: 1, retried: 2 });
    const other = { ...item, index: 1 };
    for (const receive of [2, 3, 4]) await world.ledger.attempts.recordReceive(other, receive, "alone");
    expect(await world.consume({ retry: { attempts: 3 } }, [world.message(1, { receiveCount: 5 })])).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 1, dead: 1, deadByReason: { exhausted: 1 } });
    expect(world.deadLetters[0]?.dead.failures).toMatchObject(Array(3).fill({ kind: "crashed" }));
    expect(isolation.run).toHaveBeenCalledTimes(1);
  });
});

test("an isolated attempt that could not begin in time counts for nothing, and needs another place", async () => {
  const { attempt, recorded } = await suspecting();
  isolation.isReady = false;
  isolation.run.mockResolvedValue({ tag: "not ready" });
  expect(await attempt(0, 2, pending({}))).toEqual(noPlace);
  expect((await recorded(0)).receives).toEqual(new Map());
});

test("the place of an isolated attempt is free again when the attempt has failed to start", async () => {
  const { attempt } = await suspecting({ memoryMb: 256 });
  isolation.isReady = false;
  const error = new Error("spawn EMFILE");
  isolation.run.mockResolvedValue({ tag: "not started", error });
  expect(await attempt(0, 2, pending({}))).toEqual({ tag: "not started", error });
  isolation.isReady = true;
  isolation.run.mockResolvedValue(succeeded);
  expect(await attempt(1, 2, pending({}))).toMatchObject(attempted);
});
