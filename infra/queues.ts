import { Duration } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Queue, QueueEncryption, type QueueProps } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import type { QueueTopology, Topology } from "../shared/definition/topology.ts";

export interface QueuesProps {
  readonly topology: Topology;
  readonly encryptionKey: IKey | undefined;
}

/**
 * The queues of a workflow. They are encrypted and accept requests over TLS only. The dead-letter queues keep messages
 * for longer than the others.
 */
export class Queues extends Construct {
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  readonly controlQueue: Queue;
  readonly controlDeadLetterQueue: Queue;

  constructor(scope: Construct, id: string, { topology, encryptionKey }: QueuesProps) {
    super(scope, id);
    const common: QueueProps = {
      enforceSSL: true,
      ...(encryptionKey === undefined
        ? { encryption: QueueEncryption.SQS_MANAGED }
        : { encryption: QueueEncryption.KMS, encryptionMasterKey: encryptionKey }),
    };
    const retentionPeriod = Duration.seconds(topology.deadLetterQueue.retentionSeconds);
    const main = (deadLetters: Queue, queue: QueueTopology): QueueProps => ({
      ...common,
      visibilityTimeout: Duration.seconds(queue.visibilityTimeoutSeconds),
      retentionPeriod: Duration.seconds(queue.retentionSeconds),
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: queue.maxReceiveCount },
    });
    this.deadLetterQueue = new Queue(this, "DeadLetterQueue", { ...common, retentionPeriod });
    this.queue = new Queue(this, "Queue", main(this.deadLetterQueue, topology.queue));
    this.controlDeadLetterQueue = new Queue(this, "ControlDeadLetterQueue", { ...common, retentionPeriod, fifo: true });
    this.controlQueue = new Queue(this, "ControlQueue", {
      ...main(this.controlDeadLetterQueue, topology.controlQueue),
      fifo: true,
      // A schedule sends no deduplication id. If it sends a start message twice, both messages have the same body with
      // the same time, so SQS drops the second one.
      contentBasedDeduplication: true,
    });
  }
}
