import { describe, expect, test, vi } from "vitest";
import { STARTING_SECONDS } from "../../../shared/definition/topology.ts";
import { ConsumerWorld } from "../../helpers/consumer-world.ts";

const WAITING_MILLISECONDS = 10_000;
const STARTING_MILLISECONDS = STARTING_SECONDS * 1_000;
const BEGUN_AT = 1_790_000_000_000;

/**
 * Whether an attempt is made if the look-up of its message takes so long.
 *
 * @param left How long the invocation may still receive messages.
 */
async function isAttempted(origin: "batch" | "receive", milliseconds: number, left: number): Promise<boolean> {
  const world = await ConsumerWorld.of(["a"]);
  let now = BEGUN_AT;
  world.store.before = (operation) => {
    // Later answers come at once.
    if (operation === "get") now = BEGUN_AT + milliseconds;
  };
  const task = vi.fn();
  const isOfBatch = origin === "batch";
  const { body } = world.message(0);
  if (!isOfBatch) world.sqs.arrivals.push([{ MessageId: "m", ReceiptHandle: "h", Body: body }]);
  await world.consume({ task }, isOfBatch ? world.messages() : [world.raw("foreign")], {
    refill: { until: BEGUN_AT + left, waitingMilliseconds: WAITING_MILLISECONDS, visibilityTimeoutSeconds: 60 },
    now: () => now,
  });
  return task.mock.calls.length === 1;
}

/** The times up to which an attempt begins. It does not begin a millisecond later. */
const beginsUntil = async (origin: "batch" | "receive", milliseconds: number, left: number) => {
  expect(await isAttempted(origin, milliseconds, left)).toBe(true);
  expect(await isAttempted(origin, milliseconds + 1, left)).toBe(false);
};

describe("The attempt of a message begins at the latest", () => {
  test("of the batch: after the time for starting and the longest wait for a slot", async () => {
    await beginsUntil("batch", STARTING_MILLISECONDS + WAITING_MILLISECONDS, 60_000);
  });

  test("of the batch: when the time for starting is over after the last receive", async () => {
    await beginsUntil("batch", 2_000 + STARTING_MILLISECONDS, 2_000);
  });

  test("that the consumer received: after the longest wait for a slot", async () => {
    await beginsUntil("receive", WAITING_MILLISECONDS, 60_000);
  });

  test("that the consumer received: a second after the last receive", async () => {
    await beginsUntil("receive", 2_000 + 1_000, 2_000);
  });
});
