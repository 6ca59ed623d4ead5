import { Duration } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Queue, QueueEncryption, type QueueProps } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import type { QueueTopology, Topology } from "../shared/definition/topology.ts";

export interface QueuesProps {
  readonly topology: Topology;
  readonly encryptionKey: IKey | undefined;
}

/** A workflow's queues: encrypted, reached over TLS only, each with a dead-letter queue that keeps for longer. */
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
      // A schedule gives no de-duplication id: that it fired twice shows in the body, which names the time.
      contentBasedDeduplication: true,
    });
  }
}
