import type { SQSEvent, SQSRecord } from "aws-lambda";
import type { QueueStore } from "../sqs/queue-store.ts";
import type { ReceivedMessage } from "../sqs/receive-messages.ts";
import type { InvocationOutcome } from "./execution-environment.ts";

export interface MappingOptions {
  readonly store: QueueStore;
  /** The queue's name. */
  readonly queue: string;
  readonly batchSize: number;
  readonly batchingWindowSeconds: number;
  /** How many invocations run at the same time at most. */
  readonly maximumConcurrency: number;
  readonly invoke: (event: SQSEvent) => Promise<InvocationOutcome>;
}

/** How long one poll waits. A message ends the poll at once, so a long poll delays no message. */
const POLL_MILLISECONDS = 20_000;

/**
 * An event source mapping of a queue. It receives batches, invokes the function, and deletes the messages that succeeded,
 * with Lambda's semantics. Lambda's pollers scale up over minutes. This mapping uses its maximum concurrency at once.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
export class EventSourceMapping {
  readonly #options: MappingOptions;
  readonly #stop = new AbortController();
  readonly #workers: Promise<void>[];

  constructor(options: MappingOptions) {
    this.#options = options;
    this.#workers = Array.from({ length: options.maximumConcurrency }, () => this.#work());
  }

  /** Receives no more batches. Resolves when the invocations under way have ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#workers);
  }

  async #work(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const batch = await this.#receiveBatch();
      if (batch.length > 0) await this.#process(batch);
    }
  }

  async #receiveBatch(): Promise<readonly ReceivedMessage[]> {
    const { store, queue, batchSize, batchingWindowSeconds } = this.#options;
    const { signal } = this.#stop;
    const receive = (max: number, timeoutMs: number) => store.receiveOrWait({ queue, max }, { timeoutMs, signal });
    const batch = await receive(batchSize, POLL_MILLISECONDS);
    const windowEnd = Date.now() + batchingWindowSeconds * 1_000;
    while (batch.length > 0 && batch.length < batchSize && !signal.aborted) {
      const timeoutMs = windowEnd - Date.now();
      if (timeoutMs <= 0) break;
      batch.push(...(await receive(batchSize - batch.length, timeoutMs)));
    }
    return batch;
  }

  async #process(batch: readonly ReceivedMessage[]): Promise<void> {
    const { store, queue, invoke } = this.#options;
    const outcome = await invoke({ Records: batch.map((message) => toRecord(queue, message)) });
    // Failed messages become visible again when their visibility timeout is over.
    const failed = failedMessages(
      outcome,
      batch.map(({ messageId }) => messageId),
    );
    const done = batch.filter(({ messageId }) => !failed.has(messageId));
    store.deleteMessages(
      queue,
      done.map(({ receiptHandle }) => receiptHandle),
    );
  }
}

/**
 * Returns the ids of the messages of a batch that failed, by the rules of partial batch responses. A response that is
 * empty or lists nothing is a full success. A response that is malformed, or that names a message of another batch, is a
 * full failure.
 */
export function failedMessages(outcome: InvocationOutcome, batch: readonly string[]): ReadonlySet<string> {
  const all = new Set(batch);
  if (outcome.tag !== "returned") return all;
  const { result } = outcome;
  if (result === null || result === undefined) return new Set();
  if (typeof result !== "object") return all;
  const failures = "batchItemFailures" in result ? result.batchItemFailures : undefined;
  if (failures === undefined || failures === null) return new Set();
  if (!Array.isArray(failures)) return all;
  const failed = new Set<string>();
  for (const failure of failures) {
    const id: unknown = failure?.itemIdentifier;
    if (typeof id !== "string" || !all.has(id)) return all;
    failed.add(id);
  }
  return failed;
}

/** Converts a message to a record of a Lambda event. */
function toRecord(queue: string, message: ReceivedMessage): SQSRecord {
  return {
    messageId: message.messageId,
    receiptHandle: message.receiptHandle,
    body: message.body,
    attributes: message.systemAttributes as unknown as SQSRecord["attributes"],
    messageAttributes: message.attributes ?? {},
    md5OfBody: message.md5OfBody,
    eventSource: "aws:sqs",
    eventSourceARN: `arn:aws:sqs:us-east-1:000000000000:${queue}`,
    awsRegion: "us-east-1",
  };
}
