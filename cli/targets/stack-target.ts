import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SQSClient } from "@aws-sdk/client-sqs";
import type { ObjectStore } from "../../shared/aws/object-store.ts";
import { ConfigurationError, SluiceError, toError } from "../../shared/base/errors.ts";
import { readOutputs, workflowsOf } from "../../shared/definition/stack-outputs.ts";
import { connect } from "../../shared/ledger/connect.ts";
import { type AwsAccount, configOf } from "./aws-client-config.ts";
import { type DeployedStack, describeStacks } from "./describe-stacks.ts";
import { restoreDelivery } from "./restore-delivery.ts";
import type { Target } from "./target.ts";

/** Which deployed stack to act on. */
export interface StackOptions extends AwsAccount {
  /** The stack's name; `true`: the only stack, or the one that `holding` chooses. */
  readonly stack: string | true;
  /** If there are several stacks, the one that holds this workflow is chosen. */
  readonly holding?: string | undefined;
  /** Called before each request to DynamoDB and SQS. It can delay the request. */
  readonly pace?: (() => Promise<void>) | undefined;
}

/**
 * Yields the workflows of a deployed stack, which it reads from the stack's outputs. Credentials come from the AWS SDK's
 * default chain.
 *
 * @throws {ConfigurationError} There is no such stack, or several are possible.
 * @throws {SluiceError} `AWS_UNREACHABLE`: the request to CloudFormation failed, for example without credentials.
 */
export async function* stackTargets({
  stack: wanted,
  holding,
  pace,
  ...account
}: StackOptions): AsyncGenerator<Target> {
  const stack = await findStack(wanted, holding, account);
  const { name: stackName, outputs } = stack;
  for (const workflow of workflowsOf(outputs)) {
    const names = readOutputs(workflow, outputs);
    // Otherwise the SDK would use the host of the queue's URL instead of the endpoints that are set, such as FIPS endpoints.
    const sqs = new SQSClient({ ...(await configOf("SQS", account)), useQueueUrlAsEndpoint: false });
    const dynamoDb = new DynamoDBClient(await configOf("DynamoDB", account));
    if (pace !== undefined) {
      const paced = async <Answer>(send: () => Promise<Answer>): Promise<Answer> => {
        await pace();
        return await send();
      };
      sqs.middlewareStack.add((next) => (request) => paced(() => next(request)), PACED);
      dynamoDb.middlewareStack.add((next) => (request) => paced(() => next(request)), PACED);
    }
    try {
      yield {
        workflow,
        name: workflow,
        where: `stack ${stackName}`,
        stack: stackName,
        logGroups: { producer: names.producerLogGroup, consumer: names.consumerLogGroup },
        running: true,
        local: undefined,
        openResults: async () =>
          names.resultsUrl === undefined ? undefined : await openStore(names.resultsUrl, account),
        services: { ...connect({ sqs, dynamoDb }, names), close: async () => {} },
        restoreDelivery: () => restoreDelivery(names.consumerFunction, names.queueUrl, account),
      };
    } finally {
      sqs.destroy();
      dynamoDb.destroy();
    }
  }
}

/** After the retries, so that each attempt of a request waits. */
const PACED = { name: "pace", step: "finalizeRequest", priority: "low" } as const;

/** The SDK for S3 is loaded only now, because most commands do not need it. */
async function openStore(url: string, account: AwsAccount): Promise<ObjectStore> {
  const { openS3 } = await import("../../shared/aws/open-s3.ts");
  return await openS3(url, await configOf("S3", account));
}

async function findStack(
  wanted: string | true,
  holding: string | undefined,
  account: AwsAccount,
): Promise<DeployedStack> {
  const all = await sluiceStacks(wanted, account);
  const holders = all.filter((stack) => workflowsOf(stack.outputs).some((workflow) => workflow === holding));
  const found = holders.length > 0 ? holders : all;
  const [stack, ...others] = found;
  if (stack === undefined) {
    const which = wanted === true ? "no stack with a Sluice workflow" : `no stack "${wanted}" with a Sluice workflow`;
    const there = wanted === true ? [] : await sluiceStacks(true, account);
    const names = there.length === 0 ? "" : ` (found: ${namesOf(there)})`;
    throw new ConfigurationError(
      `there is ${which} in this account and region${names}: check --stack, --region and --profile`,
    );
  }
  if (others.length > 0) {
    // Stages of a workflow in one account differ only in their stack.
    const several =
      holders.length > 0
        ? `several stacks hold the workflow "${holding}"`
        : "there are several stacks with Sluice workflows";
    throw new ConfigurationError(`${several}: choose one with --stack (${namesOf(found)})`);
  }
  return stack;
}

const namesOf = (stacks: readonly DeployedStack[]): string => stacks.map(({ name }) => name).join(", ");

/** The stacks that hold a workflow: all of them, or the named one. */
async function sluiceStacks(wanted: string | true, account: AwsAccount): Promise<readonly DeployedStack[]> {
  try {
    const found = await describeStacks(wanted === true ? undefined : wanted, account);
    return found.filter(({ outputs }) => workflowsOf(outputs).length > 0);
  } catch (cause) {
    // CloudFormation's error for a stack that does not exist.
    if (cause instanceof Error && cause.name === "ValidationError") return [];
    throw new SluiceError(
      "AWS_UNREACHABLE",
      `the stacks cannot be listed: ${toError(cause).message}. Check the credentials (--profile, AWS_PROFILE) and the ` +
        "region (--region, AWS_REGION). To act on this machine instead, leave --stack out",
      { cause },
    );
  }
}
