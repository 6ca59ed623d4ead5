import { engineAccess } from "../../local/access/engine-access.ts";
import { type Services, tableName } from "../../local/local-services.ts";
import { functionEnvironment, toVariables } from "../../shared/definition/function-environment.ts";
import type { Topology } from "../../shared/definition/topology.ts";

/** The environment variables of a workflow's functions, over services that this process runs. */
export function functionVariables(
  { sqs, dynamoDb, accessKeyId, names }: Services,
  workflow: string,
  topology: Topology,
): Record<string, string> {
  return toVariables(
    functionEnvironment(topology, {
      queueUrl: sqs.queueUrl(names.queue),
      deadLetterQueueUrl: sqs.queueUrl(names.deadLetterQueue),
      controlQueueUrl: sqs.queueUrl(names.controlQueue),
      controlDeadLetterQueueUrl: sqs.queueUrl(names.controlDeadLetterQueue),
      access: engineAccess({ sqs: sqs.endpoint, dynamoDb: dynamoDb.endpoint, accessKeyId }),
      table: tableName(workflow),
      fastPath: true,
    }),
  );
}
