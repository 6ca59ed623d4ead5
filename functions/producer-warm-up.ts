import type { Queue } from "../shared/aws/queue.ts";
import type { Workflow } from "../shared/definition/workflow.ts";
import { Ledger } from "../shared/ledger/ledger.ts";
import { startEntry } from "../shared/messages/control.ts";
import { handleControlBatch } from "../shared/producer/control-batch.ts";
import { Producer } from "../shared/producer/producer.ts";
import type { Source } from "../shared/sources/source.ts";
import { NO_METRICS, SILENT_LOGGER } from "./warm-up-sinks.ts";
import { WarmUpStore } from "./warm-up-store.ts";

/** In the first round V8 compiles the code, which takes most of the time. */
const ROUNDS = 3;

/** One page. */
const SOURCE: Source = {
  async *pages() {
    yield { items: Array.from({ length: 50 }, (_, index) => ({ index })) };
  },
};

/** Accepts every message, and is always empty. The requests themselves are warmed up by `warmUpCode`. */
const QUEUE = {
  sendAll: async () => {},
  sendEach: async () => new Map(),
  sendControl: async () => {},
  changeVisibility: async () => {},
  depth: async () => ({ visible: 0, inFlight: 0, delayed: 0 }),
} satisfies Partial<Queue> as unknown as Queue;

/**
 * Starts a few runs of one page, so that V8 has compiled the producer before the first invocation. Otherwise the first
 * invocation takes some milliseconds of CPU time for that. The workflow's own source is not read, no request is sent, and nothing
 * is published. Never rejects.
 */
export async function warmUpProducer(workflow: Workflow): Promise<void> {
  const ledger = new Ledger(new WarmUpStore(), Date.now, async () => {});
  const producer = new Producer({
    workflow: { ...workflow, source: SOURCE, results: undefined, onComplete: undefined },
    ledger,
    runs: ledger.runs,
    queue: QUEUE,
    controlQueue: QUEUE,
    deadLetterQueue: QUEUE,
    controlDeadLetterQueue: QUEUE,
    maxBacklog: Number.POSITIVE_INFINITY,
    now: Date.now,
    random: Math.random,
    logger: SILENT_LOGGER,
    metrics: NO_METRICS,
  });
  try {
    for (let round = 0; round < ROUNDS; round++) await startRun(`warm-up-${round}`, workflow.name, producer);
  } catch {
    // The first invocation is slower, and nothing else.
  }
}

async function startRun(run: string, workflow: string, producer: Producer): Promise<void> {
  const { body, group } = startEntry({ run, workflow, requestedAt: new Date().toISOString() });
  await handleControlBatch([{ id: run, receiptHandle: run, body, group, receiveCount: 1, sentAt: Date.now() }], {
    producer,
    controlQueue: QUEUE,
    logger: SILENT_LOGGER,
    visibilitySeconds: 30,
    sliceEnd: Number.POSITIVE_INFINITY,
    signal: new AbortController().signal,
  });
}
