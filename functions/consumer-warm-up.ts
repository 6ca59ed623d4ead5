import type { ReceivedMessage } from "../shared/aws/received-message.ts";
import { withoutEvents } from "../shared/base/events.ts";
import { Consumer } from "../shared/consumer/consumer.ts";
import type { FunctionEnvironment } from "../shared/definition/function-environment.ts";
import type { Workflow } from "../shared/definition/workflow.ts";
import type { Connection } from "../shared/ledger/connect.ts";
import { itemLedger } from "../shared/ledger/item-ledger.ts";
import { envelopeBody } from "../shared/messages/envelope.ts";
import { pageKey } from "../shared/messages/item-address.ts";
import { NO_METRICS, SILENT_LOGGER } from "./warm-up-sinks.ts";
import { WarmUpStore } from "./warm-up-store.ts";

/** In the first round V8 compiles the code, which takes most of the time. */
const ROUNDS = 3;

const MESSAGES = 10;

/** No real run has this name. */
const RUN = "warm-up";

/**
 * Processes a few messages whose task does nothing, so that V8 has compiled the consumer before the first invocation.
 * Otherwise the first invocation takes about 10 ms of CPU time for that. The workflow's own task does not run, no request
 * is sent, and no event and no metric is published. Never rejects.
 *
 * @param queues No request is sent to them: Lambda itself would delete the messages of these successes.
 */
export async function warmUpConsumer(
  workflow: Workflow,
  queues: Pick<Connection, "queue" | "deadLetterQueue" | "controlQueue">,
  { concurrency, tasksPerEnvironment }: Pick<FunctionEnvironment, "concurrency" | "tasksPerEnvironment">,
): Promise<void> {
  const store = new WarmUpStore();
  const ledger = itemLedger(store, Date.now, async () => {});
  const task = async () => undefined;
  await withoutEvents(async () => {
    // More items than there are messages, so the page is never complete, and the run never ends.
    const set = { size: 2 * MESSAGES, digest: RUN, epoch: 1 };
    await store.update(pageKey({ run: RUN, partition: 0, page: 0 }), { set });
    for (let round = 0; round < ROUNDS; round++) {
      const consumer = new Consumer({
        ...queues,
        ledger,
        runs: ledger.runs,
        workflow: { ...workflow, item: undefined, task },
        concurrency,
        tasksPerEnvironment,
        isolatedModule: "",
        memoryMb: workflow.memoryMb,
        now: Date.now,
        random: Math.random,
        logger: SILENT_LOGGER,
        taskLogger: () => SILENT_LOGGER,
        metrics: NO_METRICS,
      });
      await consumer.consume(messagesOf(workflow.name), Date.now() + workflow.timeoutMilliseconds);
    }
  }).catch(() => {});
}

function messagesOf(workflow: string): readonly ReceivedMessage[] {
  const header = { workflow, run: RUN, partition: 0, page: 0, epoch: 1, resent: false };
  return Array.from({ length: MESSAGES }, (_, index) => ({
    id: String(index),
    receiptHandle: String(index),
    body: envelopeBody(header, index, "{}"),
    receiveCount: 1,
    sentAt: Date.now(),
    attributes: {},
  }));
}
