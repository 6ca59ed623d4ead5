import { describe, expect, test, vi } from "vitest";
import type { SlotSupplier } from "../../../shared/consumer/slots/slot-supplier.ts";
import { envelopeBody } from "../../../shared/messages/envelope.ts";
import { ConsumerWorld, RUN } from "../../helpers/consumer-world.ts";

const REFILL = { until: Number.POSITIVE_INFINITY, waitingMilliseconds: 10_000, visibilityTimeoutSeconds: 60 };
const OTHER_RUN = "run-2";

const arrivalOf = (body: string, id: string) => [{ MessageId: id, ReceiptHandle: `handle-${id}`, Body: body }];

const turns = async () => {
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
};

/** A message of a run that is paused. */
async function messageOfPausedRun(world: ConsumerWorld) {
  await world.runs.create({ id: OTHER_RUN, workflow: "test", requestedAt: "2026-01-01T00:00:00.000Z" });
  await world.runs.pause(OTHER_RUN);
  const header = { workflow: "test", run: OTHER_RUN, partition: 0, page: 0, epoch: 1, resent: false };
  return world.raw(envelopeBody(header, 0, '"paused"'), { id: "paused" });
}

/** Ten slots at a rate at which so many starts are due. */
const supplierWithStock = (stock: number) => ({
  ...{ size: 10, stock },
  reserve: async () => ({ tag: "reserved", slot: { release: () => {} } }) as const,
});

describe("A consumer receives further messages", () => {
  test("while its run is being cancelled, because dropping the messages ends the run", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    await world.runs.cancel(RUN);
    world.sqs.arrivals.push(arrivalOf(world.message(1).body, "b"));
    await world.consume({ task: () => expect.unreachable() }, [world.message(0)], { refill: REFILL });
    expect(await world.status()).toBe("cancelled");
    expect(await world.counts()).toMatchObject({ cancelled: 2, pending: 0 });
  });

  test("when more starts become due while its tasks run", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    const slots = { ...supplierWithStock(0), begin: vi.fn<NonNullable<SlotSupplier["begin"]>>() };
    const second = Promise.withResolvers<void>();
    const task = (item: unknown) => (item === "a" ? second.promise : second.resolve());
    const consumed = world.consume({ task }, [world.message(0)], { refill: REFILL, slots });
    await turns();
    world.sqs.arrivals.push(arrivalOf(world.message(1).body, "b"));
    slots.stock = 1;
    slots.begin.mock.calls[0]?.[0].onChange();
    await consumed;
    expect(await world.counts()).toMatchObject({ succeeded: 2, pending: 0 });
  });

  test("while it works on one run and another run is paused", async () => {
    const world = await ConsumerWorld.of(["a", "b"]);
    const paused = await messageOfPausedRun(world);
    world.sqs.before = (action) => {
      if (action === "changeVisibility") world.sqs.arrivals.push(arrivalOf(world.message(1).body, "b"));
    };
    const second = Promise.withResolvers<void>();
    const task = (item: unknown) => (item === "a" ? second.promise : second.resolve());
    await world.consume({ task }, [world.message(0), paused], { refill: REFILL });
    expect(world.sqs.visibilities).toEqual([{ receiptHandle: "handle-paused", seconds: 5 }]);
    expect(await world.counts()).toMatchObject({ succeeded: 2, pending: 0 });
  });
});

test("A consumer of a paused run receives nothing, because the messages would only return", async () => {
  const world = await ConsumerWorld.of(["a"]);
  await world.consume({}, [await messageOfPausedRun(world)], { refill: REFILL });
  expect(world.sqs.visibilities).toHaveLength(1);
  expect(world.sqs.received).toEqual([]);
});

test("A consumer receives nothing after the end of its invocation, also if more starts become due", async () => {
  const world = await ConsumerWorld.of(["a"]);
  const supplier = { ...supplierWithStock(0), begin: vi.fn<NonNullable<SlotSupplier["begin"]>>() };
  await world.consume({}, world.messages(), { refill: REFILL, slots: supplier });
  supplier.stock = 5;
  supplier.begin.mock.calls[0]?.[0].onChange();
  await turns();
  expect(world.sqs.received).toEqual([]);
});

test("An invocation ends if a planned request is not needed, because no start is due", async () => {
  const world = await ConsumerWorld.of(["a"]);
  const slots = supplierWithStock(0);
  expect(await world.consume({}, world.messages(), { refill: REFILL, slots })).toEqual([]);
  expect(world.sqs.received).toEqual([]);
  expect(await world.counts()).toMatchObject({ succeeded: 1 });
});
