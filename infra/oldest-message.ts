import type { Topology } from "../shared/definition/topology.ts";
import type { Workflow } from "../shared/definition/workflow.ts";

type Options = Pick<Workflow, "timeoutMilliseconds" | "retry">;
type Numbers = Pick<Topology, "maxBacklog" | "concurrency" | "queue">;

/**
 * How old a message can become in a healthy run whose tasks request no wait, in seconds. In the slowest healthy run, the
 * backlog before the message is as large as possible, every task takes as long as its timeout, and the message needs all
 * attempts with the longest backoffs. The result is at most half of the queue's retention, so that there is time to act
 * before SQS deletes the message.
 */
export function oldestHealthySeconds(
  { timeoutMilliseconds, retry }: Options,
  { maxBacklog, concurrency, queue }: Numbers,
): number {
  let milliseconds = (maxBacklog / concurrency + retry.attempts) * timeoutMilliseconds;
  for (let failures = 1; failures < retry.attempts; failures++) {
    milliseconds += Math.min(retry.capMilliseconds, retry.baseMilliseconds * 2 ** (failures - 1));
  }
  // CloudWatch publishes the metric once a minute, so a shorter age cannot be observed.
  return Math.max(60, Math.min(Math.ceil(milliseconds / 1_000), queue.retentionSeconds / 2));
}

/**
 * How old a message can become in a healthy run whose tasks request the longest waits, in seconds. A consumer replaces a
 * message before it reaches half of the queue's retention, so no message of a healthy run is older than that.
 */
export function oldestWaitingSeconds(options: Options, numbers: Numbers): number {
  const waitSeconds = Math.ceil(options.retry.waitAtMostMilliseconds / 1_000);
  return Math.min(oldestHealthySeconds(options, numbers) + waitSeconds, numbers.queue.retentionSeconds / 2);
}

/**
 * The expression of the alarm `oldest-message`: the age of the oldest message if the age shows a fault, and else 0.
 *
 * A message that waits is hidden, and SQS counts its age. So an age above `oldestHealthySeconds` alone shows no fault.
 * It shows one if visible messages exist and nobody receives them. An age above `oldestWaitingSeconds` always shows one.
 *
 * SQS leaves a message that was received three times out of the age, so a long pause does not raise it.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
 */
export const faultyAge = (healthySeconds: number, waitingSeconds: number): string =>
  `IF(age >= ${waitingSeconds} OR ` +
  `(age >= ${healthySeconds} AND FILL(visible, 0) > 0 AND FILL(received, 0) == 0), age, 0)`;

/**
 * For how many minutes in a row the age must show a fault. While all slots are busy with long tasks, a healthy consumer
 * receives nothing: for as long as an attempt may take, and for a minute in which its outcome is recorded. CloudWatch
 * publishes the metrics of a minute later, so there is one more.
 */
export const faultyMinutes = ({ timeoutMilliseconds }: Pick<Workflow, "timeoutMilliseconds">): number =>
  Math.max(3, Math.ceil(timeoutMilliseconds / 60_000) + 2);
