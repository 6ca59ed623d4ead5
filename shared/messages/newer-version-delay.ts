import { LONGEST_HIDING_MILLISECONDS } from "../aws/quotas.ts";

/** When SQS moves a message to the dead-letter queue, and when it deletes the message. */
export interface QueueLimits {
  readonly maxReceiveCount: number;
  readonly retentionSeconds: number;
}

const SHORTEST_MILLISECONDS = 5_000;
const LONGEST_MILLISECONDS = 900_000;

/**
 * How long a consumer or a producer hides a message that a newer version of Sluice wrote, in milliseconds.
 *
 * A deploy takes minutes. So the delays are short at first and double: 5 s, 10 s, ... up to 15 min. SQS moves a message to
 * the dead-letter queue after `maxReceiveCount` receives. When the message has used half of these receives, this function
 * spreads the other half over the rest of the retention time. So SQS never moves the message.
 *
 * @param message.sentAt When the message was sent, in milliseconds since 1970. Default: `now`.
 * @param now The time, in milliseconds since 1970.
 * @param random From 0 to 1. It makes the delays of many messages differ.
 */
export function newerVersionDelay(
  message: { readonly receiveCount: number; readonly sentAt?: number | undefined },
  { maxReceiveCount, retentionSeconds }: QueueLimits,
  now: number,
  random: number,
): number {
  const { receiveCount, sentAt = now } = message;
  const growing = Math.min(LONGEST_MILLISECONDS, SHORTEST_MILLISECONDS * 2 ** (receiveCount - 1)) * (1 - random / 4);
  if (receiveCount < maxReceiveCount / 2) return growing;
  const left = Math.max(0, sentAt + retentionSeconds * 1_000 - now);
  const share = left / Math.max(1, maxReceiveCount - receiveCount);
  return Math.min(LONGEST_HIDING_MILLISECONDS, Math.max(growing, share));
}
