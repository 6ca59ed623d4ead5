import { expect, test } from "vitest";
import type { ConsumerOptions } from "../../../shared/consumer/consumer.ts";
import type { WorkflowOptions } from "../../../shared/index.ts";
import { ConsumerWorld } from "../../helpers/consumer-world.ts";

const SLOTS = 10;
const NOW = 1_790_000_000_000;
const REFILL = { until: NOW + 60_000, waitingMilliseconds: 10_000, visibilityTimeoutSeconds: 60 };

/** How many messages a consumer asks for while the tasks of its batch run, in each of its requests. */
async function asked(batch: number, workflow: Partial<WorkflowOptions>, options: Partial<ConsumerOptions> = {}) {
  const world = await ConsumerWorld.of(Array.from({ length: batch }, (_, index) => index));
  world.sqs.depth = { visible: 1_000, inFlight: 0, delayed: 0 };
  const answered = Promise.withResolvers<void>();
  const requests: number[] = [];
  const queue = world.sqs.queue("https://sqs/queue");
  const receive = queue.receive.bind(queue);
  queue.receive = async (request) => {
    requests.push(request.max);
    await answered.promise;
    return await receive(request);
  };
  const ended = Promise.withResolvers<void>();
  const consumed = world.consume({ task: () => ended.promise, ...workflow }, world.messages(), {
    ...{ refill: REFILL, tasksPerEnvironment: SLOTS, now: () => NOW, queue },
    ...options,
  });
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  const found = [...requests];
  answered.resolve();
  ended.resolve();
  await consumed;
  return found;
}

test.each([
  ["may take as long as a message may wait for its slot", 10, [10]],
  ["may take a little longer", 11, [1]],
  ["may take much longer, because the message would wait too long", 30, []],
] as const)(
  "Before an attempt has ended, messages are received ahead of their slots if tasks %s",
  async (_, seconds, expected) => {
    expect(await asked(SLOTS, { timeout: { seconds } })).toEqual(expected);
  },
);

test("At a rate, messages are received for the starts that are due, and at most two for each slot", async () => {
  const supplier = (stock: number) => ({
    ...{ size: 2, stock },
    reserve: async () => ({ tag: "reserved", slot: { release: () => {} } }) as const,
  });
  expect(await asked(1, {}, { slots: supplier(3) })).toEqual([3]);
  expect(await asked(1, {}, { slots: supplier(1_000) })).toEqual([4]);
});
