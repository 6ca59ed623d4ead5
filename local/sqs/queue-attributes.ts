import { SqsError } from "./sqs-error.ts";
import { limits } from "./sqs-limits.ts";

/** The attributes of a queue that can be set, as SQS spells them. Numbers and booleans are strings, policies are JSON. */
export type QueueAttributes = Readonly<Record<string, string>>;

/** The parsed attributes of a queue. */
export interface QueueSettings {
  readonly visibilityTimeoutSeconds: number;
  readonly delaySeconds: number;
  readonly maximumMessageBytes: number;
  readonly retentionSeconds: number;
  readonly waitTimeSeconds: number;
  readonly contentBasedDeduplication: boolean;
  /** Whether deduplication ids are compared within a message group only, and not within the whole queue. */
  readonly deduplicationPerGroup: boolean;
  readonly redrive?: RedrivePolicy;
}

/** After `maxReceiveCount` receives, the next receive moves a message to the dead-letter queue. */
export interface RedrivePolicy {
  readonly deadLetterTargetArn: string;
  readonly maxReceiveCount: number;
}

const integers: Readonly<Record<string, { readonly min: number; readonly max: number; readonly initial: number }>> = {
  DelaySeconds: { min: 0, max: limits.delaySeconds, initial: 0 },
  MaximumMessageSize: { min: 1_024, max: limits.messageBytes, initial: limits.messageBytes },
  MessageRetentionPeriod: { ...limits.retentionSeconds, initial: 345_600 },
  ReceiveMessageWaitTimeSeconds: { min: 0, max: limits.waitTimeSeconds, initial: 0 },
  VisibilityTimeout: { min: 0, max: limits.visibilityTimeoutSeconds, initial: 30 },
};

/** The attributes of a queue that was created without any. */
export const initialAttributes: QueueAttributes = {
  ...Object.fromEntries(Object.entries(integers).map(([name, { initial }]) => [name, String(initial)])),
  SqsManagedSseEnabled: "true",
};

/** The additional attributes of a new FIFO queue. */
export const initialFifoAttributes: QueueAttributes = {
  FifoQueue: "true",
  ContentBasedDeduplication: "false",
  DeduplicationScope: "queue",
  FifoThroughputLimit: "perQueue",
};

const fifoOnly: Readonly<Record<string, readonly string[]>> = {
  ContentBasedDeduplication: ["true", "false"],
  DeduplicationScope: ["queue", "messageGroup"],
  FifoThroughputLimit: ["perQueue", "perMessageGroupId"],
};

/** Attributes that are stored and returned, but have no effect here. */
const uninterpreted = new Set([
  "KmsDataKeyReusePeriodSeconds",
  "KmsMasterKeyId",
  "Policy",
  "RedriveAllowPolicy",
  "SqsManagedSseEnabled",
]);

/** All attribute names that `GetQueueAttributes` accepts. */
export const readableAttributes: ReadonlySet<string> = new Set([
  ...Object.keys(integers),
  ...Object.keys(fifoOnly),
  ...uninterpreted,
  "All",
  "ApproximateNumberOfMessages",
  "ApproximateNumberOfMessagesDelayed",
  "ApproximateNumberOfMessagesNotVisible",
  "CreatedTimestamp",
  "FifoQueue",
  "LastModifiedTimestamp",
  "QueueArn",
  "RedrivePolicy",
]);

/**
 * Checks attributes that a caller sets, except for the redrive policy. An empty string removes a policy, and is refused for
 * other attributes.
 *
 * @throws SqsError `InvalidAttributeName` or `InvalidAttributeValue`.
 */
export function checkQueueAttributes(attributes: QueueAttributes, fifo: boolean): void {
  for (const [name, value] of Object.entries(attributes)) {
    const range = integers[name];
    const choices = fifoOnly[name];
    if (range !== undefined) checkInteger(name, value, range);
    else if (choices !== undefined) {
      if (!fifo) throw notForStandardQueues(name);
      if (!choices.includes(value)) throw invalidValue(name, value);
    } else if (name !== "RedrivePolicy" && !uninterpreted.has(name))
      throw new SqsError("InvalidAttributeName", `Unknown Attribute ${name}.`);
  }
}

function notForStandardQueues(name: string): SqsError {
  return new SqsError(
    "InvalidAttributeName",
    name === "ContentBasedDeduplication"
      ? `Unknown Attribute ${name}.`
      : `You can specify the ${name} only when FifoQueue is set to true.`,
  );
}

/**
 * Writes attributes as SQS returns them: booleans, which may be written in any case, in lower case, and a redrive policy
 * with a number as its count.
 *
 * @throws SqsError `InvalidAttributeValue`: the redrive policy is malformed.
 */
export function normalized(attributes: QueueAttributes): QueueAttributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => {
      if (booleans.has(name)) return [name, value.toLowerCase()];
      const hasTextCount = name === "RedrivePolicy" && /"maxReceiveCount"\s*:\s*"/.test(value);
      return [name, hasTextCount ? JSON.stringify(parseRedrivePolicy(value)) : value];
    }),
  );
}

const booleans = new Set(["ContentBasedDeduplication", "FifoQueue", "SqsManagedSseEnabled"]);

/** The settings that one kind of encryption changes in the other: a queue has at most one. */
export function withOneEncryption(before: QueueAttributes, changes: QueueAttributes): QueueAttributes {
  const after = { ...before, ...changes };
  if (changes.KmsMasterKeyId) after.SqsManagedSseEnabled = "false";
  if (changes.SqsManagedSseEnabled === "true" || changes.KmsMasterKeyId === "") {
    after.KmsMasterKeyId = "";
    after.KmsDataKeyReusePeriodSeconds = "";
  }
  return after;
}

function checkInteger(name: string, value: string, range: { readonly min: number; readonly max: number }): void {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < range.min || number > range.max) throw invalidValue(name, value);
}

function invalidValue(name: string, value: string, reason?: string): SqsError {
  const why = reason === undefined ? "" : ` Reason: ${reason}`;
  return new SqsError("InvalidAttributeValue", `Invalid value for the parameter ${name}: ${value}.${why}`);
}

/**
 * Reads a redrive policy: `{"deadLetterTargetArn": "...", "maxReceiveCount": 5}`, the count from 1 to 1,000.
 *
 * @throws SqsError `InvalidAttributeValue`.
 */
export function parseRedrivePolicy(value: string): RedrivePolicy {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    throw invalidValue("RedrivePolicy", value, "It is not JSON.");
  }
  const { deadLetterTargetArn, maxReceiveCount } = (parsed ?? {}) as Record<string, unknown>;
  const count = Number(maxReceiveCount);
  const { min, max } = limits.maxReceiveCount;
  if (typeof deadLetterTargetArn !== "string" || maxReceiveCount === undefined) {
    throw invalidValue("RedrivePolicy", value, "It must hold deadLetterTargetArn and maxReceiveCount.");
  }
  if (!Number.isInteger(count) || count < min || count > max) {
    throw invalidValue("RedrivePolicy", value, `maxReceiveCount must be between ${min} and ${max}.`);
  }
  return { deadLetterTargetArn, maxReceiveCount: count };
}

/** Parses attributes that were checked before. */
export function settingsOf(attributes: QueueAttributes): QueueSettings {
  const redrive = attributes.RedrivePolicy;
  return {
    visibilityTimeoutSeconds: Number(attributes.VisibilityTimeout),
    delaySeconds: Number(attributes.DelaySeconds),
    maximumMessageBytes: Number(attributes.MaximumMessageSize),
    retentionSeconds: Number(attributes.MessageRetentionPeriod),
    waitTimeSeconds: Number(attributes.ReceiveMessageWaitTimeSeconds),
    contentBasedDeduplication: attributes.ContentBasedDeduplication === "true",
    deduplicationPerGroup: attributes.DeduplicationScope === "messageGroup",
    ...(redrive === undefined ? {} : { redrive: parseRedrivePolicy(redrive) }),
  };
}
