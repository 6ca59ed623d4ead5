import type { MessageAttributeValue } from "@aws-sdk/client-sqs";
import type { ReceivedMessage } from "../aws/received-message.ts";
import { toError } from "../base/errors.ts";
import { parseJson } from "../base/exact-json.ts";
import { type Failure, lastError, REASONS, type Reason } from "../base/failure.ts";
import { NewerVersionError } from "../base/newer-version.ts";
import { type DeadLetterWaits, type Envelope, parseEnvelope } from "../messages/envelope.ts";
import { type Fingerprint, fingerprint } from "../messages/fingerprint.ts";
import type { ItemAddress } from "../messages/item-address.ts";

/**
 * A message of the dead-letter queue in a readable form, which is plain JSON.
 *
 * `kind` says what its body is:
 * - `dead letter`: an envelope of Sluice with its history. A consumer or the producer sent it.
 * - `raw`: an envelope as it was on the workflow's queue. SQS itself moved it here, after too many receives without a
 *   recorded outcome. Its reason is `unexplained`, and the ledger may know of failures.
 * - `newer`: an envelope that a newer version of Sluice wrote. It can be shown and exported, but it is not changed or
 *   moved.
 * - `foreign`: anything else.
 */
export interface DeadLetter {
  /**
   * The id of the SQS message. It stays the same until a redrive or an import, which sends a new message with another
   * id.
   */
  readonly id: string;
  readonly kind: "dead letter" | "raw" | "newer" | "foreign";
  readonly reason: Reason;
  /** When the item died, in ISO 8601: the time in its history, or else the time at which the message was sent. */
  readonly diedAt: string;
  /** When the message was sent, ISO 8601. If SQS moved the message: when it was sent to the workflow's queue. */
  readonly sentAt: string;
  /** When SQS will delete the message, ISO 8601. `null` if the queue's retention is not known. */
  readonly expiresAt: string | null;
  /**
   * How often the message was received, including this time. If SQS moved the message here, its receives from the
   * workflow's queue count too.
   * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
   */
  readonly receiveCount: number;
  /** The address of the item. `null` if the message is not an envelope, or is the envelope of a newer version. */
  readonly workflow: string | null;
  readonly run: string | null;
  /** The number of the item's partition, from 1. Absent: the run has no partitions, or the address is not known. */
  readonly partition?: number;
  readonly page: number | null;
  readonly index: number | null;
  readonly epoch: number | null;
  /**
   * The item. For a foreign dead letter it is the body: a value if the body is JSON that JavaScript can represent, and
   * otherwise text. For a truncated dead letter it is the start of the item's text.
   */
  readonly item: unknown;
  readonly truncated: boolean;
  /** How often the item had been redriven when it died. */
  readonly redrives: number;
  /** The failed attempts, the oldest first, including those before a redrive. */
  readonly failures: readonly Failure[];
  /** The waits that the task asked for since the latest redrive. Absent if it asked for none. */
  readonly waits?: DeadLetterWaits;
  /** Why the item died: the name and the message of the last failure, or of the wait that was too long. */
  readonly error: { readonly name: string; readonly message: string };
  readonly fingerprint: Fingerprint;
  /** The message as it is on the queue. */
  readonly body: string;
  readonly attributes: Readonly<Record<string, DeadLetterAttribute>>;
  /** The ARN of the queue from which SQS moved the message. `null` if the message was sent here. */
  readonly movedFrom: string | null;
}

/** The fields of a dead letter's item address. A dead letter has them if it is an envelope that this code can read. */
export interface WithItemAddress {
  readonly workflow: string;
  readonly run: string;
  /** Absent: partition 0. */
  readonly partition?: number;
  readonly page: number;
  readonly index: number;
  readonly epoch: number;
}

/** Whether a dead letter is an envelope that this code can read, so that the address of its item is known. */
export const hasItemAddress = <L extends DeadLetter>(deadLetter: L): deadLetter is L & WithItemAddress =>
  deadLetter.kind !== "foreign" && deadLetter.kind !== "newer";

/** The address of the item, in the redrive generation that died. */
export const itemOf = ({
  run,
  partition = 0,
  page,
  index,
  epoch,
  redrives,
}: DeadLetter & WithItemAddress): ItemAddress => ({
  run,
  partition,
  page,
  index,
  epoch,
  redriveGeneration: redrives,
});

/** A message attribute. Binary values are base64. */
export interface DeadLetterAttribute {
  readonly dataType: string;
  readonly stringValue?: string;
  readonly binaryValue?: string;
}

/** The system attributes that `toDeadLetter` needs. */
export const DEAD_LETTER_ATTRIBUTES = ["SentTimestamp", "DeadLetterQueueSourceArn"] as const;

/** The message attribute in which a consumer writes why it moved a message that Sluice did not send. */
export const REASON_ATTRIBUTE = "SluiceReason";

/** @param retentionSeconds How long the queue keeps a message. Absent if that is not known. */
export function toDeadLetter(message: ReceivedMessage, retentionSeconds?: number): DeadLetter {
  const { id, body, receiveCount } = message;
  const sent = Number(message.systemAttributes?.SentTimestamp ?? Number.NaN);
  const sentAt = new Date(Number.isNaN(sent) ? 0 : sent).toISOString();
  const content = contentOf(message);
  const { name, message: text } = content.error;
  return {
    id,
    diedAt: sentAt,
    ...content,
    sentAt,
    expiresAt:
      retentionSeconds === undefined || Number.isNaN(sent)
        ? null
        : new Date(sent + retentionSeconds * 1_000).toISOString(),
    receiveCount,
    fingerprint: fingerprint(name, text),
    body,
    attributes: Object.fromEntries(
      Object.entries(message.attributes).map(([attribute, value]) => [attribute, toDeadLetterAttribute(value)]),
    ),
    movedFrom: message.systemAttributes?.DeadLetterQueueSourceArn ?? null,
  };
}

type Content = Omit<
  DeadLetter,
  "id" | "sentAt" | "expiresAt" | "receiveCount" | "fingerprint" | "body" | "attributes" | "movedFrom" | "diedAt"
> & { readonly diedAt?: string };

function contentOf(message: ReceivedMessage): Content {
  try {
    return contentOfEnvelope(
      parseEnvelope(message.body),
      message.systemAttributes?.DeadLetterQueueSourceArn !== undefined,
    );
  } catch (error) {
    if (error instanceof NewerVersionError) return contentOfNewer(message, error);
    return contentOfForeign(message, toError(error));
  }
}

function contentOfEnvelope(
  { workflow, run, partition, page, index, epoch, item, dead }: Envelope,
  moved: boolean,
): Content {
  const place = { workflow, run, ...(partition !== undefined && { partition }), page, index, epoch };
  const address = { ...place, item: item ?? null };
  // A redriven message has the body of a dead letter. If SQS moved such a message, the item has died again.
  if (dead === undefined || moved) {
    const { failures = [], truncated = false } = dead ?? {};
    const redrives = dead === undefined ? 0 : dead.redrives + 1;
    const error = lastError("unexplained", failures);
    return { ...address, kind: "raw", reason: "unexplained", truncated, redrives, failures, error };
  }
  const { reason, at: diedAt, redrives, failures, truncated = false, waits } = dead;
  const error = lastError(reason, failures, waits);
  return {
    ...address,
    kind: "dead letter",
    reason,
    diedAt,
    truncated,
    redrives,
    failures,
    ...(waits && { waits }),
    error,
  };
}

/** This version cannot know what a newer envelope means. It reads only the reason, if it knows the reason. */
function contentOfNewer(message: ReceivedMessage, { name, message: text }: NewerVersionError): Content {
  const { dead } = jsonOrText(message.body) as { dead?: { reason?: unknown } };
  return {
    ...contentOfForeign(message, new Error(text)),
    kind: "newer",
    reason: REASONS.find((reason) => reason === dead?.reason) ?? "unexplained",
    error: { name, message: text },
  };
}

function contentOfForeign({ body, attributes }: ReceivedMessage, parseError: Error): Content {
  const told = attributes[REASON_ATTRIBUTE]?.StringValue?.replace(/^malformed message: /, "");
  return {
    kind: "foreign",
    reason: "malformed message",
    workflow: null,
    run: null,
    page: null,
    index: null,
    epoch: null,
    item: jsonOrText(body),
    truncated: false,
    redrives: 0,
    failures: [],
    error: { name: "MalformedMessageError", message: told ?? parseError.message },
  };
}

function jsonOrText(body: string): unknown {
  try {
    return parseJson(body, "bigint");
  } catch {
    return body;
  }
}

function toDeadLetterAttribute({
  DataType = "String",
  StringValue,
  BinaryValue,
}: MessageAttributeValue): DeadLetterAttribute {
  return {
    dataType: DataType,
    ...(StringValue !== undefined && { stringValue: StringValue }),
    ...(BinaryValue !== undefined && { binaryValue: Buffer.from(BinaryValue).toString("base64") }),
  };
}

/** Converts an attribute of a dead letter to the form that SQS accepts. */
export function toMessageAttribute({ dataType, stringValue, binaryValue }: DeadLetterAttribute): MessageAttributeValue {
  return {
    DataType: dataType,
    ...(stringValue !== undefined && { StringValue: stringValue }),
    ...(binaryValue !== undefined && { BinaryValue: Buffer.from(binaryValue, "base64") }),
  };
}
