import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LimitWatch, type LimitWatchOptions } from "../../../shared/consumer/slots/limit-watch.ts";
import { LimitedSlots } from "../../../shared/consumer/slots/limited-slots.ts";
import type { Reservation, Slot } from "../../../shared/consumer/slots/slot-supplier.ts";
import { LimitRow } from "../../../shared/ledger/limit-row.ts";
import { FaultyStore } from "../../helpers/faulty-store.ts";

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

const SUCCEEDED = { tag: "succeeded", durationMilliseconds: 100 } as const;

/** A fleet whose environments share one limit row. */
class Fleet {
  readonly store = new FaultyStore();
  readonly row = new LimitRow(this.store);
  readonly warnings: string[] = [];
  readonly #options: Partial<LimitWatchOptions>;
  backlog = 1_000;

  constructor(options: Partial<LimitWatchOptions> = {}) {
    this.#options = options;
  }

  watch(member: string): LimitWatch {
    return new LimitWatch({
      row: this.row,
      member,
      concurrency: 20,
      tasksPerEnvironment: 10,
      adaptive: true,
      latency: false,
      now: Date.now,
      random: () => 0.5,
      logger: { warn: (message) => this.warnings.push(message) },
      ...this.#options,
    });
  }

  invocation(watch: LimitWatch, { until }: { readonly until?: number } = {}): Invocation {
    return new Invocation(this, watch, until);
  }
}

/** One invocation, and the reservations that it has made. */
class Invocation {
  readonly slots: LimitedSlots;
  readonly reserved: Slot[] = [];
  readonly refusedUntil: number[] = [];

  constructor(fleet: Fleet, watch: LimitWatch, until: number | undefined) {
    this.slots = new LimitedSlots({
      watch,
      tasksPerEnvironment: 10,
      patienceMilliseconds: 8_000,
      until,
      queue: { depth: async () => ({ visible: fleet.backlog, inFlight: 0, delayed: 0 }) },
      now: Date.now,
      random: () => 0.5,
    });
    this.slots.begin({ wanted: () => 10, onChange: () => {} });
  }

  reserve(messages: number): void {
    for (let message = 0; message < messages; message++) void this.slots.reserve().then((each) => this.#note(each));
  }

  #note(reservation: Reservation): void {
    if (reservation.tag === "reserved") this.reserved.push(reservation.slot);
    else this.refusedUntil.push(reservation.hideUntil);
  }

  /** Ends the attempt that has run longest. */
  end(use: Parameters<Slot["release"]>[0] = SUCCEEDED): void {
    this.reserved.shift()?.release(use);
  }
}

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

async function prepared(fleet: Fleet, member = "a"): Promise<LimitWatch> {
  const watch = fleet.watch(member);
  await watch.prepare(500);
  return watch;
}

describe("while no limit is in force", () => {
  test("all slots start at once, before the first update", async () => {
    const fleet = new Fleet();
    const invocation = fleet.invocation(await prepared(fleet));
    invocation.reserve(12);
    await pass(0);

    expect(invocation.reserved).toHaveLength(10);
    expect(invocation.slots.size).toBe(10);
    expect(fleet.store.updates).toHaveLength(0);
    invocation.end();
    await pass(0);
    expect(invocation.reserved).toHaveLength(10);
  });

  test("a message waits for a slot for as long as it takes, and is never refused", async () => {
    const fleet = new Fleet();
    const invocation = fleet.invocation(await prepared(fleet));
    invocation.reserve(11);
    await pass(60_000);
    expect(invocation.refusedUntil).toEqual([]);
    invocation.end();
    await pass(0);
    expect(invocation.reserved).toHaveLength(10);
  });

  test("an environment makes one update and the fleet begins one epoch in a second", async () => {
    const fleet = new Fleet();
    const invocation = fleet.invocation(await prepared(fleet));
    await pass(10_000);
    const { state } = await fleet.row.read();
    // The first update follows one second after the read at the start of the environment.
    expect(fleet.store.updates.length - state.epoch).toBe(10);
    expect(state.epoch).toBeLessThanOrEqual(10);
    expect(state.members).toEqual({});
    await invocation.slots.end();
    await pass(10_000);
    expect(fleet.store.updates.length - state.epoch).toBe(10);
  });

  test("an answer from before a freeze is not used: nothing starts before the first update is answered", async () => {
    const fleet = new Fleet();
    const watch = await prepared(fleet);
    await pass(3_000);
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    fleet.store.before = () => answered;
    const invocation = fleet.invocation(watch);
    invocation.reserve(10);
    await pass(100);
    expect(invocation.reserved).toHaveLength(0);
    answer();
    await pass(0);
    expect(invocation.reserved).toHaveLength(10);
  });

  test("an environment that cannot read the row at its start waits for its first update", async () => {
    const fleet = new Fleet();
    fleet.store.before = (operation) => {
      if (operation === "get") throw new Error("down");
    };
    const invocation = fleet.invocation(await prepared(fleet));
    invocation.reserve(1);
    expect(invocation.reserved).toHaveLength(0);
    await pass(0);
    expect(invocation.reserved).toHaveLength(1);
  });

  test("a row that answers too slowly delays the start of an environment by half a second at most", async () => {
    const fleet = new Fleet();
    fleet.store.before = () => new Promise(() => {});
    const started = prepared(fleet);
    await pass(500);
    await started;
  });
});

describe("while a limit is in force", () => {
  test("nothing starts before the first update is answered", async () => {
    const fleet = new Fleet();
    await fleet.row.set({ concurrency: 4 });
    const invocation = fleet.invocation(await prepared(fleet));
    invocation.reserve(10);
    expect(invocation.slots.size).toBe(0);
    await pass(10);
    expect(invocation.reserved).toHaveLength(4);
    expect(invocation.slots.size).toBe(4);
  });

  test("a limit that the command sets is in force within 3 s, and ends within 3 s", async () => {
    const fleet = new Fleet();
    const watches = [await prepared(fleet, "a"), await prepared(fleet, "b")];
    const invocations = watches.map((watch) => fleet.invocation(watch));
    await pass(2_500);
    await fleet.row.set({ concurrency: 3 });
    await pass(3_000);
    const sizes = () => invocations.reduce((sum, { slots }) => sum + slots.size, 0);
    expect(sizes()).toBeLessThanOrEqual(3);
    await pass(3_000);
    expect(sizes()).toBe(3);
    await fleet.row.clear();
    await pass(3_000);
    expect(sizes()).toBe(20);
  });

  test("an environment without a share hides its messages for as long as the limit needs to reach them", async () => {
    const fleet = new Fleet();
    await fleet.row.set({ concurrency: 4 });
    const holder = fleet.invocation(await prepared(fleet, "a"));
    await pass(10);
    fleet.backlog = 400;
    const other = fleet.invocation(await prepared(fleet, "b"));
    other.reserve(3);
    await pass(10);

    expect(holder.slots.size).toBe(4);
    expect(other.slots.size).toBe(0);
    // No attempt has ended yet, so one is expected to take a second.
    const [first = 0] = other.refusedUntil;
    expect(other.refusedUntil).toEqual([first, first, first]);
    expect(first - Date.now()).toBeGreaterThan(5_000);
    expect(first - Date.now()).toBeLessThan(300_000);
  });

  test("an environment whose invocation ends gives its share back at once", async () => {
    const fleet = new Fleet();
    await fleet.row.set({ concurrency: 4 });
    const holder = fleet.invocation(await prepared(fleet, "a"));
    await pass(1_500);
    await holder.slots.end();
    expect((await fleet.row.read()).state.members).toEqual({});

    const next = fleet.invocation(await prepared(fleet, "b"));
    next.reserve(10);
    await pass(1_100);
    expect(next.reserved).toHaveLength(4);
  });

  test("an environment that renews its share no more loses it on its own clock before others use it", async () => {
    const fleet = new Fleet();
    await fleet.row.set({ concurrency: 4 });
    const first = fleet.invocation(await prepared(fleet, "a"));
    await pass(1_500);
    let isDown = true;
    const member = "n a";
    fleet.store.before = (operation, _, update) => {
      if (isDown && operation === "update" && update?.set !== undefined && member in update.set)
        throw new Error("down");
    };
    const second = fleet.invocation(await prepared(fleet, "b"));
    for (let tick = 0; tick < 100; tick++) {
      await pass(100);
      expect(first.slots.size + second.slots.size).toBeLessThanOrEqual(4);
    }
    expect(first.slots.size).toBe(0);
    expect(second.slots.size).toBe(4);
    expect(fleet.warnings).toHaveLength(1);
    isDown = false;
    await pass(2_000);
    expect(first.slots.size + second.slots.size).toBe(4);
  });

  test("a message that waits too long for a slot is refused", async () => {
    const fleet = new Fleet();
    await fleet.row.set({ concurrency: 2 });
    const invocation = fleet.invocation(await prepared(fleet));
    invocation.reserve(3);
    await pass(7_900);
    expect(invocation.reserved).toHaveLength(2);
    expect(invocation.refusedUntil).toEqual([]);
    await pass(200);
    expect(invocation.refusedUntil).toHaveLength(1);
  });

  test("a message that still waits when the invocation must end returns at once", async () => {
    const fleet = new Fleet();
    await fleet.row.set({ concurrency: 2 });
    const invocation = fleet.invocation(await prepared(fleet), { until: Date.now() + 1_000 });
    invocation.reserve(3);
    await pass(1_100);
    expect(invocation.refusedUntil).toEqual([1_001_000]);
  });

  test("what a failed update should have reported is in the next one", async () => {
    const fleet = new Fleet();
    const invocation = fleet.invocation(await prepared(fleet));
    invocation.reserve(2);
    await pass(100);
    invocation.end();
    fleet.store.before = (operation) => {
      if (operation === "update") throw new Error("down");
    };
    await pass(1_500);
    invocation.end();
    fleet.store.before = () => {};
    await pass(1_500);
    expect((await fleet.row.read()).state.counted).toMatchObject({ succeeded: 2 });
  });

  test("a slot that was not used is no start and no report", async () => {
    const fleet = new Fleet();
    const invocation = fleet.invocation(await prepared(fleet));
    invocation.reserve(1);
    await pass(10);
    invocation.end({ tag: "unused" });
    await pass(2_000);
    const { counted } = (await fleet.row.read()).state;
    expect(counted.succeeded + counted.failed + counted.throttled).toBe(0);
    expect(invocation.slots.size).toBe(10);
  });
});

describe("rateLimit", () => {
  /** Starts whatever may start in an environment, with attempts of 100 ms, and notes when. */
  async function starts(fleet: Fleet, environments: number, seconds: number): Promise<readonly number[]> {
    const at: number[] = [];
    const run = async (member: string) => {
      const invocation = fleet.invocation(await prepared(fleet, member));
      const next = async (): Promise<void> => {
        const reservation = await invocation.slots.reserve();
        if (reservation.tag === "reserved") {
          at.push(Date.now());
          setTimeout(() => reservation.slot.release(SUCCEEDED), 100);
          setTimeout(() => void next(), 100);
        } else setTimeout(() => void next(), 1_000);
      };
      for (let slot = 0; slot < 10; slot++) void next();
    };
    for (let environment = 0; environment < environments; environment++) {
      await run(`env-${environment}`);
      await pass(130);
    }
    await pass(seconds * 1_000);
    return at;
  }

  test.each([
    { perSecond: 20, burst: 1, environments: 1 },
    { perSecond: 20, burst: 5, environments: 2 },
    { perSecond: 2, burst: 1, environments: 2 },
    { perSecond: 0.5, burst: 1, environments: 2 },
  ])(
    "$perSecond/s with burst $burst, $environments environments: the bound holds, and the rate is used",
    async (limit) => {
      const { perSecond, burst, environments } = limit;
      const fleet = new Fleet({ set: { perSecond, burst } });
      const seconds = 60;
      const at = await starts(fleet, environments, seconds);
      let excess = Number.NEGATIVE_INFINITY;
      for (const [first, from] of at.entries()) {
        for (let last = first; last < at.length; last++) {
          const width = ((at[last] ?? 0) - from) / 1_000;
          excess = Math.max(excess, last - first + 1 - (perSecond * (width + 1) + burst));
        }
      }
      expect(excess).toBeLessThanOrEqual(0);
      expect(at.length).toBeGreaterThanOrEqual(0.9 * perSecond * seconds - burst - 1);
    },
  );
});
