import { describe, expect, test, vi } from "vitest";
import { RunWatch } from "../../../shared/consumer/run-watch.ts";
import type { SlotSupplier, SlotUse } from "../../../shared/consumer/slots/slot-supplier.ts";
import { ConsumerWorld, RUN } from "../../helpers/consumer-world.ts";

const down = () => Promise.reject(new Error("down"));

/** One slot, which notes how it is used. */
function oneSlot() {
  const uses: SlotUse[] = [];
  const reserve = vi.fn<SlotSupplier["reserve"]>(async () => ({
    tag: "reserved",
    slot: { release: (use) => void uses.push(use) },
  }));
  return { slots: { size: 1, reserve } satisfies SlotSupplier, reserve, uses };
}

describe("a message whose run could not be read", () => {
  test("takes no slot, and returns after the delay of an outage", async () => {
    const world = await ConsumerWorld.of(["a"]);
    world.store.before = down;
    const { slots, reserve } = oneSlot();
    expect(await world.consume({}, world.messages(), { slots })).toEqual(["0"]);
    expect(reserve).not.toHaveBeenCalled();
    // random is 0.5, so the delay is three quarters of 2 s.
    expect(world.sqs.visibilities).toEqual([{ receiptHandle: "handle-0", seconds: 2 }]);
  });

  test("after it has waited for its slot gives the slot back unused, and returns after the delay of an outage", async () => {
    const world = await ConsumerWorld.of(["a"]);
    let now = Date.now();
    const { slots, reserve, uses } = oneSlot();
    reserve.mockImplementationOnce(async () => {
      now += 5_000;
      world.store.before = down;
      return { tag: "reserved", slot: { release: (use) => void uses.push(use) } };
    });
    const task = vi.fn();
    const again = await world.consume({ task }, world.messages({ receiveCount: 2 }), { slots, now: () => now });
    expect(again).toEqual(["0"]);
    expect(task).not.toHaveBeenCalled();
    expect(uses).toEqual([{ tag: "unused" }]);
    expect(world.sqs.visibilities).toEqual([{ receiptHandle: "handle-0", seconds: 3 }]);
    expect(world.logger.lines).toContain("error: a message could not be looked up, so it will be received again");
  });
});

test("An invocation asks about a run again if the answer is of an invocation that began more than a second ago", async () => {
  const world = await ConsumerWorld.of(["a", "b"]);
  let now = Date.now();
  const runWatch = new RunWatch(world.runs, () => now);
  const options = { runWatch, now: () => now };
  await world.consume({}, [world.message(0)], options);
  await world.runs.cancel(RUN);
  now += 1_500;
  const task = vi.fn();
  expect(await world.consume({ task }, [world.message(1)], options)).toEqual([]);
  expect(task).not.toHaveBeenCalled();
  expect(await world.counts()).toMatchObject({ succeeded: 1, cancelled: 1 });
});
