import { LOCAL_AWS, type Services, tableName } from "../../local/services.ts";
import { toVariables } from "../../shared/function-environment.ts";
import type { Topology } from "../../shared/topology.ts";

/** The environment variables of a workflow's functions, over services that this process runs. */
export function functionVariables(
  { sqs, dynamoDb, names }: Services,
  workflow: string,
  { concurrency, tasksPerEnvironment, maxBacklog, producer, consumer }: Topology,
): Record<string, string> {
  return {
    ...LOCAL_AWS,
    AWS_ENDPOINT_URL_SQS: sqs.endpoint,
    AWS_ENDPOINT_URL_DYNAMODB: dynamoDb.endpoint,
    ...toVariables({
      queueUrl: sqs.queueUrl(names.queue),
      deadLetterQueueUrl: sqs.queueUrl(names.deadLetterQueue),
      controlQueueUrl: sqs.queueUrl(names.controlQueue),
      controlDeadLetterQueueUrl: sqs.queueUrl(names.controlDeadLetterQueue),
      table: tableName(workflow),
      concurrency,
      tasksPerEnvironment,
      maxBacklog,
      sliceSeconds: producer.sliceSeconds,
      controlVisibilitySeconds: producer.visibilitySeconds,
      refillSeconds: consumer.refillSeconds,
      refillWaitingSeconds: consumer.refillWaitingSeconds,
      refillVisibilitySeconds: consumer.refillVisibilitySeconds,
    }),
  };
}
