import { randomUUID } from "node:crypto";
import { deduplicationIdFor, recall, remember } from "./deduplication.ts";
import { md5OfAttributes, md5OfBody } from "./md5.ts";
import { attributeBytes, checkMessageAttributes, type MessageAttributes } from "./message-attributes.ts";
import { refreshGroup } from "./message-groups.ts";
import type { Queue } from "./queue-registry.ts";
import { invalidParameter, missingParameter, SqsError } from "./sqs-error.ts";
import { checkCharacters, checkGroupOrDeduplicationId, checkRange, limits } from "./sqs-limits.ts";
import type { StoreContext } from "./store-context.ts";

/** A message to send. */
export interface OutgoingMessage {
  readonly body: string;
  /** 0 to 900. Default: the queue's own delay. FIFO queues have no delay per message. */
  readonly delaySeconds?: number | undefined;
  readonly attributes?: MessageAttributes | undefined;
  /** The system attribute `AWSTraceHeader`. */
  readonly traceHeader?: string | undefined;
  /** Required on FIFO queues, allowed on standard queues. */
  readonly groupId?: string | undefined;
  /** On FIFO queues only. */
  readonly deduplicationId?: string | undefined;
}

/** What SQS returns for a message that it accepted. */
export interface SentMessage {
  readonly messageId: string;
  readonly md5OfBody: string;
  readonly md5OfAttributes?: string;
  readonly md5OfSystemAttributes?: string;
  /** On FIFO queues: 20 digits. Later messages have larger numbers, and the strings sort like the numbers. */
  readonly sequenceNumber?: string;
}

/** A sequence number as FIFO queues show it. */
export function sequenceNumber(sequence: number): string {
  return String(sequence).padStart(20, "0");
}

/** The size that SQS counts: the body, and the names, types and values of the attributes. */
export function messageBytes(message: OutgoingMessage): number {
  return Buffer.byteLength(message.body) + (message.attributes === undefined ? 0 : attributeBytes(message.attributes));
}

/** Checks one message and stores it. */
export function send(context: StoreContext, queue: Queue, message: OutgoingMessage): SentMessage {
  check(queue, message);
  return queue.fifo ? sendOrdered(context, queue, message) : sendStandard(context, queue, message);
}

function check(queue: Queue, message: OutgoingMessage): void {
  if (message.body === "") throw missingParameter("MessageBody");
  if (messageBytes(message) > queue.settings.maximumMessageBytes) {
    throw new SqsError(
      "InvalidParameterValue",
      `One or more parameters are invalid. Reason: Message must be shorter than ${queue.settings.maximumMessageBytes} bytes.`,
    );
  }
  checkCharacters(message.body);
  if (message.attributes !== undefined) {
    checkMessageAttributes(message.attributes);
  }
  if (message.delaySeconds !== undefined) {
    if (queue.fifo && message.delaySeconds !== 0) {
      throw invalidParameter(
        "DelaySeconds",
        message.delaySeconds,
        "The request include parameter that is not valid for this queue type.",
      );
    }
    const range = `DelaySeconds must be >= 0 and <= ${limits.delaySeconds}.`;
    checkRange("DelaySeconds", message.delaySeconds, 0, limits.delaySeconds, range);
  }
  if (message.groupId !== undefined) checkGroupOrDeduplicationId("MessageGroupId", message.groupId);
  if (message.deduplicationId !== undefined) {
    checkGroupOrDeduplicationId("MessageDeduplicationId", message.deduplicationId);
    if (!queue.fifo) {
      throw invalidParameter(
        "MessageDeduplicationId",
        message.deduplicationId,
        "The request include parameter that is not valid for this queue type.",
      );
    }
  }
}

/**
 * Checks the messages of a batch for a FIFO queue. SQS refuses the whole batch if one of its messages has no group or no
 * deduplication id. Its code is the same for both, other than for a single message: LocalStack's tests record it on AWS.
 *
 * @throws SqsError `InvalidParameterValue`.
 */
export function checkOrderedBatch(queue: Queue, messages: readonly OutgoingMessage[]): void {
  if (!queue.fifo) return;
  for (const message of messages) {
    if (message.groupId === undefined) {
      throw new SqsError("InvalidParameterValue", missingParameter("MessageGroupId").message);
    }
    deduplicationIdFor(queue, message.deduplicationId, message.body);
  }
}

function sendStandard(context: StoreContext, queue: Queue, message: OutgoingMessage): SentMessage {
  const messageId = randomUUID();
  insert(context, queue, message, {
    messageId,
    sequence: context.database.nextSequence(),
    group: null,
    deduplicationId: null,
  });
  return toSentMessage(message, messageId);
}

function sendOrdered(context: StoreContext, queue: Queue, message: OutgoingMessage): SentMessage {
  const { groupId } = message;
  if (groupId === undefined) throw missingParameter("MessageGroupId");
  const deduplicationId = deduplicationIdFor(queue, message.deduplicationId, message.body);
  return context.database.transaction(() => {
    const earlier = recall(context, queue, groupId, deduplicationId);
    if (earlier !== undefined) return toSentMessage(message, earlier.message_id, earlier.sequence);
    const messageId = randomUUID();
    const sequence = context.database.nextSequence();
    insert(context, queue, message, { messageId, sequence, group: groupId, deduplicationId });
    remember(context, queue, groupId, deduplicationId, { message_id: messageId, sequence });
    refreshGroup(context.database, queue.id, groupId);
    return toSentMessage(message, messageId, sequence);
  });
}

function insert(
  context: StoreContext,
  queue: Queue,
  message: OutgoingMessage,
  identity: {
    readonly messageId: string;
    readonly sequence: number;
    readonly group: string | null;
    readonly deduplicationId: string | null;
  },
): void {
  const now = context.clock();
  // A FIFO queue has one delay for all its messages. AWS ignores the only delay that a message may have there, which is 0.
  const delaySeconds = queue.fifo ? undefined : message.delaySeconds;
  const visibleAt = now + (delaySeconds ?? queue.settings.delaySeconds) * 1_000;
  context.database.run(
    `INSERT INTO messages
      (sequence, queue, visible_at, sent_at, id, group_id, ordered_group, deduplication_id, trace_header, attributes, body)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    identity.sequence,
    queue.id,
    visibleAt,
    now,
    identity.messageId,
    message.groupId ?? null,
    identity.group,
    identity.deduplicationId,
    message.traceHeader ?? null,
    message.attributes === undefined ? null : JSON.stringify(message.attributes),
    message.body,
  );
  queue.total += 1;
  queue.sentSince = Math.min(queue.sentSince, now);
  queue.receives.rowAt({ visible_at: visibleAt, sequence: identity.sequence });
  context.changed(queue);
}

function toSentMessage(message: OutgoingMessage, messageId: string, sequence?: number): SentMessage {
  const { attributes = {}, traceHeader } = message;
  return {
    messageId,
    md5OfBody: md5OfBody(message.body),
    ...(Object.keys(attributes).length === 0 ? {} : { md5OfAttributes: md5OfAttributes(attributes) }),
    ...(traceHeader === undefined
      ? {}
      : {
          md5OfSystemAttributes: md5OfAttributes({ AWSTraceHeader: { dataType: "String", stringValue: traceHeader } }),
        }),
    ...(sequence === undefined ? {} : { sequenceNumber: sequenceNumber(sequence) }),
  };
}
