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
import { SluiceError } from "../base/errors.ts";
import { ask } from "./fast-path.ts";
import { LARGEST_BATCH } from "./quotas.ts";
import type { ReceivedMessage } from "./received-message.ts";

/** A message for the FIFO control queue, with its group and its de-duplication id. */
export interface ControlEntry {
  readonly body: string;
  readonly group: string;
  readonly deduplicationId: string;
}

/** Batches under way at once; a client needs as many sockets. */
export const PARALLEL_SENDS = 20;

/** Batches that leave alone, so that consumers begin: one for each environment that a workflow has at least. */
const LEADING_SENDS = 2;

/** Rounds in which the failed entries of a batch are sent again, beside the SDK's own retries of a whole request. */
const SEND_ROUNDS = 5;
/** Before the second round; it doubles with each. */
const SEND_PAUSE_MILLISECONDS = 50;

export interface OutgoingMessage {
  readonly body: string;
  readonly attributes?: Readonly<Record<string, MessageAttributeValue>>;
  /** How long it stays hidden at first, up to `LONGEST_DELAY_SECONDS`. Default: what the queue says. */
  readonly delaySeconds?: number;
}

/** A queue's messages: sent, waiting to be received, received, delayed. Approximate on AWS. */
export interface QueueDepth {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

export interface QueuePolicy {
  /** How long a message lies in it before SQS deletes it. */
  readonly retentionSeconds: number;
  /** After so many receives SQS moves a message on to another queue; `undefined` where it never does. */
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
   * Sends all of the messages, ten a request and several requests at once. Entries that SQS refused are sent again.
   *
   * @throws {SluiceError} `SEND_FAILED`: some were refused each time. Those before may have been sent.
   */
  async sendAll(messages: readonly OutgoingMessage[]): Promise<void> {
    this.#throwIfRefused(await this.sendEach(messages));
  }

  /**
   * Sends a message as the first of its own story: without the trace of the invocation that sends it.
   *
   * A message that takes the place of another goes to the queue from which its consumer got that one, so Lambda would
   * take the two for a loop and drop the item's message after 16 replacements. This loop is intended, and it ends, as
   * waits are bounded. All other loops are still found.
   * https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
   *
   * @throws {SluiceError} `SEND_FAILED`: it was refused each time.
   */
  async sendUntraced(message: OutgoingMessage): Promise<void> {
    const refused = await this.#sendBatch([message], async (input) => {
      const command = new SendMessageBatchCommand(input);
      // Behind the middleware that adds the trace.
      command.middlewareStack.add(
        (next) => (args) => {
          const { headers } = args.request as { readonly headers: Record<string, string> };
          for (const name of Object.keys(headers)) if (TRACE_HEADER.test(name)) delete headers[name];
          return next(args);
        },
        { step: "finalizeRequest", name: "withoutTrace" },
      );
      // Options of a request's own keep the client from its cache of middleware, which would be without this one.
      return await this.#client.send(command, {});
    });
    this.#throwIfRefused(new Map(refused));
  }

  #throwIfRefused(refused: ReadonlyMap<OutgoingMessage, string>): void {
    if (refused.size === 0) return;
    throw new SluiceError(
      "SEND_FAILED",
      `${refused.size} messages were refused ${SEND_ROUNDS} times: ${[...refused.values()].at(-1)}`,
      { ids: { queue: this.#url } },
    );
  }

  /**
   * The same, for who can go on without some of them.
   *
   * @returns the messages that SQS refused each time, with the last reason; all others are sent.
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
    // Prepared together, requests leave when the last of them is signed: the first ones are on their way by then. The
    // others do leave together, as each that left alone would wake the other side for itself.
    while (senders.length < parallel) {
      senders.push(sender());
      if (senders.length <= LEADING_SENDS) await Promise.race([Promise.allSettled(senders), nextTurn()]);
    }
    // Of one that fails nothing is left under way: it would go on at any later time, and nobody would know.
    await Promise.allSettled(senders);
    await Promise.all(senders);
    return refused;
  }

  async #sendBatch(
    messages: readonly OutgoingMessage[],
    send = (input: SendMessageBatchCommandInput) => ask(this.#client, SendMessageBatchCommand, input),
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

  /** Sends a message of a FIFO control queue, with attributes of type String. */
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

  /** Receives up to ten messages, waiting for the first. */
  async receive(options: {
    readonly max: number;
    readonly waitSeconds: number;
    readonly visibilityTimeoutSeconds: number;
    /** System attributes that are wanted beside the receive count. */
    readonly systemAttributes?: readonly MessageSystemAttributeName[];
  }): Promise<readonly ReceivedMessage[]> {
    const { Messages = [] } = await ask(this.#client, ReceiveMessageCommand, {
      QueueUrl: this.#url,
      MaxNumberOfMessages: options.max,
      WaitTimeSeconds: options.waitSeconds,
      VisibilityTimeout: options.visibilityTimeoutSeconds,
      // A message that has lain in the queue for long is replaced before the queue deletes it.
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
   * @returns the receipt handles that SQS refused: their messages come again.
   */
  async deleteAll(receiptHandles: readonly string[]): Promise<readonly string[]> {
    const { Failed = [] } = await ask(this.#client, DeleteMessageBatchCommand, {
      QueueUrl: this.#url,
      Entries: receiptHandles.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle })),
    });
    return Failed.flatMap(({ Id }) => receiptHandles[Number(Id)] ?? []);
  }

  /** Makes a received message visible again after a while, in whole seconds (rounded up). */
  async changeVisibility(receiptHandle: string, milliseconds: number): Promise<void> {
    await this.#client.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: this.#url,
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: toSeconds(milliseconds),
      }),
    );
  }

  /** The same for many. Those that SQS refuses keep the timeout they have. */
  async changeVisibilities(
    changes: readonly { readonly receiptHandle: string; readonly milliseconds: number }[],
  ): Promise<void> {
    for (let start = 0; start < changes.length; start += LARGEST_BATCH.entries) {
      await ask(this.#client, ChangeMessageVisibilityBatchCommand, {
        QueueUrl: this.#url,
        Entries: changes.slice(start, start + LARGEST_BATCH.entries).map(({ receiptHandle, milliseconds }, index) => ({
          Id: String(index),
          ReceiptHandle: receiptHandle,
          VisibilityTimeout: toSeconds(milliseconds),
        })),
      });
    }
  }

  /** What the queue does with messages that lie in it, or are received too often. */
  async policy(): Promise<QueuePolicy> {
    const { Attributes } = await ask(this.#client, GetQueueAttributesCommand, {
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

  async depth(): Promise<QueueDepth> {
    const { Attributes } = await ask(this.#client, GetQueueAttributesCommand, {
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

/** Batches of at most ten messages, and of no more bytes than a request may have. */
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

/** What SQS counts of a message: its body, and the names, types and values of its attributes. */
export function messageBytes({ body, attributes }: OutgoingMessage): number {
  let bytes = Buffer.byteLength(body);
  for (const [name, { DataType, StringValue, BinaryValue }] of Object.entries(attributes ?? {})) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(DataType ?? "");
    bytes += StringValue === undefined ? (BinaryValue?.byteLength ?? 0) : Buffer.byteLength(StringValue);
  }
  return bytes;
}
