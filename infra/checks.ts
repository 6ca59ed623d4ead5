import { LARGEST_BATCH_WITHOUT_WINDOW } from "../shared/aws/quotas.ts";
import { ConfigurationError } from "../shared/base/errors.ts";
import type { Topology } from "../shared/definition/topology.ts";

/**
 * Checks that the timeouts, limits and retention periods of a stack fit together. `topology` derives such numbers, and
 * this function checks them again at synth. AWS deploys most mistakes without an error, and messages would then be lost
 * or processed twice under load.
 *
 * @throws {ConfigurationError} The numbers violate a rule.
 */
export function checkTopology(topology: Topology, taskTimeoutMilliseconds: number): void {
  const { queue, controlQueue, consumer, producer, deadLetterQueue } = topology;
  // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  checkVisibility("the queue", queue.visibilityTimeoutSeconds, consumer.timeoutSeconds, topology.batchingWindowSeconds);
  refuse(
    controlQueue.visibilityTimeoutSeconds < producer.timeoutSeconds,
    `the visibility timeout of the control queue must be at least its function's timeout of ${producer.timeoutSeconds} s, ` +
      `but is ${controlQueue.visibilityTimeoutSeconds} s: Lambda would refuse the event source mapping`,
  );
  refuse(
    producer.visibilitySeconds >= controlQueue.visibilityTimeoutSeconds,
    `a producer must hide its control message for less than the control queue does, ` +
      `${controlQueue.visibilityTimeoutSeconds} s, but hides it for ${producer.visibilitySeconds} s`,
  );
  const { refillVisibilitySeconds, refillWaitingSeconds } = consumer;
  refuse(
    taskTimeoutMilliseconds >= consumer.timeoutSeconds * 1_000,
    `a task's timeout must be below the consumer's, but they are ${taskTimeoutMilliseconds / 1_000} s and ` +
      `${consumer.timeoutSeconds} s: the outcome of an attempt could not be recorded`,
  );
  refuse(
    refillVisibilitySeconds * 1_000 <= refillWaitingSeconds * 1_000 + taskTimeoutMilliseconds,
    `messages that a consumer receives itself must be hidden for longer than they may wait for a slot, ` +
      `${refillWaitingSeconds} s, and the task's timeout of ${taskTimeoutMilliseconds / 1_000} s, but are hidden for ` +
      `${refillVisibilitySeconds} s: their tasks would run twice`,
  );
  refuse(
    topology.batchSize > LARGEST_BATCH_WITHOUT_WINDOW && topology.batchingWindowSeconds < 1,
    `a batch of ${topology.batchSize} messages needs a batching window of at least 1 s`,
  );
  refuse(
    topology.environments * topology.tasksPerEnvironment > topology.concurrency,
    `${topology.environments} environments of ${topology.tasksPerEnvironment} tasks exceed the concurrency of ` +
      `${topology.concurrency}`,
  );
  // SQS does not reset the age of a message that it moves to the dead-letter queue.
  for (const [name, { retentionSeconds }] of Object.entries({ queue, "control queue": controlQueue })) {
    refuse(
      deadLetterQueue.retentionSeconds <= retentionSeconds,
      `the dead-letter queue must keep messages for longer than the ${name}, but they keep them for ` +
        `${deadLetterQueue.retentionSeconds} s and ${retentionSeconds} s: dead letters would vanish`,
    );
  }
}

/**
 * Checks the reserved concurrency of a function.
 *
 * An event source mapping can start as many invocations as its maximum concurrency. If fewer are reserved, Lambda
 * throttles the others. Each throttled delivery raises the receive count of its messages, and messages move to the
 * dead-letter queue although the function never ran.
 *
 * @returns The reserved concurrency.
 * @throws {ConfigurationError} It is not a whole number, or it is below the maximum concurrency.
 */
export function checkReservedConcurrency(reserved: number, maximumConcurrency: number): number {
  refuse(
    !Number.isInteger(reserved) || reserved < maximumConcurrency,
    `reservedConcurrency must be a whole number of at least ${maximumConcurrency}, the maximum concurrency of the ` +
      `consumer's mapping, but is ${reserved}: raise it, or lower the workflow's concurrency`,
  );
  return reserved;
}

function checkVisibility(name: string, visibility: number, functionTimeout: number, window: number): void {
  const least = 6 * functionTimeout + window;
  refuse(
    visibility < least,
    `the visibility timeout of ${name} must be at least 6 times its function's timeout of ${functionTimeout} s, and ` +
      `its batching window of ${window} s: ${least} s in total, but is ${visibility} s`,
  );
}

function refuse(unsafe: boolean, message: string): void {
  if (unsafe) throw new ConfigurationError(message);
}
