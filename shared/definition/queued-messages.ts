import { MOST_IN_FLIGHT } from "../aws/quotas.ts";

/**
 * The most messages that Sluice lets into a workflow's queue, together with the most that may be added for a moment. Any
 * of them may be in flight: those in work, those that a consumer prefetched, those that wait for a backoff, and those that
 * are hidden because their run is paused or the service's limit is reached. At about `MOST_IN_FLIGHT` messages in flight
 * SQS delivers no more, and gives no error to a long poll. A sixth of that number remains for SQS, because
 * its limit and its counts are approximate. See `docs/internals/in-flight.md`.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
 */
export const MOST_QUEUED_MESSAGES = (MOST_IN_FLIGHT * 5) / 6;

/** The fewest messages per slot that `maxBacklog` may be: one in work, and one to follow it. */
export const FEWEST_MESSAGES_PER_SLOT = 2;

/** The default of `maxBacklog`. */
const USUAL_BACKLOG = { messages: 10_000, messagesPerSlot: 20 } as const;

/**
 * The largest `maxBacklog` of a workflow. Each task in work may replace its message, and for a moment the queue then holds
 * both messages. So `maxBacklog + concurrency` is at most `MOST_QUEUED_MESSAGES`.
 *
 * @example largestMaxBacklog(50) // 99,950
 */
export const largestMaxBacklog = (concurrency: number): number => MOST_QUEUED_MESSAGES - concurrency;

/**
 * The default of `maxBacklog`: 20 messages per slot and at least 10,000, as far as the queue can hold them.
 *
 * @example defaultMaxBacklog(50) // 10,000
 */
export const defaultMaxBacklog = (concurrency: number): number =>
  Math.min(
    largestMaxBacklog(concurrency),
    Math.max(USUAL_BACKLOG.messages, USUAL_BACKLOG.messagesPerSlot * concurrency),
  );

/**
 * The largest `concurrency`: 33,333. With more, the queue could not hold `FEWEST_MESSAGES_PER_SLOT` messages for each slot
 * within `largestMaxBacklog`.
 */
export const LARGEST_CONCURRENCY = Math.floor(MOST_QUEUED_MESSAGES / (FEWEST_MESSAGES_PER_SLOT + 1));
