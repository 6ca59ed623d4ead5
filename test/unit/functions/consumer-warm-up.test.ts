import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { expect, test, vi } from "vitest";
import { warmUpConsumer } from "../../../functions/consumer-warm-up.ts";
import type { Queue } from "../../../shared/aws/queue.ts";
import { ATTEMPT_CHANNEL, publish } from "../../../shared/base/events.ts";
import { defineWorkflow, items } from "../../../shared/index.ts";
import { Outcomes } from "../../../shared/ledger/outcomes.ts";

/** Throws if any of its methods is used. */
const unused = new Proxy({}, { get: (_, name) => expect.fail(`used: ${String(name)}`) }) as Queue;

test("the consumer's warm-up processes messages, and neither runs the workflow's task nor sends a request nor publishes an event", async () => {
  const task = vi.fn();
  const workflow = defineWorkflow({ name: "warm", source: items([1]), task, concurrency: 5, timeout: { seconds: 5 } });
  const recorded = vi.spyOn(Outcomes.prototype, "recordSuccesses");
  const published = vi.fn();
  subscribe(ATTEMPT_CHANNEL, published);

  const queues = { queue: unused, deadLetterQueue: unused, controlQueue: unused };
  await warmUpConsumer(workflow, queues, { concurrency: 5, tasksPerEnvironment: 5 });

  expect(task).not.toHaveBeenCalled();
  expect(published).not.toHaveBeenCalled();
  const counts = recorded.mock.calls.map(([{ items }]) => items.length);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(30);
  publish({ event: "started" });
  expect(published).toHaveBeenCalledOnce();
  unsubscribe(ATTEMPT_CHANNEL, published);
});

test("the consumer's warm-up never rejects: an environment starts without it too", async () => {
  const workflow = defineWorkflow({ name: "warm", source: items([1]), task: () => undefined, concurrency: 5 });
  const recorded = vi.spyOn(Outcomes.prototype, "recordSuccesses").mockRejectedValue(new Error("not today"));
  const queues = { queue: unused, deadLetterQueue: unused, controlQueue: unused };
  await expect(warmUpConsumer(workflow, queues, { concurrency: 5, tasksPerEnvironment: 5 })).resolves.toBeUndefined();
  expect(recorded).toHaveBeenCalled();
});
