import type { Table } from "aws-cdk-lib/aws-dynamodb";
import type { IEventBus } from "aws-cdk-lib/aws-events";
import { Effect, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { ParsedPermission } from "../shared/definition/permissions.ts";
import type { FunctionName } from "./bundling.ts";
import type { Queues } from "./queues.ts";

export interface Resources {
  readonly queues: Queues;
  readonly table: Table;
  readonly eventBus: IEventBus;
  readonly encryptionKey: IKey | undefined;
}

/** What a mapping does with its function's role, and the function with messages that it holds. */
const RECEIVE = [
  "sqs:ReceiveMessage",
  "sqs:DeleteMessage",
  "sqs:ChangeMessageVisibility",
  "sqs:GetQueueAttributes",
] as const;

/** What each function does on AWS, action by action: nothing that it does not use. */
export function rightsOf(
  name: FunctionName,
  { queues, table, eventBus, encryptionKey }: Resources,
): readonly PolicyStatement[] {
  const { queue, deadLetterQueue, controlQueue, controlDeadLetterQueue } = queues;
  const common = [
    allow(["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:UpdateItem"], [table.tableArn]),
    allow(["sqs:SendMessage"], [deadLetterQueue.queueArn, controlQueue.queueArn]),
    // Of a queue with a key of its own: sending takes both, receiving the second.
    // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    ...(encryptionKey === undefined ? [] : [allow(["kms:GenerateDataKey", "kms:Decrypt"], [encryptionKey.keyArn])]),
  ];
  if (name === "producer") {
    return [
      ...common,
      // To see whether an earlier run still works.
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
    // A fresh message takes the place of one that is near a limit of the queue.
    allow(["sqs:SendMessage"], [queue.queueArn]),
    allow(["sqs:GetQueueAttributes"], [controlQueue.queueArn]),
  ];
}

/** The statement of a permission that a workflow declares. */
export const toStatement = ({ actions, resources }: ParsedPermission): PolicyStatement => allow(actions, resources);

function allow(actions: readonly string[], resources: readonly string[]): PolicyStatement {
  return new PolicyStatement({ effect: Effect.ALLOW, actions: [...actions], resources: [...resources] });
}
