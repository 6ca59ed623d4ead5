import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SOON_MILLISECONDS } from "../../../shared/consumer/outcomes/page-groups.ts";
import type { SlotSupplier } from "../../../shared/consumer/slots/slot-supplier.ts";
import { envelopeBody } from "../../../shared/messages/envelope.ts";
import { ConsumerWorld, RUN } from "../../helpers/consumer-world.ts";

// No timer fires by itself in these tests. So what waits for others of its page waits for ever.
beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

const REFILL = { until: Number.POSITIVE_INFINITY, waitingMilliseconds: 10_000, visibilityTimeoutSeconds: 60 };

const turns = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
};
const pageWrites = ({ store }: ConsumerWorld) => store.updates.filter(({ sk }) => sk === "page").length;

describe("An outcome waits for others of its page", () => {
  test("while another attempt runs", async () => {
    const world = await ConsumerWorld.of(["short", "long"]);
    const task = async (item: unknown) => void (item === "long" && (await turns()));
    await world.consume({ task });
    expect(pageWrites(world)).toBe(1);
    expect(await world.counts()).toMatchObject({ succeeded: 2 });
  });

  test("while another attempt runs, also if an older outcome of another page is due", async () => {
    const world = await ConsumerWorld.of(["first", "long"]);
    await world.ledger.pages.open({ run: RUN, partition: 0, page: 1 }, { size: 1, digest: "e" });
    const header = { workflow: "test", run: RUN, partition: 0, page: 1, epoch: 1, resent: false };
    const second = world.raw(envelopeBody(header, 0, '"second"'), { id: "second" });
    world.store.updates.length = 0;
    let now = Date.now();
    const ends = { first: () => {}, second: () => {}, long: () => {} };
    const task = (item: unknown) =>
      new Promise<void>((resolve) => {
        ends[item as keyof typeof ends] = resolve;
      });
    const consumed = world.consume({ task }, [...world.messages(), second], { now: () => now });
    await turns();
    const pass = async (milliseconds: number) => {
      await turns();
      now += milliseconds;
      vi.advanceTimersByTime(milliseconds);
      await turns();
    };
    ends.first();
    await pass(200);
    ends.second();
    await pass(50);
    expect(pageWrites(world)).toBe(1);
    ends.long();
    await consumed;
    expect(pageWrites(world)).toBe(3);
  });

  test("while a message waits for its start", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    const reservation = { tag: "reserved", slot: { release: () => {} } } as const;
    const later = Promise.withResolvers<typeof reservation>();
    const reserve = vi.fn<SlotSupplier["reserve"]>(() => later.promise);
    reserve.mockResolvedValueOnce(reservation);
    const consumed = world.consume({}, world.messages(), { slots: { size: 1, reserve } });
    await turns();
    expect(pageWrites(world)).toBe(0);
    later.resolve(reservation);
    await consumed;
    expect(pageWrites(world)).toBe(1);
  });

  test("for longer if tasks take long: for eight times as long as a task, up to five seconds", async () => {
    const world = await ConsumerWorld.of(["short", "long"]);
    let now = Date.now();
    const end = Promise.withResolvers<void>();
    const task = (item: unknown) => {
      if (item === "long") return end.promise;
      now += 500;
    };
    const consumed = world.consume({ task }, world.messages(), { now: () => now });
    await turns();
    vi.advanceTimersByTime(3_999);
    await turns();
    expect(pageWrites(world)).toBe(0);
    vi.advanceTimersByTime(1);
    await turns();
    expect(pageWrites(world)).toBe(1);
    end.resolve();
    await consumed;
  });

  test("until too many outcomes wait", async () => {
    const writesOf = async (outcomes: number) => {
      const world = await ConsumerWorld.of(["long", ...Array(outcomes).fill("short")]);
      const end = Promise.withResolvers<void>();
      const task = (item: unknown) => (item === "long" ? end.promise : undefined);
      const consumed = world.consume({ task }, world.messages(), { tasksPerEnvironment: 2 });
      await turns();
      const writes = pageWrites(world);
      end.resolve();
      await consumed;
      return writes;
    };
    // An environment with two slots has at most ten unrecorded outcomes, and three quarters of them may wait.
    expect(await writesOf(7)).toBe(0);
    expect(await writesOf(8)).toBe(1);
  });

  test("for a moment while more messages are expected, because the queue had many", async () => {
    const world = await ConsumerWorld.of(Array.from({ length: 10 }, (_, index) => index));
    const answer = Promise.withResolvers<void>();
    world.sqs.before = (action) => (action === "receive" ? answer.promise : undefined);
    const now = Date.now();
    const consumed = world.consume({}, world.messages(), { refill: REFILL, tasksPerEnvironment: 20, now: () => now });
    await turns();
    vi.advanceTimersByTime(SOON_MILLISECONDS - 1);
    await turns();
    expect(pageWrites(world)).toBe(0);
    vi.advanceTimersByTime(1);
    await turns();
    expect(pageWrites(world)).toBe(1);
    answer.resolve();
    await consumed;
  });
});

test("The outcomes of a cancelled run do not wait when nothing else is coming", async () => {
  const world = await ConsumerWorld.of(["a", "b"]);
  await world.runs.cancel(RUN);
  world.store.updates.length = 0;
  await world.consume({});
  expect(pageWrites(world)).toBe(1);
  expect(await world.status()).toBe("cancelled");
});
