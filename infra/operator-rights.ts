import { ArnFormat, Stack } from "aws-cdk-lib";
import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import { Grant, type IGrantable, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { tableKeyRights } from "./encryption.ts";
import type { FanOutFunction } from "./fan-out-function.ts";
import type { WorkflowQueues } from "./queues.ts";
import { grantRead, type ResultsStore } from "./results-store.ts";

/** What an operator works with. */
export interface Operated {
  readonly queues: WorkflowQueues;
  /** The keys of the queues. Empty: keys that SQS manages. */
  readonly queueKeys: readonly IKey[];
  readonly table: ITable;
  readonly functions: readonly FanOutFunction[];
  /** `undefined`: the workflow keeps no results. */
  readonly results: ResultsStore | undefined;
}

/** Grants what the commands need with `--stack`: the table "What the commands need" in `docs/guides/deploy.md`. */
export function grantOperate(grantee: IGrantable, operated: Operated): Grant {
  const stack = Stack.of(operated.table);
  const grants = statementsOf(operated, stack).map(({ actions, resources, conditions }) =>
    Grant.addToPrincipal({ grantee, actions, resourceArns: resources, conditions }),
  );
  if (operated.results !== undefined) grants.push(grantRead(grantee, operated.results));
  return grants.reduce((all, grant) => all.combine(grant));
}

function statementsOf({ queues, queueKeys, table, functions }: Operated, stack: Stack): readonly PolicyStatement[] {
  const { queue, deadLetterQueue, controlQueue } = queues;
  const arns = functions.map((each) => each.function.functionArn);
  const anyMapping = stack.formatArn({
    service: "lambda",
    resource: "event-source-mapping",
    resourceName: "*",
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  return [
    // The commands look for the stack that holds the workflow, so they list all stacks.
    // https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
    allow(["cloudformation:DescribeStacks"], ["*"]),
    allow(["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:UpdateItem"], [table.tableArn]),
    allow(["sqs:SendMessage"], [controlQueue.queueArn, queue.queueArn, deadLetterQueue.queueArn]),
    allow(["sqs:GetQueueAttributes"], [queue.queueArn, deadLetterQueue.queueArn]),
    allow(["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"], [deadLetterQueue.queueArn]),
    // The dashboard reads how long tasks took. The action accepts no other resource.
    // https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
    allow(["cloudwatch:GetMetricData"], ["*"]),
    // The ids of the mappings are known at the deployment only, so a condition names their functions.
    // https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
    allow(["lambda:ListEventSourceMappings"], ["*"]),
    allow(["lambda:UpdateEventSourceMapping"], [anyMapping], { ArnEquals: { "lambda:FunctionArn": arns } }),
    allow(
      ["logs:FilterLogEvents"],
      functions.map(({ logGroup }) => logGroup.logGroupArn),
    ),
    ...queueKeys.map(({ keyArn }) => allow(["kms:Decrypt", "kms:GenerateDataKey"], [keyArn])),
    ...(table.encryptionKey === undefined ? [] : [tableKeyRights(table.encryptionKey, stack)]),
  ];
}

const allow = (actions: string[], resources: string[], conditions?: Record<string, unknown>): PolicyStatement =>
  new PolicyStatement({ actions, resources, ...(conditions !== undefined && { conditions }) });
