import type { Failure, Reason } from "../../shared/base/failure.ts";
import { DeadLettering } from "../../shared/consumer/outcomes/dead-lettering.ts";
import { Ledger } from "../../shared/ledger/ledger.ts";
import type { Counts } from "../../shared/ledger/run-record.ts";
import { type Envelope, envelopeBody, parseEnvelope } from "../../shared/messages/envelope.ts";
import { addressOf } from "../../shared/messages/item-address.ts";
import { failureOf } from "./failures.ts";
import { type FakeMessage, FakeQueues } from "./fake-queues.ts";
import { MemoryStore } from "./memory-store.ts";

export const WORKFLOW = "cities";
export const QUEUE = "queue";
export const DLQ = "dlq";

/** A run of one page whose items died, or were moved by SQS, and what a person does about them. */
export class DeadLettersWorld {
  readonly queues = new FakeQueues();
  readonly store = new MemoryStore();
  readonly announced: string[] = [];
  readonly ledger = new Ledger(
    this.store,
    () => this.queues.now,
    async ({ run }) => void this.announced.push(run),
  );
  readonly runs = this.ledger.runs;
  readonly queue = this.queues.queue(QUEUE);
  readonly deadLetterQueue = this.queues.queue(DLQ);

  /** What the functions of the library are called with. */
  get options() {
    const { deadLetterQueue, queue, ledger, runs } = this;
    const clock = { now: () => this.queues.now, exactCounts: true } as const;
    return { workflow: WORKFLOW, deadLetterQueue, queue, ledger, runs, ...clock } as const;
  }

  get deadLetters(): readonly FakeMessage[] {
    return this.queues.of(DLQ);
  }

  get messages(): readonly FakeMessage[] {
    return this.queues.of(QUEUE);
  }

  /** A run whose source has ended, with so many items. */
  async produce(size: number, run = "run"): Promise<void> {
    const record = await this.runs.create({ id: run, workflow: WORKFLOW, requestedAt: "2026-11-25T07:00:00.000Z" });
    await this.ledger.pages.open({ run: run, partition: 0, page: 0 }, { size, digest: "first" });
    const { count: _, ...before } = record.checkpoint;
    await this.runs.progress.checkpoint(record, { ...before, cursor: 1, pages: 1, items: size, ended: true });
  }

  envelope(index: number, item: unknown = { index }, run = "run"): Envelope {
    const header = { workflow: WORKFLOW, run, partition: 0, page: 0, epoch: 1, resent: false };
    return parseEnvelope(envelopeBody(header, index, JSON.stringify(item)));
  }

  /** Moves an item to the dead-letter queue, as a consumer does. */
  async die(envelope: Envelope, reason: Reason = "exhausted", thrown: unknown = new TypeError("no route to host")) {
    const failures: Failure[] = [failureOf(thrown, 1)];
    await this.#deadLettering.moveItem(envelope, reason, { failures }, 0);
  }

  async succeed(envelope: Envelope): Promise<void> {
    const item = addressOf(envelope);
    await this.ledger.outcomes.recordSuccesses({ ...item, items: [{ ...item, failures: 0 }] });
  }

  /** Processes the queue as a consumer does. A message without an envelope is foreign, and is dead-lettered as it is. */
  async work(succeeds: (envelope: Envelope) => boolean): Promise<void> {
    for (;;) {
      const received = await this.queue.receive({ max: 10, waitSeconds: 0, visibilityTimeoutSeconds: 30 });
      if (received.length === 0) return;
      for (const message of received) {
        let envelope: Envelope | undefined;
        try {
          envelope = parseEnvelope(message.body);
        } catch (error) {
          await this.#deadLettering.moveForeign(message, error as Error);
        }
        if (envelope !== undefined) await this.#attempt(envelope, succeeds);
        await this.queue.deleteAll([message.receiptHandle]);
      }
    }
  }

  get #deadLettering(): DeadLettering {
    const { ledger, deadLetterQueue } = this;
    return new DeadLettering({ ledger, deadLetterQueue, now: () => this.queues.now });
  }

  async #attempt(envelope: Envelope, succeeds: (envelope: Envelope) => boolean): Promise<void> {
    const [state] = await this.ledger.itemStates([addressOf(envelope)]);
    if (state?.tag !== "pending") return;
    if (succeeds(envelope)) await this.succeed(envelope);
    else await this.die(envelope);
  }

  async counts(run = "run"): Promise<Counts> {
    return await this.runs.counts(await this.runs.get(run));
  }
}
