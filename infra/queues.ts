import { Duration, type RemovalPolicy } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { type IQueue, Queue, type QueueProps } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import type { QueueTopology, Topology } from "../shared/definition/topology.ts";
import { deadLetterQueue } from "./dead-letter-queue.ts";
import { protectedQueue } from "./queue-encryption.ts";

/** The four queues of a workflow, of the construct or of the user. */
export interface WorkflowQueues {
  /** The items. */
  readonly queue: IQueue;
  readonly deadLetterQueue: IQueue;
  readonly controlQueue: IQueue;
  readonly controlDeadLetterQueue: IQueue;
}

export interface QueuesProps {
  readonly topology: Topology;
  readonly encryptionKey: IKey | undefined;
  /** What happens to the dead-letter queues when the stack is deleted. */
  readonly removalPolicy: RemovalPolicy;
}

/**
 * The queues of a workflow. They are encrypted and accept requests over TLS only. The dead-letter queues keep messages
 * for longer than the others, and can outlive the stack.
 */
export class Queues extends Construct implements WorkflowQueues {
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  readonly controlQueue: Queue;
  readonly controlDeadLetterQueue: Queue;

  constructor(scope: Construct, id: string, props: QueuesProps) {
    super(scope, id);
    const { topology, encryptionKey } = props;
    const main = (deadLetters: Queue, queue: QueueTopology): QueueProps => ({
      ...protectedQueue(encryptionKey),
      visibilityTimeout: Duration.seconds(queue.visibilityTimeoutSeconds),
      retentionPeriod: Duration.seconds(queue.retentionSeconds),
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: queue.maxReceiveCount },
    });
    this.deadLetterQueue = deadLetterQueue(this, "DeadLetterQueue", props);
    this.queue = new Queue(this, "Queue", main(this.deadLetterQueue, topology.queue));
    this.controlDeadLetterQueue = deadLetterQueue(this, "ControlDeadLetterQueue", { ...props, fifo: true });
    this.controlQueue = new Queue(this, "ControlQueue", {
      ...main(this.controlDeadLetterQueue, topology.controlQueue),
      fifo: true,
      // A schedule sends no deduplication id. If it sends a start message twice, both messages have the same body with
      // the same time, so SQS drops the second one.
      contentBasedDeduplication: true,
    });
  }
}
