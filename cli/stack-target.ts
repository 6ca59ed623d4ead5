import { CloudFormationClient, paginateDescribeStacks, type Stack } from "@aws-sdk/client-cloudformation";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { LambdaClient, paginateListEventSourceMappings, UpdateEventSourceMappingCommand } from "@aws-sdk/client-lambda";
import { SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { ConfigurationError } from "../shared/errors.ts";
import { DynamoDbStore } from "../shared/ledger/dynamodb-store.ts";
import { Ledger } from "../shared/ledger/ledger.ts";
import { Runs } from "../shared/ledger/runs.ts";
import { completeEntry } from "../shared/messages/control.ts";
import { Queue } from "../shared/queue.ts";
import { readOutputs, workflowsOf } from "../shared/stack-outputs.ts";
import type { Target } from "./target.ts";

/** Which deployed stack is meant: `true` is the only one there. */
export interface StackOptions {
  readonly stack: string | true;
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
}

/**
 * Goes through the workflows of a deployed stack, found by the stack's outputs, with the usual credential chain.
 *
 * @throws {ConfigurationError} There is no such stack, or more than one where one was to be found.
 */
export async function* stackTargets({ stack: wanted, region, profile }: StackOptions): AsyncGenerator<Target> {
  // The SDK's clients all read them.
  if (region !== undefined) process.env.AWS_REGION = region;
  if (profile !== undefined) process.env.AWS_PROFILE = profile;
  const stack = await findStack(wanted);
  const outputs = outputsOf(stack);
  const where = `stack ${stack.StackName}`;
  for (const workflow of workflowsOf(outputs)) {
    const { table, queueUrl, deadLetterQueueUrl, controlQueueUrl, consumerFunction } = readOutputs(workflow, outputs);
    const sqs = new SQSClient({});
    const dynamoDb = new DynamoDBClient({});
    const documents = DynamoDBDocumentClient.from(dynamoDb, { marshallOptions: { removeUndefinedValues: true } });
    const store = new DynamoDbStore(documents, table);
    const controlQueue = new Queue(sqs, controlQueueUrl);
    try {
      yield {
        workflow,
        name: workflow,
        where,
        running: true,
        local: undefined,
        services: {
          runs: new Runs(store),
          ledger: new Ledger(store, Date.now, (ended) => controlQueue.sendControl(completeEntry(ended))),
          queue: new Queue(sqs, queueUrl),
          deadLetterQueue: new Queue(sqs, deadLetterQueueUrl),
          controlQueue,
          close: async () => {},
        },
        deliver: (enabled) => setDelivery(consumerFunction, queueUrl, enabled),
      };
    } finally {
      sqs.destroy();
      dynamoDb.destroy();
    }
  }
}

async function findStack(wanted: string | true): Promise<Stack> {
  const client = new CloudFormationClient({});
  const found: Stack[] = [];
  try {
    const input = wanted === true ? {} : { StackName: wanted };
    for await (const { Stacks = [] } of paginateDescribeStacks({ client }, input)) {
      found.push(...Stacks.filter((stack) => workflowsOf(outputsOf(stack)).length > 0));
    }
  } catch (cause) {
    if (!(cause instanceof Error && cause.name === "ValidationError")) throw cause;
    // CloudFormation's word for a stack that does not exist.
  } finally {
    client.destroy();
  }
  const [stack, ...others] = found;
  if (stack === undefined) {
    const which = wanted === true ? "no stack of Sluice's" : `no stack "${wanted}" with a workflow in it`;
    throw new ConfigurationError(`there is ${which} in this account and region: check --stack, --region and --profile`);
  }
  if (others.length > 0) {
    const names = found.map(({ StackName }) => StackName).join(", ");
    throw new ConfigurationError(`there are several stacks of Sluice's: say which with --stack (${names})`);
  }
  return stack;
}

function outputsOf({ Outputs = [] }: Stack): Readonly<Record<string, string>> {
  return Object.fromEntries(Outputs.map(({ OutputKey = "", OutputValue = "" }) => [OutputKey, OutputValue]));
}

/** Lets Lambda deliver the queue's messages to the consumer, or not. It takes effect within about a minute. */
async function setDelivery(functionName: string, queueUrl: string, enabled: boolean): Promise<void> {
  const client = new LambdaClient({});
  const queueName = queueUrl.slice(queueUrl.lastIndexOf("/") + 1);
  try {
    for await (const { EventSourceMappings = [] } of paginateListEventSourceMappings(
      { client },
      { FunctionName: functionName },
    )) {
      for (const { UUID, EventSourceArn } of EventSourceMappings) {
        if (EventSourceArn?.endsWith(`:${queueName}`) !== true) continue;
        await client.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: enabled }));
      }
    }
  } finally {
    client.destroy();
  }
}
