import { Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { expect, test, vi } from "vitest";
import { page } from "../helpers/pages.ts";
import { actionsOf, fanOutIn, newApp, rightsOfRole, type Statement } from "./synthesis.ts";

// Each template takes half a second, and several where cores are shared.
vi.setConfig({ testTimeout: 600_000 });

/** What a role may do to which `grantOperate` was applied. */
function operator(withKey: boolean) {
  const stack = new Stack(newApp(), "Stack");
  const fanOut = fanOutIn(stack, {
    options: { results: true },
    ...(withKey && { encryptionKey: new Key(stack, "Key") }),
  });
  fanOut.grantOperate(new Role(stack, "Operator", { assumedBy: new ServicePrincipal("ec2.amazonaws.com") }));
  const template = Template.fromStack(stack);
  const statements = Object.values(template.findResources("AWS::IAM::Policy"))
    .filter(({ Properties }) => Properties.Roles.some(({ Ref }: { Ref: string }) => Ref.startsWith("Operator")))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as (Statement & { Condition?: unknown })[]);
  return { rights: rightsOfRole(template, "Operator"), statements };
}

/** The actions in the table of the guide. */
const documented = () => {
  const [, section = ""] = page("docs/guides/deploy.md").text.split("\n## What the commands need\n");
  const [table = ""] = section.split("\n## ");
  return new Set([...table.matchAll(/`([a-z0-9]+:[A-Z][A-Za-z]+)`/g)].map(([, action]) => action));
};

test("grantOperate grants exactly the actions that the guide lists", () => {
  const granted = new Set(operator(true).statements.flatMap(actionsOf));
  const listed = documented();
  // A condition key, and what DynamoDB also does with the key of a table.
  listed.delete("kms:ViaService");
  const ofTableKey = ["DescribeKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"];
  for (const action of ofTableKey) listed.add(`kms:${action}`);
  expect([...granted].toSorted()).toEqual([...listed].toSorted());
});

test("grantOperate grants them on the resources of the workflow, and no right on keys without keys of the user", () => {
  const { rights, statements } = operator(false);
  expect(rights.filter((right) => !right.startsWith("s3:"))).toEqual(
    [
      "cloudformation:DescribeStacks *",
      "cloudwatch:GetMetricData *",
      "dynamodb:BatchGetItem Ledger",
      "dynamodb:GetItem Ledger",
      "dynamodb:Query Ledger",
      "dynamodb:UpdateItem Ledger",
      "lambda:ListEventSourceMappings *",
      "lambda:UpdateEventSourceMapping event-source-mapping:*",
      "logs:FilterLogEvents ConsumerLogs",
      "logs:FilterLogEvents ProducerLogs",
      "sqs:ChangeMessageVisibility DeadLetterQueue",
      "sqs:DeleteMessage DeadLetterQueue",
      "sqs:GetQueueAttributes DeadLetterQueue",
      "sqs:GetQueueAttributes Queue",
      "sqs:ReceiveMessage DeadLetterQueue",
      "sqs:SendMessage ControlQueue",
      "sqs:SendMessage DeadLetterQueue",
      "sqs:SendMessage Queue",
    ].toSorted(),
  );
  const mappings = statements.find((each) => actionsOf(each).includes("lambda:UpdateEventSourceMapping"));
  const of = (id: string) => ({ "Fn::GetAtt": [expect.stringMatching(id), "Arn"] });
  expect(mappings?.Condition).toEqual({ ArnEquals: { "lambda:FunctionArn": [of("Producer"), of("Consumer")] } });
});
