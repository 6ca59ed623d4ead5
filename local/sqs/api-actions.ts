import { md5OfAttributes } from "./md5.ts";
import type { MessageAttributes } from "./message-attributes.ts";
import type { MoveTask } from "./move-tasks.ts";
import { readableAttributes } from "./queue-attributes.ts";
import type { QueueStore } from "./queue-store.ts";
import { checkTagCount } from "./queue-tags.ts";
import type { ReceivedMessage } from "./receive-messages.ts";
import {
  type BatchEntry,
  batchEntries,
  checkBatchBytes,
  type Input,
  integer,
  nameFilter,
  optionalInteger,
  optionalText,
  outgoingMessage,
  queueName,
  readToken,
  text,
  textMap,
  texts,
} from "./request-input.ts";
import type { SentMessage } from "./send-message.ts";
import { missingParameter, type Outcome, outcomeOf, SqsError } from "./sqs-error.ts";
import { checkRange, limits } from "./sqs-limits.ts";

/** What an action needs. */
export interface ActionContext {
  readonly store: QueueStore;
  readonly clock: () => number;
  /** The URL of a queue. */
  readonly urlOf: (name: string) => string;
  /** From when queues can be purged again (ms), by name. */
  readonly purges: Map<string, number>;
  /** From when the names of deleted queues can be used again (ms). */
  readonly deletions: Map<string, number>;
  /** The X-Ray trace of the request, from its header `X-Amzn-Trace-Id`. */
  readonly trace: string | undefined;
  /** Fires when the client is gone. */
  readonly signal: AbortSignal;
}

/** The answer of an action. `undo` undoes its receives if the answer cannot be delivered. */
export interface Answer {
  readonly output: Readonly<Record<string, unknown>>;
  readonly undo?: () => void;
}

type Action = (input: Input, context: ActionContext) => Answer | Promise<Answer>;

const nothing: Answer = { output: {} };

/** The actions, by the name in `X-Amz-Target`. */
export const actions: Readonly<Record<string, Action>> = {
  CreateQueue(input, { store, clock, urlOf, deletions }) {
    const name = text(input, "QueueName");
    if (clock() < (deletions.get(name) ?? 0)) {
      throw new SqsError(
        "QueueDeletedRecently",
        `You must wait ${limits.secondsUntilNameIsFree} seconds after deleting a queue before you can create another ` +
          "with the same name.",
      );
    }
    const isNew = !store.hasQueue(name);
    const tags = textMap(input, "tags");
    checkTagCount(name, tags);
    store.createQueue(name, textMap(input, "Attributes"));
    // SQS does not change the tags of a queue that exists.
    if (isNew) store.addTags(name, tags);
    return { output: { QueueUrl: urlOf(name) } };
  },

  DeleteQueue(input, { store, clock, purges, deletions }) {
    const name = queueName(input);
    store.deleteQueue(name);
    purges.delete(name);
    deletions.set(name, clock() + limits.secondsUntilNameIsFree * 1_000);
    return nothing;
  },

  TagQueue(input, { store }) {
    const tags = textMap(input, "Tags");
    if (Object.keys(tags).length === 0) throw missingParameter("Tags");
    store.addTags(queueName(input), tags);
    return nothing;
  },

  UntagQueue(input, { store }) {
    const keys = texts(input, "TagKeys");
    if (keys.length === 0)
      throw new SqsError("InvalidParameterValue", "Tag keys must be between 1 and 128 characters in length.");
    store.removeTags(queueName(input), keys);
    return nothing;
  },

  ListQueueTags(input, { store }) {
    return { output: withoutEmpty({ Tags: store.tags(queueName(input)) }) };
  },

  GetQueueUrl(input, { store, urlOf }) {
    const name = text(input, "QueueName");
    store.settings(name);
    return { output: { QueueUrl: urlOf(name) } };
  },

  ListQueues(input, { store, urlOf }) {
    const prefix = optionalText(input, "QueueNamePrefix") ?? "";
    const { names, nextToken } = page(
      store.queueNames().filter((name) => name.startsWith(prefix)),
      input,
    );
    return { output: withoutEmpty({ QueueUrls: names.map(urlOf), ...nextToken }) };
  },

  ListDeadLetterSourceQueues(input, { store, urlOf }) {
    const { names, nextToken } = page(store.deadLetterSources(queueName(input)), input);
    return { output: { queueUrls: names.map(urlOf), ...nextToken } };
  },

  GetQueueAttributes(input, { store }) {
    const names = texts(input, "AttributeNames");
    const unknown = names.find((name) => !readableAttributes.has(name));
    if (unknown !== undefined) throw new SqsError("InvalidAttributeName", `Unknown Attribute ${unknown}.`);
    return { output: withoutEmpty({ Attributes: pick(store.attributes(queueName(input)), nameFilter(names)) }) };
  },

  SetQueueAttributes(input, { store }) {
    store.setAttributes(queueName(input), textMap(input, "Attributes"));
    return nothing;
  },

  SendMessage(input, { store, trace }) {
    return { output: sent(store.send(queueName(input), outgoingMessage(input, trace))) };
  },

  SendMessageBatch(input, { store, trace }) {
    const name = queueName(input);
    store.settings(name);
    const entries = batchEntries(input, "SendMessageBatch");
    const messages = entries.map((entry) => outgoingMessage(entry.input, trace));
    checkBatchBytes(messages);
    return { output: batch(entries, store.sendBatch(name, messages), sent) };
  },

  async ReceiveMessage(input, { store, signal }) {
    const name = queueName(input);
    const settings = store.settings(name);
    const max = optionalInteger(input, "MaxNumberOfMessages") ?? 1;
    checkRange("MaxNumberOfMessages", max, 1, limits.receivedMessages);
    const waitSeconds = optionalInteger(input, "WaitTimeSeconds") ?? settings.waitTimeSeconds;
    const waitRange = `Must be >= 0 and <= ${limits.waitTimeSeconds}, if provided.`;
    checkRange("WaitTimeSeconds", waitSeconds, 0, limits.waitTimeSeconds, waitRange);
    const visibility = optionalInteger(input, "VisibilityTimeout") ?? settings.visibilityTimeoutSeconds;
    checkRange("VisibilityTimeout", visibility, 0, limits.visibilityTimeoutSeconds);
    const wanted = nameFilter(texts(input, "MessageAttributeNames"));
    const wantedSystem = nameFilter([
      ...texts(input, "AttributeNames"),
      ...texts(input, "MessageSystemAttributeNames"),
    ]);
    if (waitSeconds === 0) store.checkInFlight(name);
    const messages = await store.receiveOrWait(
      { queue: name, max, visibilityTimeoutSeconds: visibility },
      { timeoutMs: waitSeconds * 1_000, signal },
    );
    if (messages.length === 0) return nothing;
    return {
      output: { Messages: messages.map((message) => received(message, wanted, wantedSystem)) },
      undo: () =>
        store.undoReceives(
          name,
          messages.map(({ receiptHandle }) => receiptHandle),
        ),
    };
  },

  DeleteMessage(input, { store }) {
    store.deleteMessage(queueName(input), text(input, "ReceiptHandle"));
    return nothing;
  },

  DeleteMessageBatch(input, { store }) {
    const name = queueName(input);
    store.settings(name);
    const entries = batchEntries(input, "DeleteMessageBatch");
    const handles = entries.map((entry) => text(entry.input, "ReceiptHandle"));
    return { output: batch(entries, store.deleteMessages(name, handles)) };
  },

  ChangeMessageVisibility(input, { store }) {
    const name = queueName(input);
    store.changeVisibility(name, text(input, "ReceiptHandle"), integer(input, "VisibilityTimeout"));
    return nothing;
  },

  ChangeMessageVisibilityBatch(input, { store }) {
    const name = queueName(input);
    store.settings(name);
    const entries = batchEntries(input, "ChangeMessageVisibilityBatch");
    const outcomes = store.transaction(() =>
      entries.map((entry) =>
        outcomeOf(() =>
          store.changeVisibility(name, text(entry.input, "ReceiptHandle"), integer(entry.input, "VisibilityTimeout")),
        ),
      ),
    );
    return { output: batch(entries, outcomes) };
  },

  PurgeQueue(input, { store, clock, purges }) {
    const name = queueName(input);
    if (clock() < (purges.get(name) ?? 0)) {
      throw new SqsError(
        "PurgeQueueInProgress",
        `Only one PurgeQueue operation on ${name} is allowed every ${limits.secondsBetweenPurges} seconds.`,
      );
    }
    store.purge(name);
    purges.set(name, clock() + limits.secondsBetweenPurges * 1_000);
    return nothing;
  },

  StartMessageMoveTask(input, { store }) {
    const handle = store.moveTasks.start({
      sourceArn: text(input, "SourceArn"),
      destinationArn: optionalText(input, "DestinationArn"),
      messagesPerSecond: optionalInteger(input, "MaxNumberOfMessagesPerSecond"),
    });
    return { output: { TaskHandle: handle } };
  },

  ListMessageMoveTasks(input, { store }) {
    const tasks = store.moveTasks.list(text(input, "SourceArn"), optionalInteger(input, "MaxResults"));
    return { output: { Results: tasks.map(moveTask) } };
  },

  CancelMessageMoveTask(input, { store }) {
    return { output: { ApproximateNumberOfMessagesMoved: store.moveTasks.cancel(text(input, "TaskHandle")) } };
  },
};

/** Returns one page of sorted names. Without `MaxResults`, the page has all names. */
function page(names: readonly string[], input: Input): { names: string[]; nextToken: { NextToken?: string } } {
  const max = optionalInteger(input, "MaxResults");
  const after = readToken(optionalText(input, "NextToken"));
  if (max !== undefined) checkRange("MaxResults", max, 1, 1_000);
  const rest = after === undefined ? [...names] : names.filter((name) => name > after);
  const listed = rest.slice(0, max ?? 1_000);
  // Without MaxResults, SQS lists the first thousand names and returns no token.
  const last = max !== undefined && listed.length < rest.length ? listed.at(-1) : undefined;
  return { names: listed, nextToken: last === undefined ? {} : { NextToken: Buffer.from(last).toString("base64url") } };
}

/** Leaves out empty lists and maps, as the answers of SQS do. */
function withoutEmpty(output: Readonly<Record<string, object | string>>): Record<string, object | string> {
  return Object.fromEntries(Object.entries(output).filter(([, value]) => Object.keys(value).length > 0));
}

function pick<T>(values: Readonly<Record<string, T>>, wanted: (name: string) => boolean): Record<string, T> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => wanted(name)));
}

function batch<T>(
  entries: readonly BatchEntry[],
  outcomes: readonly Outcome<T>[],
  describe?: (value: T) => Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const successful: Record<string, unknown>[] = [];
  const failed: Record<string, unknown>[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    const Id = entries[index]?.id;
    if (outcome.ok) successful.push({ Id, ...describe?.(outcome.value) });
    else {
      const { code, message, senderFault } = outcome.error;
      failed.push({ Id, Code: code, Message: message, SenderFault: senderFault });
    }
  }
  return {
    ...(successful.length === 0 ? {} : { Successful: successful }),
    ...(failed.length === 0 ? {} : { Failed: failed }),
  };
}

function sent(message: SentMessage): Record<string, unknown> {
  return {
    MessageId: message.messageId,
    MD5OfMessageBody: message.md5OfBody,
    MD5OfMessageAttributes: message.md5OfAttributes,
    MD5OfMessageSystemAttributes: message.md5OfSystemAttributes,
    SequenceNumber: message.sequenceNumber,
  };
}

function received(
  message: ReceivedMessage,
  wanted: (name: string) => boolean,
  wantedSystem: (name: string) => boolean,
): Record<string, unknown> {
  const system = pick(message.systemAttributes, wantedSystem);
  const attributes = pick(message.attributes, wanted);
  return {
    MessageId: message.messageId,
    ReceiptHandle: message.receiptHandle,
    MD5OfBody: message.md5OfBody,
    Body: message.body,
    ...(Object.keys(system).length === 0 ? {} : { Attributes: system }),
    ...(Object.keys(attributes).length === 0
      ? {}
      : // The digest covers the returned attributes, not all attributes of the message.
        { MessageAttributes: onTheWire(attributes), MD5OfMessageAttributes: md5OfAttributes(attributes) }),
  };
}

function onTheWire(attributes: MessageAttributes): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, attribute]) => [
      name,
      "stringValue" in attribute
        ? { DataType: attribute.dataType, StringValue: attribute.stringValue }
        : { DataType: attribute.dataType, BinaryValue: attribute.binaryValue },
    ]),
  );
}

function moveTask(task: MoveTask): Record<string, unknown> {
  return {
    // SQS returns a handle only for a running task, because only that can be cancelled.
    TaskHandle: task.status === "RUNNING" ? task.handle : undefined,
    Status: task.status,
    SourceArn: task.sourceArn,
    DestinationArn: task.destinationArn,
    MaxNumberOfMessagesPerSecond: task.messagesPerSecond,
    ApproximateNumberOfMessagesMoved: task.moved,
    ApproximateNumberOfMessagesToMove: task.toMove,
    FailureReason: task.failureReason,
    StartedTimestamp: task.startedAt,
  };
}
