import type { SQSEvent, SQSRecord } from "aws-lambda";
import type { QueueStore } from "../sqs/queue-store.ts";
import type { ReceivedMessage } from "../sqs/receive-messages.ts";
import type { InvocationOutcome } from "./execution-environment.ts";
import { MOST_TURNS, traceOfInvocation, turnsOf } from "./trace-header.ts";

export interface MappingOptions {
  readonly store: QueueStore;
  /** The queue's name. */
  readonly queue: string;
  readonly batchSize: number;
  readonly batchingWindowSeconds: number;
  /** How many invocations run at the same time at most. */
  readonly maximumConcurrency: number;
  /** @param trace The trace header of the invocation. Absent if loops are not detected. */
  readonly invoke: (event: SQSEvent, trace?: string) => Promise<InvocationOutcome>;
  /** How loops are detected. Default: they are not. */
  readonly loops?: LoopDetection | undefined;
  /**
   * How the number of invocations at the same time grows. Default: it is the maximum concurrency from the beginning, so
   * that a short run need not wait for AWS's slow start.
   */
  readonly ramp?: Ramp | undefined;
}

/**
 * Lambda detects that a function sends messages to its own queue, over any number of other functions and queues.
 * https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
 */
export interface LoopDetection {
  readonly functionName: string;
  /** What happens after `MOST_TURNS`: the function's setting `RecursiveLoop`. */
  readonly onLoop: "Allow" | "Terminate";
}

/** How a mapping scales up: it begins with some invocations at the same time, and adds more while messages are visible. */
export interface Ramp {
  readonly initial: number;
  readonly perMinute: number;
}

/**
 * How Lambda scales the mapping of a standard queue. When few messages arrive, it goes back to the beginning.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
 */
export const LAMBDA_RAMP: Ramp = { initial: 5, perMinute: 300 };

/**
 * The largest event of an invocation, in bytes. Lambda delivers the messages of a batch that are beyond it with another
 * invocation.
 * https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
 */
const LARGEST_EVENT_BYTES = 6 * 1_048_576;

/** How long one poll waits. A message ends the poll at once, so a long poll delays no message. */
const POLL_MILLISECONDS = 20_000;

/**
 * An event source mapping of a queue. It receives batches, invokes the function, and deletes the messages that succeeded,
 * with Lambda's semantics. Lambda's pollers scale up over minutes. This mapping does so if it has a `ramp`.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
export class EventSourceMapping {
  readonly #options: MappingOptions;
  readonly #stop = new AbortController();
  readonly #workers = new Set<Promise<void>>();
  readonly #initialWorkers: number;
  #scaling: NodeJS.Timeout | undefined;

  constructor(options: MappingOptions) {
    this.#options = options;
    const { maximumConcurrency, ramp } = options;
    this.#initialWorkers = Math.min(maximumConcurrency, ramp?.initial ?? maximumConcurrency);
    while (this.#workers.size < this.#initialWorkers) this.#startWorker();
    if (ramp !== undefined) this.#scaling = setInterval(() => this.#scaleUp(), 60_000 / ramp.perMinute);
  }

  /** Receives no more batches. Resolves when the invocations under way have ended. */
  async stop(): Promise<void> {
    clearInterval(this.#scaling);
    this.#stop.abort();
    await Promise.all(this.#workers);
  }

  #scaleUp(): void {
    const { store, queue, maximumConcurrency } = this.#options;
    if (this.#workers.size < maximumConcurrency && store.counts(queue).visible > 0) this.#startWorker();
  }

  #startWorker(): void {
    const worker = this.#work().finally(() => this.#workers.delete(worker));
    this.#workers.add(worker);
  }

  async #work(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const batch = await this.#receiveBatch();
      for (const part of eventsOf(batch)) await this.#process(part);
      if (batch.length === 0 && this.#workers.size > this.#initialWorkers) return;
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
    const { store, queue } = this.#options;
    const outcome = await this.#invoke(batch);
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

  async #invoke(batch: readonly ReceivedMessage[]): Promise<InvocationOutcome> {
    const { queue, invoke, loops } = this.#options;
    const event = { Records: batch.map((message) => toRecord(queue, message)) };
    if (loops === undefined) return await invoke(event);
    const { functionName, onLoop } = loops;
    const headers = batch.map(({ systemAttributes }) => systemAttributes.AWSTraceHeader);
    const [longest] = headers.toSorted((a, b) => turnsOf(b, functionName) - turnsOf(a, functionName));
    if (onLoop === "Terminate" && turnsOf(longest, functionName) >= MOST_TURNS) {
      return { tag: "threw", error: `Lambda stopped a loop of the function ${functionName} after ${MOST_TURNS} turns` };
    }
    return await invoke(event, traceOfInvocation(longest, functionName));
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

/** Divides a batch into the batches of its events, each small enough for one invocation. */
function eventsOf(batch: readonly ReceivedMessage[]): readonly (readonly ReceivedMessage[])[] {
  // A character has at most six bytes in JSON, so most batches need no closer look.
  const characters = batch.reduce((sum, { body }) => sum + body.length, 0);
  if (6 * characters <= LARGEST_EVENT_BYTES) return batch.length === 0 ? [] : [batch];
  const events: ReceivedMessage[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const message of batch) {
    // Other fields of a record are small. Escaped characters make the JSON of a body larger than the body.
    const size = Buffer.byteLength(JSON.stringify(message.body));
    if (bytes + size > LARGEST_EVENT_BYTES) {
      events.push([]);
      bytes = 0;
    }
    events.at(-1)?.push(message);
    bytes += size;
  }
  return events;
}

/** Converts a message to a record of a Lambda event. */
function toRecord(queue: string, message: ReceivedMessage): SQSRecord {
  return {
    messageId: message.messageId,
    receiptHandle: message.receiptHandle,
    body: message.body,
    attributes: message.systemAttributes as unknown as SQSRecord["attributes"],
    messageAttributes: message.attributes,
    md5OfBody: message.md5OfBody,
    eventSource: "aws:sqs",
    eventSourceARN: `arn:aws:sqs:us-east-1:000000000000:${queue}`,
    awsRegion: "us-east-1",
  };
}
