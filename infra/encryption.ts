import { Annotations, ArnFormat, Stack } from "aws-cdk-lib";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import type { Construct } from "constructs";
import { ConfigurationError } from "../shared/base/errors.ts";
import { rejectUnknownKeys } from "../shared/base/options.ts";

/** The KMS keys of a workflow's resources. A resource without one is encrypted with a key of its service. */
export interface EncryptionKeys {
  /** All queues and dead-letter queues. Default: a key that SQS manages. */
  readonly queues?: IKey;
  /** The table of the ledger. Default: a key that DynamoDB owns. */
  readonly table?: IKey;
  /** The log groups of the functions. Default: a key that CloudWatch Logs owns. */
  readonly logs?: IKey;
  /** The environment variables of the functions. Default: a key that Lambda manages. */
  readonly environment?: IKey;
  /** The construct's bucket of results. Default: a key that S3 manages. */
  readonly results?: IKey;
}

const NAMES = ["queues", "table", "logs", "environment", "results"] as const satisfies (keyof EncryptionKeys)[];

/** Which of the resources that a user can give the construct creates itself. */
export type Creates = Readonly<Record<"queues" | "table" | "results", boolean>>;

const OF_USERS = [
  ["queues", "queues"],
  ["table", "table"],
  ["results", "bucket"],
] as const;

/**
 * The key of each kind of resource.
 *
 * @param creates Which of the resources that a user can give the construct creates itself.
 * @throws {ConfigurationError} A name is unknown, or a key is for nothing.
 */
export function encryptionKeys(given: IKey | EncryptionKeys | undefined, creates: Creates): EncryptionKeys {
  if (given === undefined) return {};
  if ("keyArn" in given) return Object.fromEntries(NAMES.map((name) => [name, given]));
  rejectUnknownKeys(given, NAMES, "encryptionKey");
  for (const [name, what] of OF_USERS) {
    if (given[name] === undefined || creates[name]) continue;
    throw new ConfigurationError(
      `encryptionKey.${name} is the key of the ${what} that the construct creates, but it creates none: remove it. The ${what} ` +
        "that you give has its own key",
    );
  }
  return given;
}

/** https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html */
const LOGS_ACTIONS = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"];

/**
 * Lets CloudWatch Logs use a key for the log groups of the stack. Without it, CloudFormation cannot create a log group
 * with the key. The names of the log groups begin with the name of the stack, and the rest is not known before.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
 *
 * @param names What the names of the log groups begin with, if not with the name of the stack.
 */
export function allowLogs(scope: Construct, key: IKey, names?: string): void {
  const stack = Stack.of(scope);
  // The name of a nested stack begins with that of its parent, and is known at the deployment only.
  let named = stack;
  while (named.nestedStackParent !== undefined) named = named.nestedStackParent;
  const logGroups = stack.formatArn({
    service: "logs",
    resource: "log-group",
    resourceName: `${names ?? `${named.stackName}-`}*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  const statement = new PolicyStatement({
    principals: [new ServicePrincipal(`logs.${stack.region}.amazonaws.com`)],
    actions: LOGS_ACTIONS,
    resources: ["*"],
    conditions: { ArnLike: { "kms:EncryptionContext:aws:logs:arn": logGroups } },
  });
  const { statementAdded } = key.addToResourcePolicy(statement);
  if (statementAdded) return;
  warn(
    scope,
    "logs",
    `encryptionKey is a key of elsewhere, whose policy the CDK cannot change: it must let logs.<region>.amazonaws.com use ` +
      `${LOGS_ACTIONS.join(", ")}, or the deployment fails. Add that to the key's policy, or give encryptionKey without logs: ` +
      "{ queues, table, environment }",
  );
}

/**
 * Lets the alarms use the key of their topic. Without it, CloudWatch sends nothing, and says nothing.
 * https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
 */
export function allowAlarms(
  scope: Construct,
  topic: Pick<ITopic, "topicArn"> & { readonly masterKey?: IKey | undefined },
): void {
  const { masterKey: key } = topic;
  if (key === undefined) return;
  const stack = Stack.of(scope);
  const alarms = stack.formatArn({
    service: "cloudwatch",
    resource: "alarm",
    resourceName: "*",
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  const { statementAdded } = key.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
      actions: ["kms:Decrypt", "kms:GenerateDataKey"],
      resources: ["*"],
      conditions: { StringEquals: { "aws:SourceAccount": stack.account }, ArnLike: { "aws:SourceArn": alarms } },
    }),
  );
  if (statementAdded) return;
  warn(
    scope,
    "alarms",
    "the key of alarmTopic is a key of elsewhere, whose policy the CDK cannot change: it must let cloudwatch.amazonaws.com use " +
      "kms:Decrypt and kms:GenerateDataKey, or the alarms notify nobody. Add that to the key's policy",
  );
}

function warn(scope: Construct, what: string, message: string): void {
  Annotations.of(scope).addWarningV2(`sluice:key-policy:${what}`, message);
}

/**
 * What a function needs on the key of the ledger's table. DynamoDB uses the key on behalf of the sender of a request.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
 */
export const tableKeyRights = (key: IKey, stack: Stack): PolicyStatement =>
  new PolicyStatement({
    actions: [
      "kms:Decrypt",
      "kms:DescribeKey",
      "kms:Encrypt",
      "kms:GenerateDataKey",
      "kms:GenerateDataKeyWithoutPlaintext",
      "kms:ReEncryptFrom",
      "kms:ReEncryptTo",
    ],
    resources: [key.keyArn],
    conditions: { StringEquals: { "kms:ViaService": `dynamodb.${stack.region}.amazonaws.com` } },
  });

/**
 * What a function needs on the key of its environment variables.
 * https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
 */
export const environmentKeyRights = (key: IKey): PolicyStatement =>
  new PolicyStatement({ actions: ["kms:Decrypt"], resources: [key.keyArn] });
