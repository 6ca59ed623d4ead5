import type { MessageAttribute, MessageAttributes } from "./message-attributes.ts";
import { messageBytes, type OutgoingMessage } from "./send-message.ts";
import { invalidParameter, missingParameter, SqsError } from "./sqs-error.ts";
import { limits } from "./sqs-limits.ts";

/** The parameters of a request, as parsed JSON. */
export type Input = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Input {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Parses the body of a request. @throws SqsError `SerializationException`. */
export function parseInput(body: string): Input {
  let parsed: unknown;
  try {
    parsed = body === "" ? {} : JSON.parse(body);
  } catch {
    // The error is thrown below.
  }
  if (!isRecord(parsed)) throw new SqsError("SerializationException", "The request's body is not a JSON object.");
  return parsed;
}

function wrongType(name: string, wanted: string): SqsError {
  return new SqsError("SerializationException", `${name} must be ${wanted}.`);
}

/** Reads an optional string. */
export function optionalText(input: Input, name: string): string | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw wrongType(name, "a string");
  return value;
}

/** Reads a required string. @throws SqsError `MissingParameter`. */
export function text(input: Input, name: string): string {
  const value = optionalText(input, name);
  if (value === undefined) throw missingParameter(name);
  return value;
}

/** Reads an optional integer. */
export function optionalInteger(input: Input, name: string): number | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (!Number.isInteger(value)) throw wrongType(name, "a whole number");
  return value as number;
}

/** Reads a required integer. @throws SqsError `MissingParameter`. */
export function integer(input: Input, name: string): number {
  const value = optionalInteger(input, name);
  if (value === undefined) throw missingParameter(name);
  return value;
}

/** Reads a list of strings. Default: empty. */
export function texts(input: Input, name: string): string[] {
  const value = input[name] ?? [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw wrongType(name, "a list of strings");
  }
  return value;
}

/** Reads a map of strings. Default: empty. */
export function textMap(input: Input, name: string): Record<string, string> {
  const value = input[name] ?? {};
  if (!isRecord(value) || !Object.values(value).every((item) => typeof item === "string")) {
    throw wrongType(name, "a map of strings");
  }
  return value as Record<string, string>;
}

/** Reads the name of the queue: the last part of its URL. The host and the port of the URL are ignored. */
export function queueName(input: Input): string {
  const url = text(input, "QueueUrl");
  return url.slice(url.lastIndexOf("/") + 1);
}

/**
 * Reads a message to send.
 *
 * @param trace The X-Ray trace of the request. It becomes the system attribute `AWSTraceHeader` of a message that has
 *   none: https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sqs.html
 */
export function outgoingMessage(input: Input, trace?: string): OutgoingMessage {
  const system = messageAttributes(input.MessageSystemAttributes);
  const unknown = Object.keys(system).find((name) => name !== "AWSTraceHeader");
  if (unknown !== undefined) {
    throw new SqsError("InvalidParameterValue", `Message system attribute name '${unknown}' is invalid.`);
  }
  const attribute = system.AWSTraceHeader;
  if (attribute !== undefined && !("stringValue" in attribute)) {
    throw new SqsError("InvalidParameterValue", "The message system attribute AWSTraceHeader must be a String.");
  }
  return {
    body: text(input, "MessageBody"),
    delaySeconds: optionalInteger(input, "DelaySeconds"),
    attributes: messageAttributes(input.MessageAttributes),
    traceHeader: attribute?.stringValue ?? trace,
    groupId: optionalText(input, "MessageGroupId"),
    deduplicationId: optionalText(input, "MessageDeduplicationId"),
  };
}

function messageAttributes(value: unknown): MessageAttributes {
  if (value === undefined || value === null) return {};
  if (!isRecord(value)) throw wrongType("MessageAttributes", "a map");
  return Object.fromEntries(
    Object.entries(value).map(([name, attribute]) => [name, messageAttribute(name, attribute)]),
  );
}

function messageAttribute(name: string, value: unknown): MessageAttribute {
  if (!isRecord(value)) throw wrongType(`The message attribute '${name}'`, "a map");
  const dataType = optionalText(value, "DataType");
  const stringValue = optionalText(value, "StringValue");
  const binaryValue = optionalText(value, "BinaryValue");
  if (dataType === undefined) {
    throw new SqsError(
      "InvalidParameterValue",
      `The message attribute '${name}' must contain a message attribute type.`,
    );
  }
  if (stringValue !== undefined && binaryValue === undefined) return { dataType, stringValue };
  if (binaryValue !== undefined && stringValue === undefined) return { dataType, binaryValue };
  throw new SqsError("InvalidParameterValue", `The message attribute '${name}' must contain one value.`);
}

/** One entry of a batch request. */
export interface BatchEntry {
  readonly id: string;
  readonly input: Input;
}

/**
 * Reads the entries of a batch request: 1 to 10, with distinct ids.
 *
 * @param action The request's action, such as `SendMessageBatch`.
 * @throws SqsError `EmptyBatchRequest`, `TooManyEntriesInBatchRequest`, `InvalidBatchEntryId`, `BatchEntryIdsNotDistinct`.
 */
export function batchEntries(input: Input, action: string): BatchEntry[] {
  const list = input.Entries ?? [];
  if (!Array.isArray(list) || !list.every(isRecord)) throw wrongType("Entries", "a list of maps");
  if (list.length === 0) {
    throw new SqsError("EmptyBatchRequest", `There should be at least one ${action}RequestEntry in the request.`);
  }
  if (list.length > limits.batchEntries) {
    throw new SqsError(
      "TooManyEntriesInBatchRequest",
      `Maximum number of entries per request are ${limits.batchEntries}. You have sent ${list.length}.`,
    );
  }
  const entries = list.map((entry) => ({ id: text(entry, "Id"), input: entry }));
  for (const { id } of entries) {
    if (id.length > limits.batchEntryIdLength || !/^[A-Za-z0-9_-]+$/.test(id)) {
      throw new SqsError(
        "InvalidBatchEntryId",
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
      );
    }
  }
  const repeated = entries.find(({ id }, index) => entries.findIndex((other) => other.id === id) !== index);
  if (repeated !== undefined) throw new SqsError("BatchEntryIdsNotDistinct", `Id ${repeated.id} repeated.`);
  return entries;
}

/** @throws SqsError `BatchRequestTooLong`: the messages together are larger than 1 MiB. */
export function checkBatchBytes(messages: readonly OutgoingMessage[]): void {
  const bytes = messages.reduce((sum, message) => sum + messageBytes(message), 0);
  if (bytes > limits.messageBytes) {
    throw new SqsError(
      "BatchRequestTooLong",
      `Batch requests cannot be longer than ${limits.messageBytes} bytes. You have sent ${bytes} bytes.`,
    );
  }
}

const everyName: ReadonlySet<string> = new Set(["All", ".*", "*"]);

/**
 * Tells which names a receive asks for. `All`, `.*` and `*` mean every name. `bar.*` means every name that starts with
 * `bar`, also `barcode`.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
 */
export function nameFilter(names: readonly string[]): (name: string) => boolean {
  if (names.some((name) => everyName.has(name))) return () => true;
  const exact = new Set(names);
  const prefixes = names.filter((name) => name.endsWith(".*")).map((name) => name.slice(0, -2));
  return (name) => exact.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

/** Reads a token of a list request: it is the last name of the page before. */
export function readToken(token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  const name = Buffer.from(token, "base64url").toString();
  if (name === "") throw invalidParameter("NextToken", token, "It was not returned by an earlier request.");
  return name;
}
