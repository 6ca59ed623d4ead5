import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Queue } from "../../../local/sqs/queue-registry.ts";
import { type Prospects, Waiters } from "../../../local/sqs/waiters.ts";

const q = {} as Queue;
const other = {} as Queue;

let now = 0;
let available: Map<Queue, number>;
let nextAt: Map<Queue, number>;
let asked: { queue: Queue; limit: number }[];
let prospects: Prospects;
let waiters: Waiters;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate"] });
  now = 1_000;
  available = new Map();
  nextAt = new Map();
  asked = [];
  prospects = {
    clock: () => now,
    receivable: (queue, limit) => {
      asked.push({ queue, limit });
      return Math.min(limit, available.get(queue) ?? 0);
    },
    nextAt: (queue, after) => {
      const at = nextAt.get(queue);
      return at !== undefined && at > after ? at : undefined;
    },
  };
  waiters = new Waiters(prospects);
});
afterEach(() => {
  waiters.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** A waiter that takes what is available, up to what it wants. */
function waiter(queue: Queue, wants: number) {
  const offer = vi.fn(() => {
    const taken = Math.min(wants, available.get(queue) ?? 0);
    available.set(queue, (available.get(queue) ?? 0) - taken);
    return taken;
  });
  return { wants, offer };
}

/** Lets the offers of this tick happen. */
const tick = () => vi.advanceTimersByTime(0);

/** The same after a timer, whose offers the fake clock lets happen in the next millisecond. */
const tickOfTimer = () => vi.advanceTimersByTime(1);

describe("a caller that waits", () => {
  test("is offered the messages that are there, in the next tick", () => {
    available.set(q, 1);
    const first = waiter(q, 1);
    waiters.add(q, first);
    expect(first.offer).not.toHaveBeenCalled();
    tick();
    expect(first.offer).toHaveBeenCalledOnce();
    waiters.changed(q);
    tick();
    // It has got what it wanted, so it waits no more.
    expect(first.offer).toHaveBeenCalledOnce();
  });

  test("is offered nothing while there is nothing", () => {
    const first = waiter(q, 1);
    waiters.add(q, first);
    tick();
    waiters.changed(q);
    tick();
    expect(first.offer).not.toHaveBeenCalled();
    expect(asked).toEqual([
      { queue: q, limit: 1 },
      { queue: q, limit: 1 },
    ]);
  });

  test("is served in its turn, as long as there are messages", () => {
    const first = waiter(q, 2);
    const second = waiter(q, 2);
    const third = waiter(q, 1);
    for (const each of [first, second, third]) waiters.add(q, each);
    available.set(q, 3);
    tick();
    expect(asked).toEqual([{ queue: q, limit: 5 }]);
    expect([first, second, third].map(({ offer }) => offer.mock.calls.length)).toEqual([1, 1, 0]);
    available.set(q, 1);
    waiters.changed(q);
    tick();
    expect(asked.at(-1)).toEqual({ queue: q, limit: 1 });
    expect(third.offer).toHaveBeenCalledOnce();
  });

  test("continues to wait after an offer that gave it nothing", () => {
    const first = { wants: 1, offer: vi.fn(() => 0) };
    waiters.add(q, first);
    available.set(q, 1);
    tick();
    waiters.changed(q);
    tick();
    expect(first.offer).toHaveBeenCalledTimes(2);
  });

  test("is not offered the messages of another queue", () => {
    const first = waiter(q, 1);
    waiters.add(q, first);
    waiters.add(other, waiter(other, 1));
    tick();
    asked = [];
    available.set(other, 1);
    waiters.changed(other);
    tick();
    expect(asked).toEqual([{ queue: other, limit: 1 }]);
    expect(first.offer).not.toHaveBeenCalled();
  });

  test("is offered nothing after it was removed, and leaves no timer", () => {
    nextAt.set(q, now + 500);
    const first = waiter(q, 1);
    const remove = waiters.add(q, first);
    tick();
    expect(vi.getTimerCount()).toBe(1);
    remove();
    expect(vi.getTimerCount()).toBe(0);
    available.set(q, 1);
    waiters.changed(q);
    expect(vi.getTimerCount()).toBe(0);
    expect(first.offer).not.toHaveBeenCalled();
    // To remove it again is no error.
    remove();
  });

  test("does not keep another caller of its queue from waiting when it is removed", () => {
    nextAt.set(q, now + 500);
    const remove = waiters.add(q, waiter(q, 1));
    const second = waiter(q, 1);
    waiters.add(q, second);
    tick();
    remove();
    expect(vi.getTimerCount()).toBe(1);
    available.set(q, 1);
    waiters.changed(q);
    tick();
    expect(second.offer).toHaveBeenCalledOnce();
  });

  test("gets the error of a queue that cannot be read", () => {
    waiters.close();
    waiters = new Waiters({
      ...prospects,
      receivable: () => {
        throw new Error("the disk is full");
      },
    });
    const offer = vi.fn(() => 1);
    waiters.add(q, { wants: 1, offer });
    tick();
    expect(offer).toHaveBeenCalledTimes(1);
  });
});

describe("a timer", () => {
  test("wakes a caller when the next message becomes receivable", () => {
    nextAt.set(q, now + 500);
    const first = waiter(q, 1);
    waiters.add(q, first);
    tick();
    vi.advanceTimersByTime(499);
    expect(asked).toHaveLength(1);
    available.set(q, 1);
    now += 500;
    vi.advanceTimersByTime(1);
    tickOfTimer();
    expect(first.offer).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("waits at least a millisecond, if the time has come meanwhile", () => {
    nextAt.set(q, now + 5);
    const { clock } = prospects;
    let calls = 0;
    waiters.close();
    // The time passes between the offer and the timer.
    waiters = new Waiters({ ...prospects, clock: () => clock() + 100 * calls++ });
    waiters.add(q, waiter(q, 1));
    vi.runOnlyPendingTimers();
    expect(asked).toHaveLength(1);
    nextAt.clear();
    vi.advanceTimersByTime(1);
    tickOfTimer();
    expect(asked).toHaveLength(2);
  });

  test("fires after a minute at the latest, because the clock may be set", () => {
    nextAt.set(q, now + 3_600_000);
    waiters.add(q, waiter(q, 1));
    tick();
    vi.advanceTimersByTime(59_999);
    expect(asked).toHaveLength(1);
    vi.advanceTimersByTime(1);
    tickOfTimer();
    expect(asked).toHaveLength(2);
  });

  test("replaces the earlier one of its queue", () => {
    nextAt.set(q, now + 500);
    waiters.add(q, waiter(q, 1));
    tick();
    nextAt.set(q, now + 100);
    waiters.changed(q);
    tick();
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(100);
    tickOfTimer();
    expect(asked).toHaveLength(3);
  });

  test("is not set if no message is on its way", () => {
    waiters.add(q, waiter(q, 1));
    tick();
    expect(vi.getTimerCount()).toBe(0);
  });
});

test("All queues are looked at again after the clock was advanced", () => {
  waiters.add(q, waiter(q, 1));
  waiters.add(other, waiter(other, 2));
  tick();
  asked = [];
  waiters.changedAll();
  tick();
  expect(asked).toEqual([
    { queue: q, limit: 1 },
    { queue: other, limit: 2 },
  ]);
});

test("A queue that changes often is looked at once in a tick", () => {
  waiters.add(q, waiter(q, 1));
  waiters.changed(q);
  waiters.changed(q);
  tick();
  expect(asked).toHaveLength(1);
  // Nobody waits for messages of the other queue.
  waiters.changed(other);
  expect(vi.getTimerCount()).toBe(0);
});

test("No timer is left when nobody waits any more", () => {
  available.set(q, 1);
  nextAt.set(q, now + 500);
  const only = waiter(q, 1);
  waiters.add(q, only);
  tick();
  expect(only.offer).toHaveBeenCalledOnce();
  expect(vi.getTimerCount()).toBe(0);
});

test("Nobody is offered a message that arrives after the end", () => {
  const first = waiter(q, 1);
  waiters.add(q, first);
  tick();
  waiters.close();
  available.set(q, 1);
  waiters.changed(q);
  expect(vi.getTimerCount()).toBe(0);
});

test("Nobody is offered anything after the end", () => {
  nextAt.set(q, now + 500);
  const first = waiter(q, 1);
  waiters.add(q, first);
  tick();
  available.set(q, 1);
  waiters.changed(q);
  waiters.close();
  expect(vi.getTimerCount()).toBe(0);
  waiters.changed(q);
  expect(vi.getTimerCount()).toBe(0);
  expect(first.offer).not.toHaveBeenCalled();
});
