import { describe, expect, test } from "vitest";
import { checkReservedConcurrency, checkTopology } from "../../infra/checks.ts";
import { type Topology, topology as topologyOf } from "../../shared/definition/topology.ts";
import { defineWorkflow } from "../../shared/definition/workflow.ts";
import { workflowOptions } from "../helpers/workflow-options.ts";

const workflow = defineWorkflow(workflowOptions({ timeout: { seconds: 30 } }));
const topology = topologyOf(workflow);
const check = (changes: Partial<Topology>, timeoutMilliseconds = workflow.timeoutMilliseconds) =>
  checkTopology({ ...topology, ...changes }, timeoutMilliseconds);

test("every derived topology passes, at both ends of the ranges", () => {
  for (const options of [
    {},
    { timeout: { milliseconds: 1 } },
    { timeout: { seconds: 875 } },
    { concurrency: 2 },
    { concurrency: 33_300, tasksPerEnvironment: 100 },
    { concurrency: 200, tasksPerEnvironment: 100, refill: false },
  ]) {
    const defined = defineWorkflow(workflowOptions(options));
    expect(() => checkTopology(topologyOf(defined), defined.timeoutMilliseconds)).not.toThrow();
  }
});

describe("a value on the boundary passes, and one beyond it is refused", () => {
  test("the visibility timeout is 6 times the function's timeout, and the batching window", () => {
    const queue = (visibilityTimeoutSeconds: number) => ({ queue: { ...topology.queue, visibilityTimeoutSeconds } });
    const least = 6 * topology.consumer.timeoutSeconds;
    expect(() => check(queue(least))).not.toThrow();
    expect(() => check(queue(least - 1))).toThrow(`${least} s in total, but is ${least - 1} s`);
    const window = { batchSize: 20, batchingWindowSeconds: 3 };
    expect(() => check({ ...window, ...queue(least + 3) })).not.toThrow();
    expect(() => check({ ...window, ...queue(least + 2) })).toThrow("batching window of 3 s");
  });

  test("the control queue hides a message for as long as the producer may run, and for longer than a renewal does", () => {
    const control = topology.producer.timeoutSeconds;
    const controlQueue = (visibilityTimeoutSeconds: number) => ({
      controlQueue: { ...topology.controlQueue, visibilityTimeoutSeconds },
    });
    expect(() => check(controlQueue(control))).not.toThrow();
    expect(() => check(controlQueue(control - 1))).toThrow("Lambda would refuse the event source mapping");
    const producer = (visibilitySeconds: number) => ({ producer: { ...topology.producer, visibilitySeconds } });
    const { visibilityTimeoutSeconds } = topology.controlQueue;
    expect(() => check(producer(visibilityTimeoutSeconds - 1))).not.toThrow();
    expect(() => check(producer(visibilityTimeoutSeconds))).toThrow("for less than the control queue does");
  });

  test("a task's timeout is below its function's", () => {
    const consumer = { ...topology.consumer, timeoutSeconds: 31, refillVisibilitySeconds: 60 };
    expect(() => check({ consumer }, 30_999)).not.toThrow();
    expect(() => check({ consumer }, 31_000)).toThrow("31 s and 31 s: the outcome of an attempt could not be recorded");
  });

  test("a message that a consumer receives is hidden for longer than its wait and its attempt", () => {
    const consumer = (refillVisibilitySeconds: number) => ({
      consumer: { ...topology.consumer, refillWaitingSeconds: 10, refillVisibilitySeconds },
    });
    expect(() => check(consumer(41))).not.toThrow();
    expect(() => check(consumer(40))).toThrow("their tasks would run twice");
  });

  test("a batch above ten has a batching window", () => {
    const queue = { ...topology.queue, visibilityTimeoutSeconds: 100_000 };
    expect(() => check({ queue, batchSize: 10, batchingWindowSeconds: 0 })).not.toThrow();
    expect(() => check({ queue, batchSize: 11, batchingWindowSeconds: 1 })).not.toThrow();
    expect(() => check({ queue, batchSize: 11, batchingWindowSeconds: 0 })).toThrow("a batch of 11 messages needs");
  });

  test("environments and their tasks do not exceed the concurrency", () => {
    expect(() => check({ environments: 2, tasksPerEnvironment: 5, concurrency: 10 })).not.toThrow();
    expect(() => check({ environments: 2, tasksPerEnvironment: 5, concurrency: 9 })).toThrow("exceed the concurrency");
  });

  test("dead letters are kept for longer than messages", () => {
    const kept = (retentionSeconds: number) => ({ deadLetterQueue: { retentionSeconds } });
    const { retentionSeconds } = topology.queue;
    expect(() => check(kept(retentionSeconds + 1))).not.toThrow();
    expect(() => check(kept(retentionSeconds))).toThrow("dead letters would vanish");
    const queue = { ...topology.queue, retentionSeconds: 60 };
    expect(() => check({ ...kept(retentionSeconds), queue })).toThrow("longer than the control queue");
  });

  test("reserved concurrency is at least the mapping's maximum", () => {
    expect(checkReservedConcurrency(5, 5)).toBe(5);
    for (const reserved of [4, 5.5, Number.NaN]) {
      expect(() => checkReservedConcurrency(reserved, 5)).toThrow(`at least 5, the maximum concurrency`);
    }
  });
});
