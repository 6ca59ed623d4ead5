import type { Topology } from "../shared/definition/topology.ts";
import { queueArn } from "./sqs/queue-registry.ts";
import type { QueueStore } from "./sqs/queue-store.ts";

/** The names of a workflow's queues. */
export interface QueueNames {
  readonly queue: string;
  readonly deadLetterQueue: string;
  readonly controlQueue: string;
  readonly controlDeadLetterQueue: string;
}

export const queueNames = (workflow: string): QueueNames => ({
  queue: `${workflow}-queue`,
  deadLetterQueue: `${workflow}-dlq`,
  controlQueue: `${workflow}-control.fifo`,
  controlDeadLetterQueue: `${workflow}-control-dlq.fifo`,
});

/** Creates the queues of a workflow. Queues that exist get the attributes of the present topology. */
export function createQueues(store: QueueStore, names: QueueNames, topology: Topology): void {
  const ensure = (name: string, fixed: Record<string, string>, attributes: Record<string, string>) => {
    if (!store.hasQueue(name)) store.createQueue(name, fixed);
    store.setAttributes(name, attributes);
  };
  const retention = (seconds: number) => ({ MessageRetentionPeriod: String(seconds) });
  const redrive = (deadLetterQueue: string, maxReceiveCount: number) => ({
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: queueArn(deadLetterQueue), maxReceiveCount }),
  });
  const { queue, controlQueue, deadLetterQueue } = topology;
  ensure(names.deadLetterQueue, {}, retention(deadLetterQueue.retentionSeconds));
  ensure(names.controlDeadLetterQueue, { FifoQueue: "true" }, retention(deadLetterQueue.retentionSeconds));
  ensure(
    names.queue,
    {},
    {
      VisibilityTimeout: String(queue.visibilityTimeoutSeconds),
      ...retention(queue.retentionSeconds),
      ...redrive(names.deadLetterQueue, queue.maxReceiveCount),
    },
  );
  ensure(
    names.controlQueue,
    { FifoQueue: "true" },
    {
      // The deployed queue has this setting too: a schedule of EventBridge cannot give its messages a deduplication id.
      ContentBasedDeduplication: "true",
      VisibilityTimeout: String(controlQueue.visibilityTimeoutSeconds),
      ...retention(controlQueue.retentionSeconds),
      ...redrive(names.controlDeadLetterQueue, controlQueue.maxReceiveCount),
    },
  );
}
