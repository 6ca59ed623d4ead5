import { Duration, type RemovalPolicy } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Queue, QueuePolicy } from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";
import type { Topology } from "../shared/definition/topology.ts";
import { protectedQueue } from "./queue-encryption.ts";

export interface DeadLetterQueueProps {
  readonly topology: Topology;
  readonly encryptionKey: IKey | undefined;
  /** What happens to the queue and its messages when the stack is deleted. The same happens to the ledger. */
  readonly removalPolicy: RemovalPolicy;
  /** Whether the queue is FIFO: the dead-letter queue of a FIFO queue must be FIFO, too. Default false. */
  readonly fifo?: boolean;
}

/**
 * A dead-letter queue. It keeps messages for longer than the queues do, and follows the removal policy of the ledger,
 * because dead letters exist nowhere else.
 */
export function deadLetterQueue(scope: Construct, id: string, props: DeadLetterQueueProps): Queue {
  const { topology, encryptionKey, removalPolicy, fifo = false } = props;
  const queue = new Queue(scope, id, {
    ...protectedQueue(encryptionKey),
    retentionPeriod: Duration.seconds(topology.deadLetterQueue.retentionSeconds),
    removalPolicy,
    ...(fifo && { fifo }),
  });
  // If CloudFormation deleted the policy of a queue that it retains, the queue would accept requests without TLS.
  // https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html
  const policies = queue.node.children.filter((child) => child instanceof QueuePolicy);
  for (const policy of policies) policy.applyRemovalPolicy(removalPolicy);
  return queue;
}
