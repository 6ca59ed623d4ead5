import type { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ReceivedMessage } from "../../shared/aws/received-message.ts";
import { Consumer, type ConsumerOptions } from "../../shared/consumer/consumer.ts";
import type { Tolerance } from "../../shared/definition/tolerance.ts";
import { defineWorkflow, type WorkflowOptions } from "../../shared/index.ts";
import { Ledger } from "../../shared/ledger/ledger.ts";
import { type DeadLetterEnvelope, envelopeBody, parseEnvelope } from "../../shared/messages/envelope.ts";
import { spawnSucceeding } from "./fake-isolated-process.ts";
import { FakeSqs } from "./fake-sqs.ts";
import { FaultyStore } from "./faulty-store.ts";
import { RecordingMetrics, recordingLogger } from "./recording-metrics.ts";
import { workflowOptions } from "./workflow-options.ts";

const QUEUE = "https://sqs/queue";
const DEAD_LETTERS = "https://sqs/dead-letters";
export const CONTROL = "https://sqs/control";
export const RUN = "run-1";

/** The module for the processes of isolated attempts: each attempt succeeds. */
export const ISOLATED_MODULE = fileURLToPath(new URL("./isolated-success.ts", import.meta.url));

/** A consumer in memory, of a run with one page that has been sent. */
export class ConsumerWorld {
  readonly store = new FaultyStore();
  readonly sqs = new FakeSqs();
  readonly ledger = new Ledger(this.store);
  readonly runs = this.ledger.runs;
  readonly metrics = new RecordingMetrics();
  readonly logger = recordingLogger();
  readonly #items: readonly unknown[];

  private constructor(items: readonly unknown[]) {
    this.#items = items;
  }

  /** @param contents The digests that the run's page had, one after the other, before its checkpoint. */
  static async of(items: readonly unknown[], tolerance?: Tolerance, contents = ["d"]): Promise<ConsumerWorld> {
    const world = new ConsumerWorld(items);
    const requestedAt = "2026-01-01T00:00:00.000Z";
    const run = await world.runs.create({ id: RUN, workflow: "test", requestedAt, tolerance });
    for (const digest of contents)
      await world.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, { size: items.length, digest });
    await world.runs.progress.checkpoint(run, {
      cursor: undefined,
      skip: 0,
      pages: 1,
      items: items.length,
      ended: true,
    });
    world.store.updates.length = 0;
    world.store.reads = 0;
    return world;
  }

  /** The message of an item. Its id is the item's index. */
  message(index: number, changes: Partial<ReceivedMessage> & { readonly epoch?: number } = {}): ReceivedMessage {
    const { epoch = 1, ...rest } = changes;
    const header = { workflow: "test", run: RUN, partition: 0, page: 0, epoch, resent: false };
    return this.raw(envelopeBody(header, index, JSON.stringify(this.#items[index])), { id: String(index), ...rest });
  }

  raw(body: string, changes: Partial<ReceivedMessage> = {}): ReceivedMessage {
    const id = changes.id ?? "raw";
    return { id, receiptHandle: `handle-${id}`, body, receiveCount: 1, attributes: {}, ...changes };
  }

  /** The messages of all items. */
  messages(changes: Partial<ReceivedMessage> = {}): ReceivedMessage[] {
    return this.#items.map((_, index) => this.message(index, changes));
  }

  consumer(workflow: Partial<WorkflowOptions>, options: Partial<ConsumerOptions> = {}): Consumer {
    return new Consumer({
      workflow: defineWorkflow(workflowOptions(workflow)),
      ledger: this.ledger,
      runs: this.runs,
      controlQueue: this.sqs.queue(CONTROL),
      isolatedModule: ISOLATED_MODULE,
      spawnProcess: spawnSucceeding as unknown as typeof spawn,
      memoryMb: 256,
      queue: this.sqs.queue(QUEUE),
      deadLetterQueue: this.sqs.queue(DEAD_LETTERS),
      concurrency: 20,
      tasksPerEnvironment: 10,
      logger: this.logger,
      metrics: this.metrics,
      taskLogger: () => this.logger,
      now: Date.now,
      random: () => 0.5,
      ...options,
    });
  }

  /** One invocation. Returns the ids of the messages that must come again. */
  async consume(
    workflow: Partial<WorkflowOptions>,
    messages: readonly ReceivedMessage[] = this.messages(),
    options: Partial<ConsumerOptions> = {},
  ): Promise<readonly string[]> {
    return await this.consumer(workflow, options).consume(messages, Date.now() + 600_000);
  }

  get deadLetters(): DeadLetterEnvelope[] {
    return this.sqs.sentTo(DEAD_LETTERS).map(({ body }) => parseEnvelope(body) as DeadLetterEnvelope);
  }

  /** The messages that were sent to the queue in place of others. */
  get replacements() {
    return this.sqs.sentTo(QUEUE);
  }

  get rawDeadLetters() {
    return this.sqs.sentTo(DEAD_LETTERS);
  }

  /** The run's counts in the ledger. */
  async counts() {
    return await this.runs.counts(await this.runs.get(RUN));
  }

  async status() {
    return (await this.runs.get(RUN)).status;
  }
}
