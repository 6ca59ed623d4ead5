import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LONGEST_REQUEST_MILLISECONDS } from "../../../shared/aws/timeouts.ts";
import { ConfigurationError } from "../../../shared/base/errors.ts";
import { ITEMS_PER_PAGE } from "../../../shared/base/items-per-page.ts";
import { LARGEST_CONCURRENCY, largestMaxBacklog } from "../../../shared/definition/queued-messages.ts";
import {
  checkConcurrency,
  defaultTasksPerEnvironment,
  ISOLATED_GRACE_SECONDS,
  ISOLATED_START_SECONDS,
  isolatedAttemptBeginsBy,
  longestTaskMilliseconds,
  RECORDING_SECONDS,
  type TopologyInput,
  topology,
} from "../../../shared/definition/topology.ts";

/** Of a workflow without results. */
const LONGEST_TASK_MILLISECONDS = longestTaskMilliseconds({});

const input = (changes: Partial<TopologyInput> = {}): TopologyInput => ({
  concurrency: 50,
  tasksPerEnvironment: undefined,
  timeoutMilliseconds: 30_000,
  retry: { attempts: 5 },
  maxBacklog: undefined,
  memoryMb: 512,
  refill: true,
  ...changes,
});

const inputs = fc
  .record({
    environments: fc.integer({ min: 2, max: 1_000 }),
    tasks: fc.integer({ min: 1, max: 100 }),
    timeoutMilliseconds: fc.integer({ min: 1, max: LONGEST_TASK_MILLISECONDS }),
    attempts: fc.integer({ min: 1, max: 100 }),
    refill: fc.boolean(),
  })
  .map(({ environments, tasks, timeoutMilliseconds, attempts, refill }) =>
    input({
      concurrency: environments * tasks,
      tasksPerEnvironment: tasks,
      timeoutMilliseconds,
      retry: { attempts },
      refill,
    }),
  );

describe("for all options within their ranges", () => {
  const always = (check: (workflow: TopologyInput, derived: ReturnType<typeof topology>) => void) =>
    fc.assert(fc.property(inputs, (workflow) => check(workflow, topology(workflow))));

  test("the environments times their tasks are the concurrency", () =>
    always(({ concurrency }, { environments, tasksPerEnvironment, batchSize, consumer }) => {
      expect(environments * tasksPerEnvironment).toBe(concurrency);
      expect(environments).toBeGreaterThanOrEqual(2);
      expect(environments).toBeLessThanOrEqual(1_000);
      // A batch that is larger would have tasks wait inside an environment, with their message's visibility running.
      expect(batchSize).toBeLessThanOrEqual(tasksPerEnvironment);
      // And one that is smaller would leave slots empty, unless the consumer fills them itself.
      if (consumer.refillSeconds === 0) expect(batchSize).toBe(tasksPerEnvironment);
    }));

  test("the visibility timeouts follow the rules of AWS for both functions", () =>
    always((_, { queue, controlQueue, consumer, producer, batchingWindowSeconds }) => {
      expect(queue.visibilityTimeoutSeconds).toBeGreaterThanOrEqual(
        6 * consumer.timeoutSeconds + batchingWindowSeconds,
      );
      expect(controlQueue.visibilityTimeoutSeconds).toBeGreaterThanOrEqual(producer.timeoutSeconds);
      // A producer that is killed is followed within half a minute, and within minutes if killed before it began.
      expect(producer.visibilitySeconds).toBe(30);
      expect(controlQueue.visibilityTimeoutSeconds).toBeLessThanOrEqual(180);
      expect(Math.max(queue.visibilityTimeoutSeconds, controlQueue.visibilityTimeoutSeconds)).toBeLessThanOrEqual(
        43_200,
      );
    }));

  test("an attempt that takes its whole timeout leaves time to begin and to record", () =>
    always(({ timeoutMilliseconds, refill }, { consumer }) => {
      const { timeoutSeconds, refillSeconds } = consumer;
      expect(timeoutSeconds - RECORDING_SECONDS - refillSeconds).toBeGreaterThan(timeoutMilliseconds / 1_000);
      expect(timeoutSeconds).toBeLessThanOrEqual(900);
      if (refill) expect(refillSeconds).toBeGreaterThanOrEqual(0);
      else expect(refillSeconds).toBe(0);
    }));

  test("a message that a consumer receives itself is hidden until its attempt is recorded", () =>
    always(({ timeoutMilliseconds }, { consumer }) => {
      expect(consumer.refillVisibilitySeconds).toBeGreaterThan(timeoutMilliseconds / 1_000 + RECORDING_SECONDS);
      expect(consumer.refillVisibilitySeconds).toBeLessThanOrEqual(43_200);
    }));

  test("SQS moves a message to the dead-letter queue only after all attempts and the unexplained receives, within SQS's range", () =>
    always(({ retry }, { queue }) => {
      expect(queue.maxReceiveCount).toBeGreaterThan(retry.attempts + 5);
      expect(queue.maxReceiveCount).toBeLessThanOrEqual(1_000);
    }));

  test("dead letters are kept for longer than messages, up to the limit of SQS", () =>
    always((_, { queue, controlQueue, deadLetterQueue }) => {
      expect(deadLetterQueue.retentionSeconds).toBeGreaterThan(queue.retentionSeconds);
      expect(deadLetterQueue.retentionSeconds).toBeGreaterThan(controlQueue.retentionSeconds);
      expect(deadLetterQueue.retentionSeconds).toBeLessThanOrEqual(14 * 86_400);
    }));

  test("a batch of more than ten has a batching window, and a smaller one has none", () =>
    always((_, { batchSize, batchingWindowSeconds }) => {
      expect(batchingWindowSeconds).toBe(batchSize > 10 ? 1 : 0);
    }));

  test("an outcome is recorded before the function's end even if the first attempts to write it time out", () => {
    expect(RECORDING_SECONDS * 1_000).toBeGreaterThan(LONGEST_REQUEST_MILLISECONDS);
    // functions/producer.ts keeps 20 s.
    expect(20_000).toBeGreaterThan(LONGEST_REQUEST_MILLISECONDS);
  });

  test("an isolated attempt that begins as late as it may is recorded before the function's end, after a slow request", () =>
    always(({ timeoutMilliseconds }, { consumer }) => {
      const end = consumer.timeoutSeconds * 1_000;
      const beginsBy = isolatedAttemptBeginsBy(end - RECORDING_SECONDS * 1_000, timeoutMilliseconds);
      const over = beginsBy + timeoutMilliseconds + ISOLATED_GRACE_SECONDS * 1_000;
      expect(over + LONGEST_REQUEST_MILLISECONDS).toBeLessThanOrEqual(end);
      // At the invocation's start, there is time to look the item up and to start the process.
      expect(beginsBy).toBeGreaterThanOrEqual(consumer.refillSeconds * 1_000 + 8_500);
      expect(consumer.refillSeconds === 0 || beginsBy >= ISOLATED_START_SECONDS * 1_000).toBe(true);
    }));

  test("a message that a consumer receives itself is hidden while its isolated attempt is made", () =>
    always(({ timeoutMilliseconds }, { consumer }) => {
      const { refillVisibilitySeconds, refillWaitingSeconds } = consumer;
      const begin = refillWaitingSeconds + ISOLATED_START_SECONDS;
      const over = begin + timeoutMilliseconds / 1_000 + ISOLATED_GRACE_SECONDS;
      expect(refillVisibilitySeconds).toBeGreaterThan(over);
    }));

  test("a slice of the producer and its closing fit into its function", () =>
    always((_, { producer }) => {
      // functions/producer.ts keeps 20 s.
      expect(producer.sliceSeconds + 20).toBeLessThan(producer.timeoutSeconds);
    }));
});

test("the longest task needs the longest function timeout", () => {
  const { consumer } = topology(input({ timeoutMilliseconds: LONGEST_TASK_MILLISECONDS }));
  expect(consumer.timeoutSeconds).toBe(900);
  expect(LONGEST_TASK_MILLISECONDS).toBe(875_000);
});

test.each([
  [2, 1],
  [3, 1],
  [4, 2],
  [7, 1],
  [10, 5],
  [12, 6],
  [18, 9],
  [20, 10],
  [21, 7],
  [50, 10],
  [997, 1],
  [1_002, 6],
  [1_994, 2],
  [10_000, 10],
  [10_010, 11],
  [11_000, 11],
  [99_900, 100],
  [100_000, 100],
])("concurrency %i gives environments of %i tasks by default", (concurrency, tasks) => {
  expect(defaultTasksPerEnvironment(concurrency)).toBe(tasks);
});

test("every concurrency has a default for tasksPerEnvironment, or is refused because none fits", () => {
  for (let concurrency = 2; concurrency <= 100_000; concurrency++) {
    const fits = (tasks: number) =>
      concurrency % tasks === 0 && concurrency / tasks >= 2 && concurrency / tasks <= 1_000;
    const possible = Array.from({ length: 100 }, (_, index) => index + 1).filter(fits);
    if (possible.length === 0) {
      if (concurrency % 997 === 0) expect(() => defaultTasksPerEnvironment(concurrency)).toThrow(ConfigurationError);
      continue;
    }
    const largest = possible.findLast((tasks) => tasks <= 10) ?? possible[0];
    if (defaultTasksPerEnvironment(concurrency) !== largest) expect.fail(`concurrency ${concurrency}`);
  }
});

test("checkConcurrency allows 2 to 1,000 environments", () => {
  for (const [concurrency, tasks] of [
    [2, 1],
    [1_000, 1],
    [200, 100],
    [100_000, 100],
  ] as const)
    expect(() => checkConcurrency(concurrency, tasks)).not.toThrow();
  for (const [concurrency, tasks] of [
    [1, 1],
    [1_001, 1],
    [100, 100],
  ] as const)
    expect(() => checkConcurrency(concurrency, tasks)).toThrow("must be from 2 to 1000");
});

describe("the messages of a queue stay below what SQS has in flight", () => {
  // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
  const IN_FLIGHT = 120_000;

  /** The most messages of a queue, all of which may be in flight. */
  function mostMessages({ concurrency, maxBacklog, producer }: ReturnType<typeof topology>) {
    // The producer begins a page while fewer messages than this are in the queue. In work, prefetched, waiting for a
    // backoff and hidden messages are among them.
    const counted = maxBacklog;
    // Each producer may have begun a page, and read the next one.
    const pages = producer.environments * 2 * ITEMS_PER_PAGE;
    // Each task in work may send a new message in place of its own, which is still there for a moment.
    const replacements = concurrency;
    return counted + pages + replacements;
  }

  test.each([
    { fleet: "the usual", concurrency: 50, maxBacklog: 10_000 },
    { fleet: "the largest whose default is 20 times its slots", concurrency: 4_760, maxBacklog: 95_200 },
    { fleet: "one whose default is what is left", concurrency: 5_000, maxBacklog: 95_000 },
    { fleet: "the largest", concurrency: 33_300, maxBacklog: 66_700 },
  ])("for $fleet fleet: $concurrency slots", ({ concurrency, maxBacklog }) => {
    const derived = topology(input({ concurrency }));
    expect(derived.maxBacklog).toBe(maxBacklog);
    expect(derived.maxBacklog + concurrency).toBeLessThanOrEqual(100_000);
    expect(mostMessages(derived)).toBeLessThanOrEqual(IN_FLIGHT * 0.85);
    // Stock for each slot, and for each environment what it may prefetch, fits into the backlog.
    const stock = derived.environments * Math.min(derived.tasksPerEnvironment, 40);
    expect(concurrency + stock).toBeLessThanOrEqual(derived.maxBacklog);
  });

  test("the largest concurrency is the largest for which each slot has a message and another to follow", () => {
    expect(LARGEST_CONCURRENCY).toBe(33_333);
    expect(largestMaxBacklog(LARGEST_CONCURRENCY)).toBeGreaterThanOrEqual(2 * LARGEST_CONCURRENCY);
    expect(largestMaxBacklog(LARGEST_CONCURRENCY + 1)).toBeLessThan(2 * (LARGEST_CONCURRENCY + 1));
  });

  test("also if the option has its largest value", () => {
    const maxBacklog = largestMaxBacklog(50);
    expect(mostMessages(topology(input({ maxBacklog })))).toBeLessThanOrEqual(IN_FLIGHT * 0.85);
  });
});

test("the backlog is 20 times the concurrency, at least 10,000, or the value of the option", () => {
  expect(topology(input()).maxBacklog).toBe(10_000);
  expect(topology(input({ concurrency: 500 })).maxBacklog).toBe(10_000);
  expect(topology(input({ concurrency: 510 })).maxBacklog).toBe(10_200);
  expect(topology(input({ maxBacklog: 100 })).maxBacklog).toBe(100);
});
