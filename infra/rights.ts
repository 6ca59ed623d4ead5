import { ArnFormat, type Stack } from "aws-cdk-lib";
import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import type { IEventBus } from "aws-cdk-lib/aws-events";
import { Effect, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { ParsedPermission } from "../shared/definition/permissions.ts";
import type { SourceResource, SourceRight } from "../shared/sources/source.ts";
import type { FunctionName } from "./bundling.ts";
import { environmentKeyRights, tableKeyRights } from "./encryption.ts";
import type { WorkflowQueues } from "./queues.ts";
import { type ResultsStore, resultsRightsOf } from "./results-store.ts";

export interface Resources {
  readonly queues: WorkflowQueues;
  readonly table: ITable;
  readonly eventBus: IEventBus;
  /** The keys of the queues. Empty: keys that SQS manages. */
  readonly queueKeys: readonly IKey[];
  /** `undefined`: a key that DynamoDB owns. */
  readonly tableKey: IKey | undefined;
  readonly environmentKey: IKey | undefined;
  /** `undefined`: the workflow keeps no results. */
  readonly results: ResultsStore | undefined;
}

/**
 * The actions on a queue from which a function receives messages. The event source mapping also needs them, because it
 * uses the role of its function.
 */
const RECEIVE = [
  "sqs:ReceiveMessage",
  "sqs:DeleteMessage",
  "sqs:ChangeMessageVisibility",
  "sqs:GetQueueAttributes",
] as const;

/** The permissions that a function needs, and no others. */
export function rightsOf(
  name: FunctionName,
  { queues, table, eventBus, queueKeys, tableKey, environmentKey, results }: Resources,
  stack: Stack,
): readonly PolicyStatement[] {
  const { queue, deadLetterQueue, controlQueue, controlDeadLetterQueue } = queues;
  const common = [
    allow(["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:UpdateItem"], [table.tableArn]),
    allow(["sqs:SendMessage"], [deadLetterQueue.queueArn, controlQueue.queueArn]),
    // For queues with a customer managed key: sending needs both actions, receiving needs `kms:Decrypt`.
    // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    ...queueKeys.map(({ keyArn }) => allow(["kms:GenerateDataKey", "kms:Decrypt"], [keyArn])),
    ...(tableKey === undefined ? [] : [tableKeyRights(tableKey, stack)]),
    ...(environmentKey === undefined ? [] : [environmentKeyRights(environmentKey)]),
    ...(results === undefined ? [] : resultsRightsOf(name, results)),
  ];
  if (name === "producer") {
    return [
      ...common,
      // The producer looks for earlier runs that are still active.
      allow(["dynamodb:Query"], [table.tableArn]),
      allow(["sqs:SendMessage", "sqs:GetQueueAttributes"], [queue.queueArn]),
      allow(["sqs:SendMessage"], [controlDeadLetterQueue.queueArn]),
      allow(["events:PutEvents"], [eventBus.eventBusArn]),
      allow(RECEIVE, [controlQueue.queueArn]),
    ];
  }
  return [
    ...common,
    allow(RECEIVE, [queue.queueArn]),
    // When a message is near the receive limit or the retention period of the queue, the consumer sends a new message in
    // its place.
    allow(["sqs:SendMessage"], [queue.queueArn]),
  ];
}

/** The policy statement of a permission that a workflow declares. */
export const toStatement = ({ actions, resources }: ParsedPermission): PolicyStatement => allow(actions, resources);

/** The policy statement of a right that a source needs. */
export const toSourceStatement = ({ actions, resources, conditions }: SourceRight, stack: Stack): PolicyStatement =>
  new PolicyStatement({
    effect: Effect.ALLOW,
    actions: [...actions],
    resources: resources.map((resource) => arnOf(resource, stack)),
    ...(conditions !== undefined && { conditions }),
  });

/** The ARN of a resource that a source reads, in the partition of the stack. */
export const arnOf = (resource: SourceResource, stack: Stack): string =>
  typeof resource === "string" ? resource : stack.formatArn({ ...resource, arnFormat: ArnFormat.NO_RESOURCE_NAME });

function allow(actions: readonly string[], resources: readonly string[]): PolicyStatement {
  return new PolicyStatement({ effect: Effect.ALLOW, actions: [...actions], resources: [...resources] });
}
