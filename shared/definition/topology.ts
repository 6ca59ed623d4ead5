import {
  LARGEST_BATCH_WITHOUT_WINDOW,
  LONGEST_FUNCTION_SECONDS,
  LONGEST_RETENTION_SECONDS,
  MAPPING_CONCURRENCY,
} from "../aws/quotas.ts";
import { LONGEST_REQUEST_MILLISECONDS } from "../aws/timeouts.ts";
import { ConfigurationError } from "../base/errors.ts";

/**
 * What a definition implies for the queues and the functions. Derived here once, and read by the CDK app and by the
 * embedded engine alike, so that no number stands twice.
 */
export interface Topology {
  /** Tasks in flight over the whole fleet. */
  readonly concurrency: number;
  readonly tasksPerEnvironment: number;
  /** The consumer mapping's maximum concurrency, and its function's reserved concurrency. */
  readonly environments: number;
  readonly batchSize: number;
  readonly batchingWindowSeconds: number;
  readonly maxBacklog: number;
  readonly consumer: FunctionTopology & {
    /** How long an invocation goes on receiving messages for its free slots; 0 where it works on its batch alone. */
    readonly refillSeconds: number;
    /** How long a message that it received itself may wait for a slot. */
    readonly refillWaitingSeconds: number;
    /** Of the messages that it receives itself. */
    readonly refillVisibilitySeconds: number;
  };
  readonly producer: FunctionTopology & {
    /** How long one invocation goes on paging before it passes the run on to the next. */
    readonly sliceSeconds: number;
    /**
     * How long its control message stays hidden after each renewal, of which there are three in that time: another
     * producer follows one that was killed within it.
     */
    readonly visibilitySeconds: number;
    /** How many runs may be produced at once. */
    readonly environments: number;
  };
  readonly queue: QueueTopology;
  readonly controlQueue: QueueTopology;
  readonly deadLetterQueue: Pick<QueueTopology, "retentionSeconds">;
}

export interface FunctionTopology {
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
}

export interface QueueTopology {
  readonly visibilityTimeoutSeconds: number;
  /** After so many receives SQS itself moves the message: the net for what never reports. */
  readonly maxReceiveCount: number;
  readonly retentionSeconds: number;
}

/** What `topology` reads of a workflow. */
export interface TopologyInput {
  readonly concurrency: number;
  readonly tasksPerEnvironment: number | undefined;
  readonly timeoutMilliseconds: number;
  readonly retry: { readonly attempts: number };
  readonly maxBacklog: number | undefined;
  readonly memoryMb: number;
  readonly refill: boolean;
}

/**
 * Kept free at the end of an invocation to record outcomes. A write whose first attempts time out still succeeds in this
 * time, and the writes that follow it.
 */
export const RECORDING_SECONDS = LONGEST_REQUEST_MILLISECONDS / 1_000 + 4;

/** Kept free at its beginning, to look up what the messages did before. */
export const STARTING_SECONDS = 5;

/** The longest attempt that leaves a consumer the time to begin and to record it. */
export const LONGEST_TASK_MILLISECONDS = (LONGEST_FUNCTION_SECONDS - STARTING_SECONDS - RECORDING_SECONDS) * 1_000;

/** AWS asks for six times the function's timeout, so that throttled batches have time to be tried again.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html */
const VISIBILITY_PER_FUNCTION_TIMEOUT = 6;

/** The most tasks that share one execution environment. */
export const MOST_TASKS_PER_ENVIRONMENT = 100;

/** Room for the crashes, throttles and pauses around each attempt: 1,000, the most that SQS takes, at 100 attempts.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html */
const maxReceiveCount = (attempts: number) => 100 + 9 * attempts;

/** Received messages wait for a slot a second at the most, unless tasks suddenly take longer than they did. */
const LONGEST_REFILL_WAITING_SECONDS = 10;

const SHORTEST_REFILL_SECONDS = 60;
const REFILL_PER_TASK_TIMEOUT = 4;

const SLICE_SECONDS = 60;
/** A slice, the page it is in when it ends, and the time to pass the run on. */
const PRODUCER_TIMEOUT_SECONDS = 150;
const PRODUCER_VISIBILITY_SECONDS = 30;
const PRODUCER_MEMORY_MB = 512;
const PRODUCER_ENVIRONMENTS = 2;

/**
 * The topology of a workflow.
 *
 * @throws {ConfigurationError} `concurrency` and `tasksPerEnvironment` do not fit together.
 */
export function topology(workflow: TopologyInput): Topology {
  const { concurrency, timeoutMilliseconds } = workflow;
  const tasksPerEnvironment = workflow.tasksPerEnvironment ?? defaultTasksPerEnvironment(concurrency);
  checkConcurrency(concurrency, tasksPerEnvironment);
  const taskTimeoutSeconds = Math.ceil(timeoutMilliseconds / 1_000);
  const refillSeconds = workflow.refill ? refillSecondsOf(taskTimeoutSeconds) : 0;
  const refillWaitingSeconds = Math.min(taskTimeoutSeconds, LONGEST_REFILL_WAITING_SECONDS);
  const consumerTimeoutSeconds = STARTING_SECONDS + refillSeconds + taskTimeoutSeconds + RECORDING_SECONDS;
  // A consumer that refills its slots needs no batch as large as they are many.
  const batchSize =
    refillSeconds > 0 ? Math.min(tasksPerEnvironment, LARGEST_BATCH_WITHOUT_WINDOW) : tasksPerEnvironment;
  const batchingWindowSeconds = batchSize > LARGEST_BATCH_WITHOUT_WINDOW ? 1 : 0;
  return {
    concurrency,
    tasksPerEnvironment,
    environments: concurrency / tasksPerEnvironment,
    batchSize,
    batchingWindowSeconds,
    maxBacklog: workflow.maxBacklog ?? Math.max(10_000, 20 * concurrency),
    consumer: {
      timeoutSeconds: consumerTimeoutSeconds,
      memoryMb: workflow.memoryMb,
      refillSeconds,
      refillWaitingSeconds,
      refillVisibilitySeconds: STARTING_SECONDS + refillWaitingSeconds + taskTimeoutSeconds + RECORDING_SECONDS,
    },
    producer: {
      timeoutSeconds: PRODUCER_TIMEOUT_SECONDS,
      memoryMb: PRODUCER_MEMORY_MB,
      sliceSeconds: SLICE_SECONDS,
      visibilitySeconds: PRODUCER_VISIBILITY_SECONDS,
      environments: PRODUCER_ENVIRONMENTS,
    },
    queue: {
      visibilityTimeoutSeconds: VISIBILITY_PER_FUNCTION_TIMEOUT * consumerTimeoutSeconds + batchingWindowSeconds,
      maxReceiveCount: maxReceiveCount(workflow.retry.attempts),
      // A dead letter keeps the timestamp of its first message, so its queue must keep longer than this one.
      retentionSeconds: LONGEST_RETENTION_SECONDS - 4 * 86_400,
    },
    controlQueue: {
      // Not six times the function's: a producer killed before it shortened its message's visibility stalls its run for
      // as long. A delivery that Lambda's throttling delays beyond it is noticed, as its receipt handle is void by then.
      visibilityTimeoutSeconds: PRODUCER_TIMEOUT_SECONDS + PRODUCER_VISIBILITY_SECONDS,
      maxReceiveCount: 100,
      retentionSeconds: LONGEST_RETENTION_SECONDS - 4 * 86_400,
    },
    deadLetterQueue: { retentionSeconds: LONGEST_RETENTION_SECONDS },
  };
}

/**
 * Long beside a task, so that the slots which stay empty at an invocation's end hardly count, and short enough that a
 * Lambda's 900 s hold it.
 */
function refillSecondsOf(taskTimeoutSeconds: number): number {
  const room = LONGEST_FUNCTION_SECONDS - STARTING_SECONDS - taskTimeoutSeconds - RECORDING_SECONDS;
  return Math.min(room, Math.max(SHORTEST_REFILL_SECONDS, REFILL_PER_TASK_TIMEOUT * taskTimeoutSeconds));
}

/** The largest divisor of `concurrency` up to 10 that leaves at least two environments and at most 1,000. */
export function defaultTasksPerEnvironment(concurrency: number): number {
  if (concurrency < MAPPING_CONCURRENCY.minimum) {
    throw new ConfigurationError(
      `concurrency must be at least ${MAPPING_CONCURRENCY.minimum}, the least maximum concurrency of an SQS event source mapping, ` +
        `but is ${concurrency}`,
    );
  }
  const fits = (tasks: number) =>
    concurrency % tasks === 0 &&
    concurrency / tasks >= MAPPING_CONCURRENCY.minimum &&
    concurrency / tasks <= MAPPING_CONCURRENCY.maximum;
  for (let tasks = LARGEST_BATCH_WITHOUT_WINDOW; tasks >= 1; tasks--) if (fits(tasks)) return tasks;
  for (let tasks = LARGEST_BATCH_WITHOUT_WINDOW + 1; tasks <= MOST_TASKS_PER_ENVIRONMENT; tasks++)
    if (fits(tasks)) return tasks;
  throw new ConfigurationError(
    `concurrency ${concurrency} cannot be shared evenly by at most ${MAPPING_CONCURRENCY.maximum} environments of at most ` +
      `${MOST_TASKS_PER_ENVIRONMENT} tasks: choose a multiple of ${MOST_TASKS_PER_ENVIRONMENT}`,
  );
}

/** Checks that `concurrency` is reached exactly by an allowed number of environments. */
export function checkConcurrency(concurrency: number, tasksPerEnvironment: number): void {
  const environments = concurrency / tasksPerEnvironment;
  if (!Number.isInteger(environments)) {
    const neighbours = [Math.floor(environments), Math.ceil(environments)]
      .filter((count) => count >= MAPPING_CONCURRENCY.minimum && count <= MAPPING_CONCURRENCY.maximum)
      .map((count) => `concurrency ${count * tasksPerEnvironment} or `);
    throw new ConfigurationError(
      `concurrency must be a multiple of tasksPerEnvironment, but ${concurrency} is none of ${tasksPerEnvironment}: ` +
        `choose ${neighbours.join("")}another tasksPerEnvironment`,
    );
  }
  if (environments < MAPPING_CONCURRENCY.minimum || environments > MAPPING_CONCURRENCY.maximum) {
    throw new ConfigurationError(
      `concurrency / tasksPerEnvironment must be from ${MAPPING_CONCURRENCY.minimum} to ${MAPPING_CONCURRENCY.maximum}, the maximum ` +
        `concurrency of an SQS event source mapping, but is ${concurrency} / ${tasksPerEnvironment} = ${environments}: ` +
        `choose a ${environments < MAPPING_CONCURRENCY.minimum ? "smaller" : "larger"} tasksPerEnvironment`,
    );
  }
}
