import { NestedStack, Stack } from "aws-cdk-lib";
import { Annotations, Match, Template } from "aws-cdk-lib/assertions";
import { Key } from "aws-cdk-lib/aws-kms";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { Topic } from "aws-cdk-lib/aws-sns";
import { expect, test, vi } from "vitest";
import { actionsOf, fanOutIn, newApp, rightsOfRole, type Statement, synthesise } from "./synthesis.ts";

// Each template takes half a second, and several where cores are shared.
vi.setConfig({ testTimeout: 600_000 });

const ELSEWHERE = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-0000-4000-8000-0123456789ab";
const KEY = { "Fn::GetAtt": [expect.stringMatching(/^Key/), "Arn"] };

const propertiesOf = (template: Template, type: string): readonly Record<string, unknown>[] =>
  Object.values(template.findResources(type)).map(({ Properties }) => Properties);

/** The statements of a key's policy for services of AWS. */
const forServices = (template: Template) =>
  propertiesOf(template, "AWS::KMS::Key").flatMap(({ KeyPolicy }) =>
    (KeyPolicy as { Statement: (Statement & { Principal: { Service?: unknown } })[] }).Statement.filter(
      ({ Principal }) => Principal.Service !== undefined,
    ),
  );

const own = synthesise((stack) => ({
  options: { results: true },
  schedule: "rate(1 day)",
  encryptionKey: new Key(stack, "Key"),
}));

test("one key encrypts the queues, the table, the logs, the environment and the bucket of results", () => {
  const { template } = own;
  expect(propertiesOf(template, "AWS::DynamoDB::Table")).toMatchObject([
    { SSESpecification: { KMSMasterKeyId: KEY, SSEEnabled: true, SSEType: "KMS" } },
  ]);
  template.allResourcesProperties("AWS::SQS::Queue", { KmsMasterKeyId: Match.anyValue() });
  template.allResourcesProperties("AWS::Logs::LogGroup", { KmsKeyId: Match.anyValue() });
  template.allResourcesProperties("AWS::Lambda::Function", { KmsKeyArn: Match.anyValue() });
  expect(JSON.stringify(propertiesOf(template, "AWS::S3::Bucket"))).toContain('"SSEAlgorithm":"aws:kms"');
});

test("both functions may use it: directly for queues and environment, through DynamoDB for the table", () => {
  const { template } = own;
  const statements = (role: string) =>
    propertiesOf(template, "AWS::IAM::Policy")
      .filter(({ Roles }) => (Roles as { Ref: string }[]).some(({ Ref }) => Ref.startsWith(role)))
      .flatMap(
        ({ PolicyDocument }) => (PolicyDocument as { Statement: (Statement & { Condition?: unknown })[] }).Statement,
      )
      .filter((statement) => actionsOf(statement).some((action) => action.startsWith("kms:")));
  for (const role of ["FanOutProducer", "FanOutConsumer"]) {
    const through = statements(role).filter(({ Condition }) => Condition !== undefined);
    expect(through).toEqual([
      {
        Action: [
          "kms:Decrypt",
          "kms:DescribeKey",
          "kms:Encrypt",
          "kms:GenerateDataKey",
          "kms:GenerateDataKeyWithoutPlaintext",
          "kms:ReEncryptFrom",
          "kms:ReEncryptTo",
        ],
        Effect: "Allow",
        Resource: KEY,
        Condition: {
          StringEquals: {
            "kms:ViaService": { "Fn::Join": ["", ["dynamodb.", { Ref: "AWS::Region" }, ".amazonaws.com"]] },
          },
        },
      },
    ]);
    const direct = statements(role).filter(({ Condition }) => Condition === undefined);
    expect(new Set(direct.flatMap(actionsOf))).toEqual(new Set(["kms:Decrypt", "kms:GenerateDataKey"]));
  }
});

test("the schedule may send to the encrypted control queue", () => {
  expect(rightsOfRole(own.template, "FanOutScheduleRole")).toEqual([
    "kms:Decrypt Key",
    "kms:GenerateDataKey Key",
    "sqs:SendMessage ControlQueue",
    "sqs:SendMessage ScheduleDeadLetterQueue",
  ]);
});

test("the key's policy lets CloudWatch Logs use it for the log groups of the stack, and nobody else", () => {
  expect(forServices(own.template)).toEqual([
    {
      Action: ["kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
      Effect: "Allow",
      Principal: { Service: { "Fn::Join": ["", ["logs.", { Ref: "AWS::Region" }, ".amazonaws.com"]] } },
      Resource: "*",
      Condition: {
        ArnLike: {
          "kms:EncryptionContext:aws:logs:arn": {
            "Fn::Join": [
              "",
              [
                "arn:",
                { Ref: "AWS::Partition" },
                ":logs:",
                { Ref: "AWS::Region" },
                ":",
                { Ref: "AWS::AccountId" },
                ":log-group:Stack-*",
              ],
            ],
          },
        },
      },
    },
  ]);
});

test("a workflow in a nested stack uses a key of the parent, whose policy does not refer to the nested stack", () => {
  const parent = new Stack(newApp(), "Parent");
  fanOutIn(new NestedStack(parent, "Nested"), { encryptionKey: new Key(parent, "Key") });
  const statements = JSON.stringify(forServices(Template.fromStack(parent)));
  expect(statements).toContain(":log-group:Parent-*");
  expect(statements).not.toContain("Nested");
});

test("each kind of resource may have its own key, and the others keep the keys of the services", () => {
  const { template } = synthesise((stack) => ({ encryptionKey: { table: new Key(stack, "Key") } }));
  expect(propertiesOf(template, "AWS::DynamoDB::Table")).toMatchObject([{ SSESpecification: { KMSMasterKeyId: KEY } }]);
  template.allResourcesProperties("AWS::SQS::Queue", { SqsManagedSseEnabled: true });
  template.allResourcesProperties("AWS::Logs::LogGroup", { KmsKeyId: Match.absent() });
  template.allResourcesProperties("AWS::Lambda::Function", { KmsKeyArn: Match.absent() });
  expect(forServices(template)).toEqual([]);
  const direct = rightsOfRole(template, "FanOutConsumer").filter((right) => right === "kms:GenerateDataKey Key");
  expect(direct).toHaveLength(1);
});

test("an imported key's policy cannot be changed, so synth warns of what it must have", () => {
  const { stack } = synthesise((stack) => ({ encryptionKey: Key.fromKeyArn(stack, "Key", ELSEWHERE) }));
  Annotations.fromStack(stack).hasWarning(
    "/Stack/FanOut",
    Match.stringLikeRegexp(
      "it must let logs.<region>.amazonaws.com use kms:Encrypt\\*.*or give encryptionKey without logs",
    ),
  );
  const other = synthesise((stack) => ({ encryptionKey: { queues: Key.fromKeyArn(stack, "Key", ELSEWHERE) } }));
  Annotations.fromStack(other.stack).hasNoWarning("/Stack/FanOut", Match.stringLikeRegexp("encryptionKey"));
});

test("the key of the alarms' topic lets the alarms of the account use it", () => {
  const { template } = synthesise((stack) => ({
    alarmTopic: new Topic(stack, "Topic", { masterKey: new Key(stack, "Key") }),
  }));
  expect(forServices(template)).toMatchObject([
    {
      Action: ["kms:Decrypt", "kms:GenerateDataKey"],
      Principal: { Service: "cloudwatch.amazonaws.com" },
      Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } }, ArnLike: expect.anything() },
    },
  ]);
  const { stack } = synthesise((stack) => ({
    alarmTopic: Topic.fromTopicAttributes(stack, "Topic", {
      topicArn: "arn:aws:sns:eu-west-1:111122223333:alarms",
      keyArn: ELSEWHERE,
    }),
  }));
  Annotations.fromStack(stack).hasWarning("/Stack/FanOut", Match.stringLikeRegexp("or the alarms notify nobody"));
});

test("a key for nothing is refused with the fix", () => {
  expect(() => synthesise((stack) => ({ encryptionKey: { results: new Key(stack, "Key") } }))).toThrow(
    "encryptionKey.results is the key of the bucket that the construct creates, but it creates none: remove it",
  );
  expect(() =>
    synthesise((stack) => ({
      options: { results: true },
      results: { bucket: Bucket.fromBucketName(stack, "Given", "acme") },
      encryptionKey: { results: new Key(stack, "Key") },
    })),
  ).toThrow("The bucket that you give has its own key");
  expect(() => synthesise({ encryptionKey: { tabel: undefined } as never })).toThrow('unknown option "tabel"');
});
