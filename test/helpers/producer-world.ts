import type { ControlEntry } from "../../shared/aws/queue.ts";
import { defineWorkflow, type WorkflowOptions } from "../../shared/index.ts";
import { announceOn } from "../../shared/ledger/announce.ts";
import { Ledger } from "../../shared/ledger/ledger.ts";
import {
  type ContinueMessage,
  completeEntry,
  continueEntry,
  parseControlMessage,
  startEntry,
} from "../../shared/messages/control.ts";
import { type DeadLetterEnvelope, type Envelope, parseEnvelope } from "../../shared/messages/envelope.ts";
import type { ProducerOptions } from "../../shared/producer/context.ts";
import { Producer } from "../../shared/producer/producer.ts";
import type { SliceTime } from "../../shared/producer/slice-time.ts";
import { FakeSqs } from "./fake-sqs.ts";
import { FaultyStore } from "./faulty-store.ts";
import { RecordingMetrics, recordingLogger } from "./recording-metrics.ts";
import { workflowOptions } from "./workflow-options.ts";

const QUEUE = "https://sqs/queue";
const DEAD_LETTERS = "https://sqs/dead-letters";
export const CONTROL = "https://sqs/control";
export const CONTROL_DEAD_LETTERS = "https://sqs/control-dead-letters";
export const RUN = "run-1";
export const REQUESTED_AT = "2026-01-01T00:00:00.000Z";

/** A producer with all its surroundings in memory. Its clock stands still, one second after the run was requested. */
export class ProducerWorld {
  readonly store = new FaultyStore();
  readonly sqs = new FakeSqs();
  /** Whether the ends of runs, and compactions that are needed, are announced on the control queue. */
  announces = false;
  readonly ledger = new Ledger(this.store, Date.now, async (announcement) => {
    if (this.announces) await announceOn(this.sqs.queue(CONTROL))(announcement);
  });
  readonly runs = this.ledger.runs;
  readonly metrics = new RecordingMetrics();
  readonly logger = recordingLogger();
  now = Date.parse(REQUESTED_AT) + 1_000;
  readonly #workflow: Partial<WorkflowOptions>;
  readonly #options: Partial<ProducerOptions>;

  constructor(workflow: Partial<WorkflowOptions>, options: Partial<ProducerOptions> = {}) {
    this.#workflow = workflow;
    this.#options = options;
  }

  #producer(): Producer {
    return new Producer({
      workflow: defineWorkflow(workflowOptions(this.#workflow)),
      maxBacklog: 10_000,
      runs: this.runs,
      ledger: this.ledger,
      queue: this.sqs.queue(QUEUE),
      controlQueue: this.sqs.queue(CONTROL),
      deadLetterQueue: this.sqs.queue(DEAD_LETTERS),
      controlDeadLetterQueue: this.sqs.queue(CONTROL_DEAD_LETTERS),
      logger: this.logger,
      metrics: this.metrics,
      now: () => this.now,
      random: () => 0.5,
      ...this.#options,
    });
  }

  async handle(
    message: Pick<ControlEntry, "body" | "group"> & { readonly sentAt?: number },
    receiveCount = 1,
    time: Partial<SliceTime> = {},
  ) {
    const { body, group, sentAt = this.now } = message;
    const sliceEnd = Number.POSITIVE_INFINITY;
    return await this.#producer().handle(
      { id: "message", body, group, receiveCount, sentAt },
      { sliceEnd, signal: new AbortController().signal, lost: new AbortController().signal, ...time },
    );
  }

  /** Handles a start by hand, which sends the first page. */
  async startWithPage(limit?: number) {
    return await this.handle(this.#start(limit));
  }

  /** Handles a start by hand that was received before: it leaves the first page to the continuation. */
  async start(limit?: number) {
    return await this.handle(this.#start(limit), 2);
  }

  #start(limit?: number): ControlEntry {
    return startEntry({ workflow: "test", run: RUN, requestedAt: REQUESTED_AT, ...(limit !== undefined && { limit }) });
  }

  /** Handles a start by the schedule. */
  async startScheduled(run: string, receiveCount = 1, requestedAt = REQUESTED_AT) {
    const start = startEntry({ workflow: "test", run, requestedAt, scheduled: true });
    return await this.handle(start, receiveCount);
  }

  async complete(time: Partial<SliceTime> = {}) {
    return await this.handle(completeEntry({ workflow: "test", run: RUN }), 1, time);
  }

  async continue(hop = 1, receiveCount = 1, time: Partial<SliceTime> = {}) {
    return await this.handle(continueEntry({ workflow: "test", run: RUN, hop }), receiveCount, time);
  }

  /** The numbers of the continuations that were sent. */
  get hops(): number[] {
    return this.sqs.control.map(({ body }) => (parseControlMessage(body) as ContinueMessage).hop);
  }

  get messages(): Envelope[] {
    return this.sqs.sentTo(QUEUE).map(({ body }) => parseEnvelope(body));
  }

  get items(): unknown[] {
    return this.messages.map(({ item }) => item);
  }

  get deadLetters(): DeadLetterEnvelope[] {
    return this.sqs.sentTo(DEAD_LETTERS).map(({ body }) => parseEnvelope(body) as DeadLetterEnvelope);
  }

  async run() {
    return await this.runs.get(RUN);
  }
}
