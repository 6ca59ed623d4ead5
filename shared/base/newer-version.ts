import { SluiceError } from "./errors.ts";

/**
 * Something was written by a newer version of Sluice than this code, which must not touch it. Consumers and producers put
 * the message back, with a delay: the newer version takes it when it is deployed. See `docs/internals/versions.md`.
 */
export class NewerVersionError extends SluiceError {
  override readonly name = "NewerVersionError";

  /**
   * @param what What has the version, with its article.
   * @param newest The newest version of it that this code reads.
   */
  constructor(what: string, found: number, newest: number, ids?: Readonly<Record<string, string | number>>) {
    super(
      "NEWER_VERSION",
      `${what} has version ${found}, and this version of Sluice reads versions up to ${newest}: use the version of ` +
        "Sluice that wrote it, or a later one (npm install sluice@latest, then deploy)",
      ids && { ids },
    );
  }
}

/** Refuses a version that is newer than the newest which is known. Whether it is a version at all is checked elsewhere. */
export function refuseNewer(
  found: unknown,
  newest: number,
  what: string,
  ids?: Readonly<Record<string, string | number>>,
): void {
  if (typeof found !== "number" || !Number.isInteger(found) || found <= newest) return;
  throw new NewerVersionError(what, found, newest, ids);
}

/** What limits the life of a message on its queue. */
export interface QueueLimits {
  readonly maxReceiveCount: number;
  readonly retentionSeconds: number;
}

const SHORTEST_MILLISECONDS = 5_000;
const LONGEST_MILLISECONDS = 900_000;

/** SQS hides a message for 12 hours at the most, counted from its receive.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html */
const LONGEST_HIDING_MILLISECONDS = 11 * 3_600_000;

/**
 * How long a message of a newer version stays hidden, in milliseconds. A deploy takes minutes, so the first delays are
 * short, and each is about as long as all before it: 5 s, 10 s, ... to 15 min. Once the message has used half of the
 * receives after which SQS moves it to the dead-letter queue, the other half is spread over the time for which the queue
 * keeps it: it is never moved.
 *
 * @param message.sentAt When it was sent, in milliseconds since 1970: now, where that is not known.
 * @param random From 0 to 1: the delays of many messages differ.
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
