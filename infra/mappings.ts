import { Duration } from "aws-cdk-lib";
import { EventSourceMapping } from "aws-cdk-lib/aws-lambda";
import type { Construct } from "constructs";
import type { Topology } from "../shared/definition/topology.ts";
import type { FunctionName } from "./bundling.ts";
import type { FanOutFunction } from "./fan-out-function.ts";
import type { Queues } from "./queues.ts";

/**
 * Lets each function work on its queue. `EventSourceMapping` rather than `SqsEventSource`, which would grant more
 * rights than are used.
 */
export function mappings(
  scope: Construct,
  functions: Readonly<Record<FunctionName, FanOutFunction>>,
  queues: Queues,
  topology: Topology,
): void {
  new EventSourceMapping(scope, "ProducerMapping", {
    target: functions.producer.function,
    eventSourceArn: queues.controlQueue.queueArn,
    // One control message is a minute of work.
    batchSize: 1,
    maxConcurrency: topology.producer.environments,
    // How a producer makes the message wait that it holds.
    reportBatchItemFailures: true,
  });
  new EventSourceMapping(scope, "ConsumerMapping", {
    target: functions.consumer.function,
    eventSourceArn: queues.queue.queueArn,
    batchSize: topology.batchSize,
    ...(topology.batchingWindowSeconds > 0 && { maxBatchingWindow: Duration.seconds(topology.batchingWindowSeconds) }),
    maxConcurrency: topology.environments,
    reportBatchItemFailures: true,
    // Said, so that a deploy enables a mapping that an earlier version of `sluice pause` disabled.
    enabled: true,
  });
}
