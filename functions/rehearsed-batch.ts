import { Consumer } from "../shared/consumer/consumer.ts";
import type { ReceivedMessage } from "../shared/consumer/message.ts";
import { envelopeBody } from "../shared/messages/envelope.ts";
import { unobserved } from "../shared/observation.ts";
import type { Workflow } from "../shared/workflow.ts";
import { standIns } from "./stand-ins.ts";

const ROUNDS = 2;
const MESSAGES = 10;
const SECONDS = 60;

/**
 * Works through batches of a run that there is not, with tasks that do nothing, while an environment starts: so the code
 * that the first invocation needs is loaded and compiled by then. No message is received, and nobody is told.
 */
export async function rehearseBatch(workflow: Workflow): Promise<void> {
  await unobserved(async () => {
    for (let round = 0; round < ROUNDS; round++)
      await rehearsedConsumer(workflow).consume(messages(workflow), deadline());
  });
}

const deadline = () => Date.now() + 1_000 * SECONDS;

function rehearsedConsumer({ item: _, ...workflow }: Workflow): Consumer {
  const services = standIns();
  return new Consumer({
    ...services,
    workflow: { ...workflow, item: undefined, task: async () => {} },
    concurrency: MESSAGES,
    tasksPerEnvironment: MESSAGES,
    refill: { until: deadline(), waitingMilliseconds: 1_000 * SECONDS, visibilityTimeoutSeconds: SECONDS },
    isolatedModule: "",
    memoryMb: 0,
    taskLogger: () => services.logger,
  });
}

function messages({ name }: Workflow): readonly ReceivedMessage[] {
  const header = { workflow: name, run: "rehearsal", page: 0, epoch: 1, resent: false };
  return Array.from({ length: MESSAGES }, (_, index) => ({
    id: String(index),
    receiptHandle: String(index),
    body: envelopeBody(header, index, "{}"),
    receiveCount: 1,
    sentAt: Date.now(),
    attributes: {},
  }));
}
