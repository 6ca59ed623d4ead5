import { setImmediate as nextTurn, setTimeout } from "node:timers/promises";
import {
  ChangeMessageVisibilityBatchCommand,
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type MessageAttributeValue,
  type MessageSystemAttributeName,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SendMessageBatchCommandInput,
  type SendMessageBatchRequestEntry,
  SendMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { batchesOf } from "../base/batches.ts";
import { SluiceError } from "../base/errors.ts";
import { sendCommand } from "./fast-path.ts";
import { LARGEST_BATCH } from "./quotas.ts";
import type { ReceivedMessage } from "./received-message.ts";

/**
 * A message for the control queue. That queue is a FIFO queue, so the message has a message group and a deduplication
 * id.
 */
export interface ControlEntry {
  readonly body: string;
  readonly group: string;
  readonly deduplicationId: string;
}

/** How many batches `sendAll` sends at once. The client needs the same number of sockets. */
export const PARALLEL_SENDS = 20;

/**
 * How many batches `sendAll` prepares and sends separately, before it sends the others together. A workflow has at
 * least two execution environments, and each of them can then begin early.
 */
const LEADING_SENDS = 2;

/** How often `sendAll` sends an entry that SQS refuses. The SDK also retries a whole request that fails. */
const SEND_ROUNDS = 5;
/** The pause before the second round. It doubles with each further round. */
const SEND_PAUSE_MILLISECONDS = 50;

/** A message for a standard queue. */
export interface OutgoingMessage {
  readonly body: string;
  readonly attributes?: Readonly<Record<string, MessageAttributeValue>>;
  /** How long the message stays hidden at first, up to `LONGEST_DELAY_SECONDS`. Default: the queue's own delay. */
  readonly delaySeconds?: number;
}

/**
 * How many messages a queue has: visible, in flight (received and not deleted), and delayed. The numbers are
 * approximate on AWS.
 */
export interface QueueDepth {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

/** The settings of a queue that decide when SQS removes a message from it. */
export interface QueuePolicy {
  /** How long SQS keeps a message before it deletes the message. */
  readonly retentionSeconds: number;
  /** After this many receives SQS moves a message to the dead-letter queue. `undefined`: SQS never moves it. */
  readonly maxReceiveCount: number | undefined;
}

/** One SQS queue. */
export class Queue {
  readonly #client: SQSClient;
  readonly #url: string;

  constructor(client: SQSClient, url: string) {
    this.#client = client;
    this.#url = url;
  }

  /**
   * Sends messages, up to ten in each request and several requests at once. Messages that SQS refuses are sent again.
   *
   * @throws {SluiceError} `SEND_FAILED`: SQS refused some messages in every round. It may have accepted the others.
   */
  async sendAll(messages: readonly OutgoingMessage[]): Promise<void> {
    this.#throwIfRefused(await this.sendEach(messages));
  }

  /**
   * Sends a message without the trace header of the invocation that sends it.
   *
   * A consumer that replaces a message sends the new one to the queue from which it received the old one. Lambda would
   * detect a recursive loop and drop the message after 16 replacements. This loop is intended, and it ends because
   * waits are bounded. Lambda still detects all other loops.
   * https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
   *
   * @throws {SluiceError} `SEND_FAILED`: SQS refused the message in every round.
   */
  async sendUntraced(message: OutgoingMessage): Promise<void> {
    const refused = await this.#sendBatch([message], async (input) => {
      const command = new SendMessageBatchCommand(input);
      // This step runs after the middleware that adds the trace.
      command.middlewareStack.add(
        (next) => (args) => {
          const { headers } = args.request as { readonly headers: Record<string, string> };
          for (const name of Object.keys(headers)) if (TRACE_HEADER.test(name)) delete headers[name];
          return next(args);
        },
        { step: "finalizeRequest", name: "withoutTrace" },
      );
      // The options `{}` make the client ignore its cache of middleware, which does not contain this step.
      return await this.#client.send(command, {});
    });
    this.#throwIfRefused(new Map(refused));
  }

  #throwIfRefused(refused: ReadonlyMap<OutgoingMessage, string>): void {
    if (refused.size === 0) return;
    throw new SluiceError(
      "SEND_FAILED",
      `SQS refused ${refused.size} messages ${SEND_ROUNDS} times. The last reason: ${[...refused.values()].at(-1)}`,
      { ids: { queue: this.#url } },
    );
  }

  /**
   * Sends messages like `sendAll`, but returns the messages that SQS refused instead of throwing.
   *
   * @returns The messages that SQS refused in every round, each with the last reason. All others are sent.
   */
  async sendEach(messages: readonly OutgoingMessage[]): Promise<ReadonlyMap<OutgoingMessage, string>> {
    const batches = toBatches(messages);
    const refused = new Map<OutgoingMessage, string>();
    let next = 0;
    const sender = async () => {
      try {
        for (let batch = batches[next++]; batch !== undefined; batch = batches[next++]) {
          for (const [message, reason] of await this.#sendBatch(batch)) refused.set(message, reason);
        }
      } catch (error) {
        next = batches.length;
        throw error;
      }
    };
    const parallel = Math.min(PARALLEL_SENDS, batches.length);
    const senders: Promise<void>[] = [];
    // Requests that are prepared together leave only when the last of them is signed. So the first requests are
    // prepared separately, and consumers can begin early. The other requests leave together, because the server then
    // handles all of them at once.
    while (senders.length < parallel) {
      senders.push(sender());
      if (senders.length <= LEADING_SENDS) await Promise.race([Promise.allSettled(senders), nextTurn()]);
    }
    // If a sender fails, wait for the others before throwing: no request must continue after this method has ended.
    await Promise.allSettled(senders);
    await Promise.all(senders);
    return refused;
  }

  async #sendBatch(
    messages: readonly OutgoingMessage[],
    send = (input: SendMessageBatchCommandInput) => sendCommand(this.#client, SendMessageBatchCommand, input),
  ): Promise<readonly (readonly [OutgoingMessage, string])[]> {
    let entries = messages.map(
      ({ body, attributes, delaySeconds }, index): SendMessageBatchRequestEntry => ({
        Id: String(index),
        MessageBody: body,
        ...(attributes && { MessageAttributes: { ...attributes } }),
        ...(delaySeconds !== undefined && { DelaySeconds: delaySeconds }),
      }),
    );
    let refused: readonly (readonly [OutgoingMessage, string])[] = [];
    for (let round = 0; round < SEND_ROUNDS; round++) {
      const { Failed = [] } = await send({ QueueUrl: this.#url, Entries: entries });
      refused = Failed.flatMap(({ Id, Code, Message }) => {
        const message = messages[Number(Id)];
        return message === undefined ? [] : [[message, `${Code}: ${Message}`] as const];
      });
      if (Failed.length === 0) break;
      await setTimeout(SEND_PAUSE_MILLISECONDS * 2 ** round);
      const failed = new Set(Failed.map(({ Id }) => Id));
      entries = entries.filter(({ Id }) => failed.has(Id));
    }
    return refused;
  }

  /** Sends a message to a control queue, which is a FIFO queue. The attributes have the type String. */
  async sendControl(
    { body, group, deduplicationId }: ControlEntry,
    attributes: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await this.#client.send(
      new SendMessageCommand({
        QueueUrl: this.#url,
        MessageBody: body,
        MessageGroupId: group,
        MessageDeduplicationId: deduplicationId,
        MessageAttributes: Object.fromEntries(
          Object.entries(attributes).map(([name, text]) => [name, { DataType: "String", StringValue: text }]),
        ),
      }),
    );
  }

  /** Receives up to ten messages. It waits up to `waitSeconds` for the first one. */
  async receive(options: {
    readonly max: number;
    readonly waitSeconds: number;
    readonly visibilityTimeoutSeconds: number;
    /** System attributes to receive in addition to the receive count. Default: `SentTimestamp`. */
    readonly systemAttributes?: readonly MessageSystemAttributeName[];
  }): Promise<readonly ReceivedMessage[]> {
    const { Messages = [] } = await sendCommand(this.#client, ReceiveMessageCommand, {
      QueueUrl: this.#url,
      MaxNumberOfMessages: options.max,
      WaitTimeSeconds: options.waitSeconds,
      VisibilityTimeout: options.visibilityTimeoutSeconds,
      // `SentTimestamp` tells the age of a message: the consumer replaces an old message before the queue deletes it.
      MessageSystemAttributeNames: ["ApproximateReceiveCount", ...(options.systemAttributes ?? ["SentTimestamp"])],
      MessageAttributeNames: ["All"],
    });
    return Messages.map(({ MessageId = "", ReceiptHandle = "", Body = "", Attributes, MessageAttributes = {} }) => ({
      id: MessageId,
      receiptHandle: ReceiptHandle,
      body: Body,
      receiveCount: Number(Attributes?.ApproximateReceiveCount),
      attributes: MessageAttributes,
      ...(Attributes?.SentTimestamp !== undefined && { sentAt: Number(Attributes.SentTimestamp) }),
      ...(options.systemAttributes && { systemAttributes: Attributes ?? {} }),
    }));
  }

  /**
   * Deletes received messages, at most ten.
   *
   * @returns The receipt handles that SQS refused. SQS delivers their messages again.
   */
  async deleteAll(receiptHandles: readonly string[]): Promise<readonly string[]> {
    const { Failed = [] } = await sendCommand(this.#client, DeleteMessageBatchCommand, {
      QueueUrl: this.#url,
      Entries: receiptHandles.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle })),
    });
    return Failed.flatMap(({ Id }) => receiptHandles[Number(Id)] ?? []);
  }

  /**
   * Makes a received message visible again after a time, which is rounded up to whole seconds.
   *
   * On a standard queue, SQS also makes the change after the visibility timeout of the receive. The change then hides or
   * exposes a message that another receiver may have. The caller must prevent this: it sends no request after that time,
   * and a signal ends a request that is under way then.
   * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
   *
   * @param signal Ends the request. No try of the request begins after the signal fires.
   */
  async changeVisibility(receiptHandle: string, milliseconds: number, signal?: AbortSignal): Promise<void> {
    await this.#client.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: this.#url,
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: toSeconds(milliseconds),
      }),
      // With options, the client does not use its cache of middleware.
      ...(signal === undefined ? [] : [{ abortSignal: signal }]),
    );
  }

  /**
   * Makes many received messages visible again, each after its own time. If SQS refuses the change, the message keeps
   * its timeout. As for `changeVisibility`, the caller must send no request after the visibility timeouts.
   */
  async changeVisibilities(
    changes: readonly { readonly receiptHandle: string; readonly milliseconds: number }[],
  ): Promise<void> {
    for (const some of batchesOf(changes, LARGEST_BATCH.entries)) {
      await sendCommand(this.#client, ChangeMessageVisibilityBatchCommand, {
        QueueUrl: this.#url,
        Entries: some.map(({ receiptHandle, milliseconds }, index) => ({
          Id: String(index),
          ReceiptHandle: receiptHandle,
          VisibilityTimeout: toSeconds(milliseconds),
        })),
      });
    }
  }

  /**
   * Reads how long the queue keeps messages, and after how many receives SQS moves a message to the dead-letter queue.
   */
  async policy(): Promise<QueuePolicy> {
    const { Attributes } = await sendCommand(this.#client, GetQueueAttributesCommand, {
      QueueUrl: this.#url,
      AttributeNames: ["MessageRetentionPeriod", "RedrivePolicy"],
    });
    const { MessageRetentionPeriod, RedrivePolicy } = Attributes ?? {};
    const { maxReceiveCount } = JSON.parse(RedrivePolicy || "{}") as { maxReceiveCount?: number | string };
    return {
      retentionSeconds: Number(MessageRetentionPeriod ?? 0),
      maxReceiveCount: maxReceiveCount === undefined ? undefined : Number(maxReceiveCount),
    };
  }

  /** Reads how many messages the queue has. */
  async depth(): Promise<QueueDepth> {
    const { Attributes } = await sendCommand(this.#client, GetQueueAttributesCommand, {
      QueueUrl: this.#url,
      AttributeNames: [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
      ],
    });
    return {
      visible: Number(Attributes?.ApproximateNumberOfMessages ?? 0),
      inFlight: Number(Attributes?.ApproximateNumberOfMessagesNotVisible ?? 0),
      delayed: Number(Attributes?.ApproximateNumberOfMessagesDelayed ?? 0),
    };
  }
}

const TRACE_HEADER = /^(x-amzn-trace-id|traceparent|tracestate|baggage)$/i;

const toSeconds = (milliseconds: number): number => Math.ceil(milliseconds / 1_000);

/** Splits messages into batches that respect the limits of one request. */
function toBatches(messages: readonly OutgoingMessage[]): readonly (readonly OutgoingMessage[])[] {
  const batches: OutgoingMessage[][] = [];
  let batch: OutgoingMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = messageBytes(message);
    if (batch.length === LARGEST_BATCH.entries || (batch.length > 0 && bytes + size > LARGEST_BATCH.bytes)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(message);
    bytes += size;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

/** The size of a message as SQS counts it: its body, and the names, types and values of its attributes. */
export function messageBytes({ body, attributes }: OutgoingMessage): number {
  let bytes = Buffer.byteLength(body);
  for (const [name, { DataType, StringValue, BinaryValue }] of Object.entries(attributes ?? {})) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(DataType ?? "");
    bytes += StringValue === undefined ? (BinaryValue?.byteLength ?? 0) : Buffer.byteLength(StringValue);
  }
  return bytes;
}
