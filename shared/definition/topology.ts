import {
  LARGEST_BATCH_WITHOUT_WINDOW,
  LONGEST_FUNCTION_SECONDS,
  LONGEST_RETENTION_SECONDS,
  MAPPING_CONCURRENCY,
} from "../aws/quotas.ts";
import { LONGEST_REQUEST_MILLISECONDS, LONGEST_SDK_REQUEST_MILLISECONDS } from "../aws/timeouts.ts";
import { ConfigurationError } from "../base/errors.ts";
import { defaultMaxBacklog } from "./queued-messages.ts";

/**
 * The numbers of the queues and the functions that follow from a workflow's options. They are derived here only. Both
 * the CDK app and the embedded engine read them.
 */
export interface Topology {
  /** The most tasks that run at the same time, in all execution environments together. */
  readonly concurrency: number;
  /** The most tasks that run at the same time in one execution environment. Each of them uses one slot. */
  readonly tasksPerEnvironment: number;
  /** The maximum concurrency of the consumer's event source mapping, and the reserved concurrency of its function. */
  readonly environments: number;
  readonly batchSize: number;
  readonly batchingWindowSeconds: number;
  readonly maxBacklog: number;
  readonly consumer: FunctionTopology & {
    /** How long an invocation itself receives messages for its free slots. 0: it only processes its batch. */
    readonly refillSeconds: number;
    /** How long a message that the consumer received itself may wait for a slot. */
    readonly refillWaitingSeconds: number;
    /** The visibility timeout of messages that the consumer receives itself. */
    readonly refillVisibilitySeconds: number;
  };
  readonly producer: FunctionTopology & {
    /** How long one invocation reads pages before it passes the run on to the next invocation. This time is a slice. */
    readonly sliceSeconds: number;
    /**
     * The visibility timeout of the control message that a producer works on. The producer renews this timeout after
     * every third of it. If the producer is killed, another producer receives the message when the timeout ends.
     */
    readonly visibilitySeconds: number;
    /** How many producers may work at the same time, each on one run or on one lane of a run. */
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
  /**
   * After this many receives, SQS itself moves a message to the dead-letter queue. This happens only if no consumer
   * could record an outcome of the message.
   */
  readonly maxReceiveCount: number;
  readonly retentionSeconds: number;
}

/** The options of a workflow from which `topology` derives the numbers. */
export interface TopologyInput {
  readonly concurrency: number;
  readonly tasksPerEnvironment: number | undefined;
  readonly timeoutMilliseconds: number;
  readonly retry: { readonly attempts: number };
  readonly maxBacklog: number | undefined;
  readonly memoryMb: number;
  /** How many producers read the partitions of a run at the same time. Default: 1. */
  readonly producers?: number | undefined;
  /** The memory of the producer's function. Default: 512 MB. */
  readonly producerMemoryMb?: number | undefined;
  readonly refill: boolean;
  /** The rate that the workflow sets, if it sets one. */
  readonly rateLimit?: object | undefined;
  /** How the workflow keeps results, if it keeps them. */
  readonly results?: object | undefined;
}

/**
 * The time at the end of an invocation that is reserved for recording outcomes. The time is enough for one write whose
 * first tries time out, and for the writes after it.
 */
export const RECORDING_SECONDS = LONGEST_REQUEST_MILLISECONDS / 1_000 + 4;

/**
 * The time at the end of an invocation that is reserved for recording. A workflow with results writes an object first.
 */
export const recordingSeconds = ({ results }: Pick<TopologyInput, "results">): number =>
  results === undefined ? RECORDING_SECONDS : RECORDING_SECONDS + LONGEST_SDK_REQUEST_MILLISECONDS / 1_000;

/** The time at the start of an invocation that is reserved for looking up earlier attempts in the ledger. */
export const STARTING_SECONDS = 5;

/**
 * How long the process of an isolated attempt may take to start. An isolated attempt runs in a process of its own,
 * because its item may have crashed an earlier process (see `docs/internals/poison.md`). The start is not part of the
 * attempt.
 */
export const ISOLATED_START_SECONDS = 10;

/**
 * How long an isolated attempt may continue after its timeout, so that the task can react to its abort signal. After
 * that, the consumer kills the process of the attempt.
 */
export const ISOLATED_GRACE_SECONDS = 0.5;

/**
 * The latest time at which an isolated attempt may begin in an invocation. After the attempt's timeout and the grace
 * period, one request of the longest duration still fits before the function's own timeout.
 *
 * @param deadline When the invocation must begin to record, in milliseconds: `recordingSeconds` before its end. The time for
 *   writing an object stays reserved.
 * @param timeoutMilliseconds The timeout of one attempt.
 * @example isolatedAttemptBeginsBy(60_000, 30_000) // 33,500: 3.5 s later than an attempt in the consumer's own process
 */
export const isolatedAttemptBeginsBy = (deadline: number, timeoutMilliseconds: number): number =>
  deadline +
  RECORDING_SECONDS * 1_000 -
  LONGEST_REQUEST_MILLISECONDS -
  ISOLATED_GRACE_SECONDS * 1_000 -
  timeoutMilliseconds;

/** The longest timeout of an attempt. It leaves a consumer the time to start, and to record the outcome afterwards. */
export const longestTaskMilliseconds = (workflow: Pick<TopologyInput, "results">): number =>
  (LONGEST_FUNCTION_SECONDS - STARTING_SECONDS - recordingSeconds(workflow)) * 1_000;

/**
 * AWS recommends a visibility timeout of six times the function's timeout, so that Lambda can retry throttled batches.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
 */
const VISIBILITY_PER_FUNCTION_TIMEOUT = 6;

/** The most tasks that share one execution environment. */
export const MOST_TASKS_PER_ENVIRONMENT = 100;

/**
 * The number of receives after which SQS moves a message to the dead-letter queue. It grows by nine for each attempt,
 * because crashes, throttled deliveries and pauses also raise the receive count. With 100 attempts, the number is
 * `LARGEST_MAX_RECEIVE_COUNT`.
 */
const maxReceiveCount = (attempts: number) => 100 + 9 * attempts;

/**
 * How long a message that the consumer received itself may wait for a slot. A message usually waits for at most a
 * second. It waits longer if tasks suddenly take longer than before.
 */
const LONGEST_REFILL_WAITING_SECONDS = 10;

const SHORTEST_REFILL_SECONDS = 60;
const REFILL_PER_TASK_TIMEOUT = 4;

const SLICE_SECONDS = 60;
/** Enough for a slice, for the page that the slice reads when it ends, and for passing the run on. */
const PRODUCER_TIMEOUT_SECONDS = 150;
const PRODUCER_VISIBILITY_SECONDS = 30;
const PRODUCER_MEMORY_MB = 512;
/** The smallest maximum concurrency of an event source mapping. */
const FEWEST_PRODUCER_ENVIRONMENTS = MAPPING_CONCURRENCY.minimum;

/** The most lanes of a run. Each lane takes one execution environment. */
export const MOST_PRODUCERS = 50;

/** The number of lanes of a run whose source has partitions, if the workflow does not say. */
export const DEFAULT_PRODUCERS = 4;

/**
 * Derives the topology of a workflow.
 *
 * @throws {ConfigurationError} `concurrency` is not a multiple of `tasksPerEnvironment`, or the number of environments
 *   is out of range.
 */
export function topology(workflow: TopologyInput): Topology {
  const { concurrency, timeoutMilliseconds } = workflow;
  const tasksPerEnvironment = workflow.tasksPerEnvironment ?? defaultTasksPerEnvironment(concurrency);
  checkConcurrency(concurrency, tasksPerEnvironment);
  const taskTimeoutSeconds = Math.ceil(timeoutMilliseconds / 1_000);
  const recording = recordingSeconds(workflow);
  const refillSeconds = workflow.refill ? refillSecondsOf(taskTimeoutSeconds, recording) : 0;
  // At a rate, a message waits for its start even if tasks are short.
  const refillWaitingSeconds =
    workflow.rateLimit === undefined
      ? Math.min(taskTimeoutSeconds, LONGEST_REFILL_WAITING_SECONDS)
      : LONGEST_REFILL_WAITING_SECONDS;
  const consumerTimeoutSeconds = STARTING_SECONDS + refillSeconds + taskTimeoutSeconds + recording;
  // A consumer that receives messages itself fills its slots in this way, so its batch can be smaller than the number
  // of its slots.
  const batchSize =
    refillSeconds > 0 ? Math.min(tasksPerEnvironment, LARGEST_BATCH_WITHOUT_WINDOW) : tasksPerEnvironment;
  const batchingWindowSeconds = batchSize > LARGEST_BATCH_WITHOUT_WINDOW ? 1 : 0;
  return {
    concurrency,
    tasksPerEnvironment,
    environments: concurrency / tasksPerEnvironment,
    batchSize,
    batchingWindowSeconds,
    maxBacklog: workflow.maxBacklog ?? defaultMaxBacklog(concurrency),
    consumer: {
      timeoutSeconds: consumerTimeoutSeconds,
      memoryMb: workflow.memoryMb,
      refillSeconds,
      refillWaitingSeconds,
      refillVisibilitySeconds: STARTING_SECONDS + refillWaitingSeconds + taskTimeoutSeconds + recording,
    },
    producer: {
      timeoutSeconds: PRODUCER_TIMEOUT_SECONDS,
      memoryMb: workflow.producerMemoryMb ?? PRODUCER_MEMORY_MB,
      sliceSeconds: SLICE_SECONDS,
      visibilitySeconds: PRODUCER_VISIBILITY_SECONDS,
      // One more than there are lanes, so that starts and completions never wait for a lane.
      environments: Math.max(FEWEST_PRODUCER_ENVIRONMENTS, (workflow.producers ?? 1) + 1),
    },
    queue: {
      visibilityTimeoutSeconds: VISIBILITY_PER_FUNCTION_TIMEOUT * consumerTimeoutSeconds + batchingWindowSeconds,
      maxReceiveCount: maxReceiveCount(workflow.retry.attempts),
      // SQS does not reset the age of a message that it moves to the dead-letter queue. So the dead-letter queue must
      // keep messages for longer than this queue.
      // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
      retentionSeconds: LONGEST_RETENTION_SECONDS - 4 * 86_400,
    },
    controlQueue: {
      // This is less than six times the function's timeout. A producer can be killed before it shortens the visibility
      // timeout of its message. Then its run makes no progress for this time. If Lambda's throttling delays a delivery
      // for longer than this, the producer notices the delay, because its receipt handle is no longer valid.
      visibilityTimeoutSeconds: PRODUCER_TIMEOUT_SECONDS + PRODUCER_VISIBILITY_SECONDS,
      maxReceiveCount: 100,
      retentionSeconds: LONGEST_RETENTION_SECONDS - 4 * 86_400,
    },
    deadLetterQueue: { retentionSeconds: LONGEST_RETENTION_SECONDS },
  };
}

/**
 * How long an invocation receives messages itself. Slots stay empty at the end of each invocation, so this time is long
 * compared with a task. It also fits into the longest timeout of a function.
 */
function refillSecondsOf(taskTimeoutSeconds: number, recording: number): number {
  const room = LONGEST_FUNCTION_SECONDS - STARTING_SECONDS - taskTimeoutSeconds - recording;
  return Math.min(room, Math.max(SHORTEST_REFILL_SECONDS, REFILL_PER_TASK_TIMEOUT * taskTimeoutSeconds));
}

/**
 * The default of `tasksPerEnvironment`: the largest divisor of `concurrency` up to 10 that gives 2 to 1,000
 * environments. If there is no such divisor, it is the smallest divisor above 10 that gives 2 to 1,000 environments.
 *
 * @throws {ConfigurationError} There is no such divisor up to 100.
 */
export function defaultTasksPerEnvironment(concurrency: number): number {
  const { minimum, maximum } = MAPPING_CONCURRENCY;
  if (concurrency < minimum) {
    throw new ConfigurationError(
      `concurrency must be at least ${minimum}, the smallest maximum concurrency of an SQS event source mapping, ` +
        `but is ${concurrency}`,
    );
  }
  const fits = (tasks: number) => isPossibleFleet(concurrency, tasks);
  for (let tasks = LARGEST_BATCH_WITHOUT_WINDOW; tasks >= 1; tasks--) if (fits(tasks)) return tasks;
  for (let tasks = LARGEST_BATCH_WITHOUT_WINDOW + 1; tasks <= MOST_TASKS_PER_ENVIRONMENT; tasks++)
    if (fits(tasks)) return tasks;
  throw new ConfigurationError(
    `concurrency ${concurrency} cannot be shared evenly by at most ${maximum} environments of at most ` +
      `${MOST_TASKS_PER_ENVIRONMENT} tasks: choose a multiple of ${MOST_TASKS_PER_ENVIRONMENT}`,
  );
}

/** Whether `concurrency / tasksPerEnvironment` is a possible number of environments. */
export function isPossibleFleet(concurrency: number, tasksPerEnvironment: number): boolean {
  const environments = concurrency / tasksPerEnvironment;
  const { minimum, maximum } = MAPPING_CONCURRENCY;
  return Number.isInteger(environments) && environments >= minimum && environments <= maximum;
}

/**
 * Checks that `concurrency / tasksPerEnvironment` is a possible number of environments.
 *
 * @throws {ConfigurationError} The number of environments is not whole or is out of range.
 */
export function checkConcurrency(concurrency: number, tasksPerEnvironment: number): void {
  const { minimum, maximum } = MAPPING_CONCURRENCY;
  const environments = concurrency / tasksPerEnvironment;
  if (!Number.isInteger(environments)) {
    const neighbours = [Math.floor(environments), Math.ceil(environments)]
      .filter((count) => count >= minimum && count <= maximum)
      .map((count) => `concurrency ${count * tasksPerEnvironment} or `);
    throw new ConfigurationError(
      `concurrency must be a multiple of tasksPerEnvironment, but ${concurrency} is not a multiple of ${tasksPerEnvironment}: ` +
        `choose ${neighbours.join("")}another tasksPerEnvironment`,
    );
  }
  if (environments < minimum || environments > maximum) {
    throw new ConfigurationError(
      `concurrency / tasksPerEnvironment must be from ${minimum} to ${maximum}, the maximum ` +
        `concurrency of an SQS event source mapping, but is ${concurrency} / ${tasksPerEnvironment} = ${environments}: ` +
        `choose a ${environments < minimum ? "smaller" : "larger"} tasksPerEnvironment`,
    );
  }
}
