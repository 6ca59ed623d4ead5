import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LimitedSlots, type LimitedSlotsOptions } from "../../../shared/consumer/slots/limited-slots.ts";
import type { Reservation, Slot } from "../../../shared/consumer/slots/slot-supplier.ts";
import type { EnvironmentLimit, Start, StartedAttempt } from "../../../shared/limits/environment-limit.ts";

const BEGUN_AT = 1_000_000;
const NEVER = Number.POSITIVE_INFINITY;
const FULL: Start = { tag: "full" };
/** It would hide a message for a second. */
const EMPTY_QUEUE = { depth: async () => ({ visible: 0, inFlight: 0, delayed: 0 }) };
const NO_SHARE: Start = { tag: "no share" };

beforeEach(() => void vi.useFakeTimers({ now: BEGUN_AT }));
afterEach(() => void vi.useRealTimers());

/** The limit of one environment, which the test decides. */
class Limit {
  start: Start = { tag: "start" };
  slots = 4;
  stocked = 100;
  readonly calls: unknown[][] = [];
  #started = 0;

  readonly limit = {
    size: () => this.slots,
    stock: () => this.stocked,
    mayStart: () => this.start,
    isRefused: () => this.start.tag === "no share",
    started: (now: number) => ({ at: now, inFlight: ++this.#started }) as StartedAttempt,
    cancelled: (...of: unknown[]) => void this.calls.push(["cancelled", ...of]),
    ended: (...of: unknown[]) => void this.calls.push(["ended", ...of]),
  } as unknown as EnvironmentLimit;
}

function starting(options: Partial<LimitedSlotsOptions> = {}) {
  const limit = new Limit();
  const watch = {
    isFree: false,
    limit: limit.limit,
    startsPerSecond: undefined as number | undefined,
    acceptedPerSecond: 10 as number | undefined,
    begin: vi.fn<LimitedSlotsOptions["watch"]["begin"]>(),
    announceEnd: vi.fn(),
    noteThrottle: vi.fn(),
    leave: vi.fn(),
    end: vi.fn(async () => {}),
  };
  const depth = vi.fn(async () => ({ visible: 10_000, inFlight: 2_000, delayed: 500 }));
  const slots = new LimitedSlots({
    watch,
    tasksPerEnvironment: 10,
    patienceMilliseconds: 8_000,
    queue: { depth },
    now: Date.now,
    random: () => 0.5,
    ...options,
  });
  const reservations: Reservation[] = [];
  return {
    ...{ limit, watch, depth, slots, reservations },
    reserve: () => void slots.reserve().then((reservation) => reservations.push(reservation)),
    /** What was refused, and for how long it is hidden from now. */
    hidden: () => reservations.map((each) => (each.tag === "refused" ? each.hideUntil - Date.now() : each.tag)),
    slotAt: (index: number): Slot => {
      const reservation = reservations[index];
      if (reservation?.tag !== "reserved") throw new Error("no slot");
      return reservation.slot;
    },
  };
}

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

describe("the size", () => {
  test("is that of the environment while no limit is in force, and else its share", () => {
    const { slots, watch, limit } = starting();
    expect([slots.size, slots.holdsShare]).toEqual([4, true]);
    limit.slots = 0;
    expect([slots.size, slots.holdsShare]).toEqual([0, false]);
    watch.isFree = true;
    expect([slots.size, slots.holdsShare]).toEqual([10, false]);
    limit.slots = 4;
    expect([slots.size, slots.holdsShare]).toEqual([10, false]);
  });

  test("of the stock is what can start in half the time for which a message may wait", () => {
    const { slots, watch, limit } = starting();
    expect(slots.stock).toBeUndefined();
    watch.startsPerSecond = 3;
    expect(slots.stock).toBe(12);
    limit.stocked = 5;
    expect(slots.stock).toBe(5);
    limit.stocked = 100;
    watch.startsPerSecond = 0.01;
    expect(slots.stock).toBe(1);
    watch.startsPerSecond = 0;
    expect(slots.stock).toBe(1);
  });
});

describe("a message that waits", () => {
  test("gets a slot when one is free, in its turn", async () => {
    const { limit, watch, reserve, reservations, slots, slotAt } = starting();
    limit.start = FULL;
    for (let message = 0; message < 3; message++) reserve();
    await pass(7_999);
    expect(reservations).toEqual([]);
    const onChange = vi.fn();
    slots.begin({ wanted: () => 7, onChange });
    limit.start = { tag: "start" };
    watch.begin.mock.calls[0]?.[0].onChange();
    expect(onChange).toHaveBeenCalledOnce();
    expect(watch.begin.mock.calls[0]?.[0].wanted()).toBe(7);
    await pass(0);
    expect(reservations.map(({ tag }) => tag)).toEqual(["reserved", "reserved", "reserved"]);
    slotAt(1).release({ tag: "failed", durationMilliseconds: 5 });
    expect(limit.calls).toEqual([
      ["ended", Date.now(), { at: BEGUN_AT + 7_999, inFlight: 2 }, { tag: "failed", durationMilliseconds: 5 }],
    ]);
  });

  test("gets the slot that another one releases, once", async () => {
    const { limit, reserve, reservations, slotAt } = starting();
    reserve();
    limit.start = FULL;
    reserve();
    await pass(0);
    expect(reservations).toHaveLength(1);
    limit.start = { tag: "start" };
    slotAt(0).release({ tag: "unused" });
    await pass(0);
    expect(reservations).toHaveLength(2);
    slotAt(0).release({ tag: "unused" });
    expect(limit.calls).toEqual([["cancelled", BEGUN_AT]]);
  });

  test("is refused after its patience, and without a limit never", async () => {
    const { limit, reserve, reservations } = starting();
    limit.start = FULL;
    reserve();
    await pass(5_000);
    reserve();
    await pass(2_999);
    expect(reservations).toEqual([]);
    await pass(1);
    expect(reservations).toHaveLength(1);
    await pass(4_999);
    expect(reservations).toHaveLength(1);
    await pass(1);
    expect(reservations.map(({ tag }) => tag)).toEqual(["refused", "refused"]);
    const free = starting();
    free.watch.isFree = true;
    free.limit.start = FULL;
    free.reserve();
    await pass(100_000);
    expect(free.reservations).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("waits for the time of its start, if it can wait so long", async () => {
    const { limit, reserve, reservations } = starting();
    limit.start = { tag: "wait", until: BEGUN_AT + 8_000 };
    reserve();
    await pass(7_999);
    expect(reservations).toEqual([]);
    limit.start = { tag: "start" };
    await pass(1);
    expect(reservations).toMatchObject([{ tag: "reserved" }]);
  });

  test("is asked about again at the time of its start, and at least a millisecond later", async () => {
    const { limit, reserve, reservations } = starting();
    limit.start = { tag: "wait", until: BEGUN_AT - 5 };
    reserve();
    limit.start = { tag: "start" };
    await pass(0);
    expect(reservations).toEqual([]);
    await pass(1);
    expect(reservations).toHaveLength(1);
  });

  test("waits for a start whose time is not known until its patience is over, and is then hidden as if it had no time", async () => {
    const { limit, reserve, reservations, hidden } = starting({ queue: EMPTY_QUEUE });
    limit.start = { tag: "wait", until: NEVER };
    reserve();
    await pass(7_999);
    expect(reservations).toEqual([]);
    await pass(1);
    expect(hidden()).toEqual([1_000]);
  });

  test("is refused at once if its start is later, and hidden until then, and some time longer", async () => {
    const { limit, watch, reserve, hidden } = starting({ queue: EMPTY_QUEUE });
    watch.acceptedPerSecond = 10;
    limit.start = { tag: "wait", until: BEGUN_AT + 8_001 };
    reserve();
    await pass(0);
    expect(hidden()[0]).toBeCloseTo(8_001 * 1.1);
    limit.start = { tag: "wait", until: BEGUN_AT + 10_000_000 };
    reserve();
    await pass(0);
    expect(hidden()[1]).toBeCloseTo(300_000 * 1.1);
  });

  test("is not hidden for less than other messages of the queue", async () => {
    const { limit, reserve, hidden } = starting();
    limit.start = { tag: "wait", until: BEGUN_AT + 9_000 };
    reserve();
    await pass(0);
    const [milliseconds] = hidden();
    // 12,500 messages in the queue, of which the fleet takes 10 in a second.
    expect(milliseconds).toBeGreaterThan(9_900);
    limit.start = NO_SHARE;
    reserve();
    await pass(0);
    expect(hidden()[1]).toBe(milliseconds);
  });
});

describe("a message of an environment without a share", () => {
  test("is refused at once", async () => {
    const { limit, reserve, hidden, depth } = starting();
    limit.start = NO_SHARE;
    reserve();
    reserve();
    await pass(0);
    const [first, second] = hidden();
    expect(first).toBeGreaterThan(10_000);
    expect(first).toBeLessThan(300_000);
    // Messages that are refused together are received together again.
    expect(second).toBe(first);
    expect(depth).toHaveBeenCalledTimes(1);
    await pass(100);
    reserve();
    await pass(0);
    expect(depth).toHaveBeenCalledTimes(1);
    await pass(1);
    reserve();
    await pass(0);
    expect(depth).toHaveBeenCalledTimes(2);
  });

  test("is hidden for a time that depends on all messages of the queue", async () => {
    const hiddenWith = async (visible: number, inFlight: number, delayed: number) => {
      const { limit, reserve, hidden } = starting({ queue: { depth: async () => ({ visible, inFlight, delayed }) } });
      limit.start = NO_SHARE;
      reserve();
      await pass(0);
      return Number(hidden()[0]);
    };
    const all = await hiddenWith(3_000, 0, 0);
    expect(await hiddenWith(1_000, 1_000, 1_000)).toBe(all);
    expect(await hiddenWith(0, 3_000, 0)).toBe(all);
    expect(await hiddenWith(0, 0, 3_000)).toBe(all);
    expect(await hiddenWith(6_000, 0, 0)).toBeGreaterThan(all);
  });

  test("returns at once if it is one of the last ones, because an environment with a share needs it", async () => {
    const { limit, reserve, reservations } = starting({ queue: EMPTY_QUEUE });
    limit.start = NO_SHARE;
    reserve();
    await pass(0);
    expect(reservations).toEqual([{ tag: "refused", hideUntil: BEGUN_AT }]);
  });

  test("is one of the last ones if it would be hidden for a moment only", async () => {
    // 4 × 10 messages a second, and 1.3 × half of the time until the end: the border is at 92 messages.
    const returnedWith = async (visible: number) => {
      const { limit, reserve, hidden } = starting({
        queue: { depth: async () => ({ visible, inFlight: 0, delayed: 0 }) },
      });
      limit.start = NO_SHARE;
      reserve();
      await pass(0);
      return Number(hidden()[0]);
    };
    expect(await returnedWith(92)).toBe(0);
    expect(await returnedWith(93)).toBeGreaterThan(2_500);
  });

  test("is refused if the queue cannot be asked", async () => {
    const { limit, watch, reserve, hidden } = starting({ queue: { depth: () => Promise.reject(new Error("down")) } });
    watch.acceptedPerSecond = undefined;
    limit.start = NO_SHARE;
    reserve();
    await pass(0);
    expect(hidden()).toEqual([10_000]);
  });
});

describe("an invocation that has returned the last messages", () => {
  const returned = async (options: Partial<LimitedSlotsOptions> = {}) => {
    const world = starting({ ...options, queue: EMPTY_QUEUE });
    const { limit, watch, slots, reserve } = world;
    slots.begin({ wanted: () => 0, onChange: () => {} });
    limit.start = NO_SHARE;
    reserve();
    await pass(0);
    const onEnd = vi.fn();
    void slots.end().then(onEnd);
    await pass(0);
    return { ...world, onEnd, onChange: () => watch.begin.mock.calls[0]?.[0].onChange() };
  };

  test("does not end for as long as they would be hidden: it would receive them again", async () => {
    const { onEnd, watch } = await returned();
    await pass(999);
    expect(onEnd).not.toHaveBeenCalled();
    expect(watch.end).not.toHaveBeenCalled();
    await pass(1);
    expect(onEnd).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("ends when it may get a share, and not when it learns that others still have all of it", async () => {
    const { limit, onChange, onEnd } = await returned();
    onChange();
    await pass(100);
    expect(onEnd).not.toHaveBeenCalled();
    limit.start = FULL;
    onChange();
    await pass(0);
    expect(onEnd).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("does not stay if it must end before", async () => {
    const { onEnd, hidden } = await returned({ until: BEGUN_AT + 1_000 });
    expect(hidden()).toEqual([1_000]);
    expect(onEnd).toHaveBeenCalledOnce();
  });
});

test("the watch hears of throttled attempts, and of no others", async () => {
  const { reserve, slotAt, watch } = starting();
  reserve();
  reserve();
  await pass(0);
  slotAt(0).release({ tag: "failed", durationMilliseconds: 5 });
  expect(watch.noteThrottle).not.toHaveBeenCalled();
  slotAt(1).release({ tag: "throttled", durationMilliseconds: 5, retryAfterMilliseconds: undefined });
  expect(watch.noteThrottle).toHaveBeenCalledOnce();
});

describe("an invocation that must end", () => {
  test("announces its end two seconds before, and then leaves", async () => {
    const { slots, watch } = starting({ until: BEGUN_AT + 10_000 });
    slots.begin({ wanted: () => 1, onChange: () => {} });
    await pass(7_999);
    expect(watch.announceEnd).not.toHaveBeenCalled();
    await pass(1);
    expect(watch.announceEnd).toHaveBeenCalledOnce();
    await pass(1_999);
    expect(watch.leave).not.toHaveBeenCalled();
    await pass(1);
    expect(watch.leave).toHaveBeenCalledOnce();
  });

  test("announces nothing if it ends before, or has no such time", async () => {
    const ended = starting({ until: BEGUN_AT + 10_000 });
    ended.slots.begin({ wanted: () => 1, onChange: () => {} });
    ended.limit.start = FULL;
    ended.reserve();
    await ended.slots.end();
    expect(ended.watch.end).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
    const endless = starting();
    endless.slots.begin({ wanted: () => 1, onChange: () => {} });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("returns its messages at once when it starts nothing more", async () => {
    const { limit, reserve, reservations, depth } = starting({ until: BEGUN_AT + 3_000 });
    limit.start = FULL;
    reserve();
    await pass(2_999);
    expect(reservations).toEqual([]);
    await pass(1);
    expect(reservations).toEqual([{ tag: "refused", hideUntil: BEGUN_AT + 3_000 }]);
    limit.start = { tag: "wait", until: NEVER };
    reserve();
    await pass(0);
    expect(reservations[1]).toEqual({ tag: "refused", hideUntil: BEGUN_AT + 3_000 });
    expect(depth).not.toHaveBeenCalled();
    // The messages of an environment without a share are hidden nevertheless: others have the slots.
    limit.start = NO_SHARE;
    reserve();
    await pass(0);
    expect(reservations[2]).toMatchObject({ tag: "refused" });
    expect(depth).toHaveBeenCalledOnce();
  });
});
