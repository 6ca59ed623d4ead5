import { Duration } from "aws-cdk-lib";
import { EventSourceMapping } from "aws-cdk-lib/aws-lambda";
import type { Construct } from "constructs";
import type { Topology } from "../shared/definition/topology.ts";
import type { FunctionName } from "./bundling.ts";
import type { FanOutFunction } from "./fan-out-function.ts";
import type { WorkflowQueues } from "./queues.ts";

/**
 * Connects each function to its queue. It uses `EventSourceMapping`, because `SqsEventSource` would grant permissions
 * that the functions do not need.
 */
export function mappings(
  scope: Construct,
  functions: Readonly<Record<FunctionName, FanOutFunction>>,
  queues: WorkflowQueues,
  topology: Topology,
): void {
  new EventSourceMapping(scope, "ProducerMapping", {
    target: functions.producer.function,
    eventSourceArn: queues.controlQueue.queueArn,
    // The producer works for about a minute on one control message.
    batchSize: 1,
    maxConcurrency: topology.producer.environments,
    // When a producer must receive its message again later, it reports the message as failed.
    reportBatchItemFailures: true,
  });
  new EventSourceMapping(scope, "ConsumerMapping", {
    target: functions.consumer.function,
    eventSourceArn: queues.queue.queueArn,
    batchSize: topology.batchSize,
    ...(topology.batchingWindowSeconds > 0 && { maxBatchingWindow: Duration.seconds(topology.batchingWindowSeconds) }),
    maxConcurrency: topology.environments,
    reportBatchItemFailures: true,
    // `true` is the default. If it is explicit, a deployment also enables a mapping that the command `pause` of an earlier
    // version of Sluice has disabled.
    enabled: true,
  });
}
