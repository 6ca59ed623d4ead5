import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Queue } from "../../../shared/aws/queue.ts";
import type { ReceivedMessage } from "../../../shared/aws/received-message.ts";
import { Intake, type RefillOptions } from "../../../shared/consumer/slots/intake.ts";
import type { SlotState } from "../../../shared/consumer/slots/refill-policy.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));
const messages = (count: number) => Array.from({ length: count }, () => ({}) as ReceivedMessage);
const REFILL: RefillOptions = { until: 60_000, waitingMilliseconds: 10_000, visibilityTimeoutSeconds: 45 };

/** An intake for twenty slots of a fleet with ten, and what it has asked SQS for. */
function intakeOf(refill: RefillOptions | null = REFILL) {
  const state = {
    ...{ now: 0, slots: 20, attempting: 19, withoutSlot: 0, isProducing: false, meanMilliseconds: 1_000 },
    holdsShare: undefined as boolean | undefined,
  };
  const asked: unknown[] = [];
  const answers: ((result: readonly ReceivedMessage[] | Error) => void)[] = [];
  const receive = (options: object) => {
    asked.push(options);
    return new Promise<readonly ReceivedMessage[]>((resolve, reject) => {
      answers.push((result) => (result instanceof Error ? reject(result) : resolve(result)));
    });
  };
  const depth = vi.fn(async () => ({ visible: 0, inFlight: 0, delayed: 0 }));
  const warn = vi.fn();
  const receiver = {
    slotState: (): SlotState => state,
    receive: vi.fn(),
    onChange: vi.fn(),
    onNotNeeded: vi.fn(),
  };
  const intake = new Intake(
    {
      queue: { receive, depth } as unknown as Queue,
      refill: refill ?? undefined,
      concurrency: 30,
      tasksPerEnvironment: 10,
      logger: { warn } as never,
      now: () => state.now,
    },
    receiver,
  );
  /** Plans a request, and lets it be sent. Returns the number of requests so far. */
  const plan = async (changes: Partial<typeof state> = {}) => {
    Object.assign(state, changes);
    intake.plan();
    await turn();
    await turn();
    return asked.length;
  };
  /** Answers the oldest request that is not answered. */
  const answer = async (result: readonly ReceivedMessage[] | Error) => {
    answers.shift()?.(result);
    await turn();
  };
  return { intake, state, asked, answer, depth, warn, receiver, plan };
}

describe("a request for messages", () => {
  test("hides them for the time of the option, and waits for them only while something runs", async () => {
    const { asked, plan, answer } = intakeOf();
    await plan();
    expect(asked).toEqual([{ max: 1, waitSeconds: 1, visibilityTimeoutSeconds: 45 }]);
    await answer(messages(1));
    await plan({ attempting: 0, withoutSlot: 0 });
    expect(asked.slice(1)).toMatchObject([{ waitSeconds: 0 }, { waitSeconds: 0 }]);
  });

  test("waits while a source is read, also if nothing runs", async () => {
    const { asked, plan } = intakeOf();
    await plan({ attempting: 0, isProducing: true });
    expect(asked[0]).toMatchObject({ waitSeconds: 1 });
  });

  test("is not made by a consumer that receives nothing itself", async () => {
    const { intake, receiver, plan } = intakeOf(null);
    expect(await plan()).toBe(0);
    expect([intake.isActive, intake.isSupplied]).toEqual([false, false]);
    intake.noteBatch(10);
    expect(intake.isSupplied).toBe(false);
    expect(receiver.onNotNeeded).not.toHaveBeenCalled();
  });

  test("is made until the time at which an invocation must end", async () => {
    const { intake, state, plan } = intakeOf();
    intake.noteBatch(10);
    state.now = 59_999;
    expect(intake.isSupplied).toBe(true);
    expect(await plan()).toBe(1);
    const late = intakeOf();
    late.intake.noteBatch(10);
    late.state.now = 60_000;
    expect(late.intake.isSupplied).toBe(false);
    expect(await late.plan()).toBe(0);
  });

  test("is planned once, however often a slot becomes free in one turn", async () => {
    const { intake, receiver, plan } = intakeOf();
    intake.plan();
    intake.plan();
    expect(await plan()).toBe(1);
    expect(receiver.onNotNeeded).not.toHaveBeenCalled();
  });

  test("is not sent if the time is over when the turn ends", async () => {
    const { intake, state, asked, receiver } = intakeOf();
    intake.plan();
    state.now = 60_000;
    await turn();
    expect(asked).toEqual([]);
    expect(receiver.onNotNeeded).toHaveBeenCalledOnce();
  });

  test("gives its messages to the consumer, with the time at which it began", async () => {
    const { receiver, state, plan, answer, intake } = intakeOf();
    await plan({ now: 100 });
    state.now = 900;
    const found = messages(1);
    await answer(found);
    expect(receiver.receive.mock.calls).toEqual([[found, 100]]);
    expect(intake.isActive).toBe(false);
  });

  test("that fails is the last one, and is reported", async () => {
    const { receiver, plan, answer, warn, intake } = intakeOf();
    intake.noteBatch(10);
    await plan();
    const error = new Error("down");
    await answer(error);
    expect(warn.mock.calls).toEqual([["could not receive more messages", { error }]]);
    expect(receiver.receive.mock.calls).toEqual([[[], 0]]);
    expect(intake.isSupplied).toBe(false);
    expect(await plan()).toBe(1);
  });
});

describe("a queue", () => {
  test.each([
    [9, true],
    [10, false],
  ])("whose batch has %d messages is low: %s", (batch, isLow) => {
    const { intake } = intakeOf();
    expect([intake.isQueueLow, intake.isSupplied]).toEqual([true, false]);
    intake.noteBatch(batch);
    expect([intake.isQueueLow, intake.isSupplied]).toEqual([isLow, !isLow]);
  });

  test.each([
    [0, true, false],
    [4, true, true],
    [5, false, true],
    [10, false, true],
  ])("that answers a request for ten with %d is low: %s, and supplies more: %s", async (count, isLow, isSupplied) => {
    const { intake, asked, plan, answer } = intakeOf();
    await plan({ attempting: 10 });
    expect(asked[0]).toMatchObject({ max: 10 });
    await answer(messages(count));
    expect([intake.isQueueLow, intake.isSupplied]).toEqual([isLow, isSupplied]);
  });

  test("that was empty is asked again only while something runs", async () => {
    const { plan, answer } = intakeOf();
    expect(await plan()).toBe(1);
    await answer([]);
    expect(await plan({ attempting: 0, withoutSlot: 0 })).toBe(1);
    expect(await plan({ withoutSlot: 1 })).toBe(2);
    await answer([]);
    expect(await plan({ withoutSlot: 0, attempting: 1 })).toBe(3);
    // While the answer is out, another request can bring messages for slots that became free since.
    expect(await plan({ attempting: 0 })).toBe(3);
    await answer(messages(1));
    expect(await plan({ attempting: 0 })).toBe(4);
  });
});

describe("messages that wait for a slot", () => {
  /** Whether messages are received although all slots are taken. */
  async function prefetches(changes: Partial<SlotState> = {}, batch = 10): Promise<boolean> {
    const { intake, depth, plan, receiver } = intakeOf();
    depth.mockResolvedValue({ visible: 10_000, inFlight: 0, delayed: 0 });
    intake.noteBatch(batch);
    await plan({ attempting: 20, meanMilliseconds: 10, ...changes });
    const before = depth.mock.calls.length;
    if (before > 0) expect(receiver.onChange).toHaveBeenCalledOnce();
    const requests = await plan();
    intake.end();
    return before > 0 && requests > 0;
  }

  test("are received while the queue is full and all slots are taken", async () => {
    expect(await prefetches()).toBe(true);
    expect(await prefetches({}, 9)).toBe(false);
    expect(await prefetches({ attempting: 0 })).toBe(false);
  });

  test("are not received if they might get no slot in this invocation", async () => {
    expect(await prefetches({ now: 49_999 })).toBe(true);
    expect(await prefetches({ now: 50_000 })).toBe(false);
  });

  test("are not asked for while ten slots are free, less those that have a message", async () => {
    const asks = async (changes: Partial<SlotState>) => {
      const { intake, depth, plan } = intakeOf();
      intake.noteBatch(10);
      await plan(changes);
      intake.end();
      return depth.mock.calls.length > 0;
    };
    expect(await asks({ attempting: 10 })).toBe(false);
    expect(await asks({ attempting: 11 })).toBe(true);
    expect(await asks({ attempting: 8, withoutSlot: 3 })).toBe(true);
  });
});

describe("prefetched messages that are not all that the slots may have", () => {
  /** How many requests were made until just before half of the time of a task, and the requests of the next millisecond. */
  async function filledUp(changes: Partial<SlotState> = {}, ends = false) {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const { intake, depth, asked, plan } = intakeOf();
      depth.mockResolvedValue({ visible: 10_000, inFlight: 0, delayed: 0 });
      intake.noteBatch(10);
      const state = { slots: 25, attempting: 25, withoutSlot: 20, ...changes };
      await plan(state);
      await plan(state);
      if (ends) intake.end();
      vi.advanceTimersByTime(499);
      const before = asked.length;
      vi.advanceTimersByTime(1);
      intake.end();
      return [before, ...asked.slice(before)];
    } finally {
      vi.useRealTimers();
    }
  }

  test("are filled up when no slot has become free for a while", async () => {
    expect(await filledUp()).toEqual([0, { max: 5, waitSeconds: 1, visibilityTimeoutSeconds: 45 }]);
  });

  test("leave no timer behind at the end of the invocation", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const { intake, plan } = intakeOf();
    intake.noteBatch(10);
    // The queue is empty, and a source is read. So there is a reminder to ask for the backlog again, too.
    for (let request = 0; request < 2; request++) await plan({ attempting: 19, isProducing: true });
    expect(vi.getTimerCount()).toBe(2);
    intake.end();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("are not filled up while slots become free", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const { intake, depth, asked, plan } = intakeOf();
    depth.mockResolvedValue({ visible: 10_000, inFlight: 0, delayed: 0 });
    intake.noteBatch(10);
    await plan({ slots: 25, attempting: 25, withoutSlot: 20 });
    for (let slot = 0; slot < 5; slot++) {
      vi.advanceTimersByTime(400);
      await plan();
    }
    expect(asked).toEqual([]);
    vi.advanceTimersByTime(500);
    expect(asked).toHaveLength(1);
    intake.end();
  });

  test("are not filled up if there are enough, if tasks are short, or if the invocation ends", async () => {
    expect(await filledUp({ withoutSlot: 25 })).toEqual([0]);
    expect(await filledUp({ meanMilliseconds: 199 })).toEqual([0]);
    expect(await filledUp({ meanMilliseconds: 200 })).toEqual([1]);
    expect(await filledUp({}, true)).toEqual([0]);
  });
});

describe("an environment with a share of a limit that leaves others none", () => {
  test("looks for messages that the others hide, and asks again while there are some", async () => {
    const { depth, asked, plan, answer } = intakeOf();
    // Of 42 messages it has 21, and the other environments have room for 20.
    depth.mockResolvedValue({ visible: 1, inFlight: 40, delayed: 1 });
    await plan({ attempting: 19, withoutSlot: 2, holdsShare: true });
    const before = asked.length;
    for (const _ of [...asked]) await answer([]);
    expect(depth).toHaveBeenCalledTimes(before);
    expect(await plan({ attempting: 0, withoutSlot: 0 })).toBeGreaterThan(before);
    expect(asked.at(-1)).toMatchObject({ waitSeconds: 1 });
  });

  test("does not ask again once it has no share any more", async () => {
    const { depth, asked, plan, answer } = intakeOf();
    depth.mockResolvedValue({ visible: 1, inFlight: 40, delayed: 1 });
    await plan({ attempting: 19, withoutSlot: 2, holdsShare: true });
    const before = asked.length;
    for (const _ of [...asked]) await answer([]);
    expect(await plan({ attempting: 0, withoutSlot: 0, holdsShare: false })).toBe(before);
  });

  test("does not ask again if the others have a slot for each message, so that they get its share", async () => {
    const { depth, asked, plan, answer } = intakeOf();
    depth.mockResolvedValue({ visible: 1, inFlight: 39, delayed: 1 });
    await plan({ attempting: 19, withoutSlot: 2, holdsShare: true });
    for (const _ of [...asked]) await answer([]);
    const before = asked.length;
    expect(await plan({ attempting: 0, withoutSlot: 0 })).toBe(before);
  });

  test("does not ask again if all messages are its own", async () => {
    const { depth, asked, plan, answer } = intakeOf();
    depth.mockResolvedValue({ visible: 1, inFlight: 18, delayed: 2 });
    await plan({ attempting: 18, withoutSlot: 1, holdsShare: true });
    depth.mockResolvedValue({ visible: 0, inFlight: 19, delayed: 0 });
    for (const _ of [...asked]) await answer([]);
    const before = asked.length;
    expect(await plan({ attempting: 0, withoutSlot: 0 })).toBe(before);
  });

  test("does not look for them if the queue gave messages, and other environments never do", async () => {
    const { depth, plan, answer } = intakeOf();
    await plan({ holdsShare: true });
    await answer(messages(1));
    expect(depth).not.toHaveBeenCalled();
    const other = intakeOf();
    await other.plan({ holdsShare: false });
    await other.answer([]);
    expect(other.depth).not.toHaveBeenCalled();
    expect(await other.plan({ attempting: 0 })).toBe(1);
  });
});
