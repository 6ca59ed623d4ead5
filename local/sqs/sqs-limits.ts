import {
  LARGEST_BATCH,
  LARGEST_MAX_RECEIVE_COUNT,
  LARGEST_MESSAGE_BYTES,
  LONGEST_DELAY_SECONDS,
  LONGEST_RETENTION_SECONDS,
  LONGEST_VISIBILITY_SECONDS,
  MOST_IN_FLIGHT,
  MOST_MESSAGE_ATTRIBUTES,
  MOST_RECEIVED_MESSAGES,
} from "../../shared/aws/quotas.ts";
import { invalidParameter, SqsError } from "./sqs-error.ts";

/**
 * What SQS allows, from the developer guide's pages "Amazon SQS message quotas" and "Amazon SQS standard / FIFO queue
 * quotas".
 */
export const limits = {
  /** Bytes of a message (body and attributes), and of all messages of a batch together. */
  messageBytes: LARGEST_MESSAGE_BYTES,
  batchEntries: LARGEST_BATCH.entries,
  batchEntryIdLength: 80,
  delaySeconds: LONGEST_DELAY_SECONDS,
  /** This is also the longest time for which one receive can hide a message, with all its changes of visibility. */
  visibilityTimeoutSeconds: LONGEST_VISIBILITY_SECONDS,
  waitTimeSeconds: 20,
  receivedMessages: MOST_RECEIVED_MESSAGES,
  retentionSeconds: { min: 60, max: LONGEST_RETENTION_SECONDS },
  /** The most messages that one queue can have in flight. */
  inFlight: MOST_IN_FLIGHT,
  messageAttributes: MOST_MESSAGE_ATTRIBUTES,
  attributeNameLength: 256,
  groupIdLength: 128,
  queueNameLength: 80,
  maxReceiveCount: { min: 1, max: LARGEST_MAX_RECEIVE_COUNT },
  /** How long a FIFO queue remembers a deduplication id. */
  deduplicationSeconds: 300,
  moveTaskMessagesPerSecond: 500,
  secondsBetweenPurges: 60,
  secondsUntilNameIsFree: 60,
  tags: 50,
} as const;

// SQS refuses most control characters, lone surrogates, U+FFFE and U+FFFF. With the `u` flag, a pair of surrogates is
// one character and does not match.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what SQS refuses.
const refusedCharacter = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uD800-\uDFFF\uFFFE\uFFFF]/u;

/** Whether SQS refuses a text because of one of its characters. */
export function hasRefusedCharacter(text: string): boolean {
  return refusedCharacter.test(text);
}

/**
 * Checks a message's characters: `#x9`, `#xA`, `#xD`, `#x20`–`#xD7FF`, `#xE000`–`#xFFFD` and `#x10000`–`#x10FFFF`.
 *
 * @throws SqsError `InvalidMessageContents`.
 */
export function checkCharacters(text: string): void {
  if (hasRefusedCharacter(text)) {
    throw new SqsError("InvalidMessageContents", "The message contains characters outside the allowed set.");
  }
}

/**
 * Checks a number against a range, both ends included.
 *
 * @param reason What the error says. Default: the words of most parameters.
 * @throws SqsError `InvalidParameterValue`.
 */
export function checkRange(
  name: string,
  value: number,
  min: number,
  max: number,
  reason = `Must be between ${min} and ${max}, if provided.`,
): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw invalidParameter(name, value, reason);
  }
}

const groupOrDeduplicationId = /^[\x21-\x7E]+$/;

/**
 * Checks a `MessageGroupId` or a `MessageDeduplicationId`: 1 to 128 letters, digits and punctuation.
 *
 * @throws SqsError `InvalidParameterValue`.
 */
export function checkGroupOrDeduplicationId(name: string, value: string): void {
  if (value.length > limits.groupIdLength || !groupOrDeduplicationId.test(value)) {
    throw invalidParameter(
      name,
      value,
      `${name} can only include alphanumeric and punctuation characters. 1 to ${limits.groupIdLength} in length.`,
    );
  }
}

/**
 * Checks the name of a queue: 1 to 80 letters, digits, hyphens and underscores. Only the name of a FIFO queue ends in
 * `.fifo`.
 *
 * @throws SqsError `InvalidParameterValue`.
 */
export function checkQueueName(name: string, fifo: boolean): void {
  const stem = fifo && name.endsWith(".fifo") ? name.slice(0, -".fifo".length) : name;
  if (name.length > limits.queueNameLength || !/^[A-Za-z0-9_-]+$/.test(stem) || (fifo && stem === name)) {
    throw new SqsError(
      "InvalidParameterValue",
      fifo
        ? "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length"
        : "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    );
  }
}
