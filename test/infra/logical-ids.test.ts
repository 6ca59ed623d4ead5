import { Stack, Stage } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { Key } from "aws-cdk-lib/aws-kms";
import { expect, test, vi } from "vitest";
import { addWorkflowStacks } from "../../infra/stacks.ts";
import { fanOutIn, newApp, synthesise } from "./synthesis.ts";

// Each template takes half a second, and several seconds where cores are shared.
vi.setConfig({ testTimeout: 600_000 });

/**
 * The logical ids of the queues and of the ledger's table. CloudFormation deletes a resource whose logical id changes and
 * creates another one, and the messages and counts in it are lost. So these ids must never change: do not update the
 * snapshots of this file.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html
 */
function dataResources(template: Template): readonly string[] {
  return ["AWS::SQS::Queue", "AWS::DynamoDB::Table"]
    .flatMap((type) => Object.keys(template.findResources(type)).map((id) => `${type} ${id}`))
    .sort();
}

test("queues and table of a FanOut construct keep their logical ids", () => {
  expect(dataResources(synthesise().template)).toMatchInlineSnapshot(`
    [
      "AWS::DynamoDB::Table FanOutLedgerA1D3D2AE",
      "AWS::SQS::Queue FanOutQueuesControlDeadLetterQueue2DDF6B4E",
      "AWS::SQS::Queue FanOutQueuesControlQueue9206CDD5",
      "AWS::SQS::Queue FanOutQueuesDeadLetterQueue8B1FCB93",
      "AWS::SQS::Queue FanOutQueuesQueue525F3E78",
    ]
  `);
});

test("options of the construct do not change the logical ids", () => {
  const plain = dataResources(synthesise().template);
  const { template } = synthesise((stack) => ({
    options: { name: "other", concurrency: 40, refill: false, results: true },
    deletionProtection: true,
    reservedConcurrency: "none",
    encryptionKey: new Key(stack, "Key"),
    secrets: { API_KEY: "shop/api-key" },
    dashboard: false,
    alarms: false,
    tracing: false,
  }));
  expect(dataResources(template)).toEqual(plain);
});

test("a schedule adds its dead-letter queue, which keeps its logical id, and changes no other", () => {
  const plain = dataResources(synthesise().template);
  const added = dataResources(synthesise({ schedule: "rate(1 day)" }).template).filter((id) => !plain.includes(id));
  expect(added).toMatchInlineSnapshot(`
    [
      "AWS::SQS::Queue FanOutScheduleDeadLetterQueue814843BB",
    ]
  `);
});

test("a construct of another id, inside a stage, keeps its logical ids", () => {
  const stack = new Stack(new Stage(newApp(), "prod"), "Stack");
  fanOutIn(stack, {}, "Invoices");
  expect(dataResources(Template.fromStack(stack))).toMatchInlineSnapshot(`
    [
      "AWS::DynamoDB::Table InvoicesLedger1801749E",
      "AWS::SQS::Queue InvoicesQueuesControlDeadLetterQueueD925CAAC",
      "AWS::SQS::Queue InvoicesQueuesControlQueue71299735",
      "AWS::SQS::Queue InvoicesQueuesDeadLetterQueueE2CEEA93",
      "AWS::SQS::Queue InvoicesQueuesQueue78FE9C7B",
    ]
  `);
});

test("stacks made by addWorkflowStacks keep their logical ids", async () => {
  const app = newApp();
  app.node.setContext("workflows", "test/infra/staged-workflows");
  const stacks = (await addWorkflowStacks(app)).map((fanOut) => Stack.of(fanOut));
  expect(
    Object.fromEntries(stacks.map((stack) => [stack.stackName, dataResources(Template.fromStack(stack))])),
  ).toMatchInlineSnapshot(`
    {
      "sluice-first": [
        "AWS::DynamoDB::Table FanOutLedgerA1D3D2AE",
        "AWS::SQS::Queue FanOutQueuesControlDeadLetterQueue2DDF6B4E",
        "AWS::SQS::Queue FanOutQueuesControlQueue9206CDD5",
        "AWS::SQS::Queue FanOutQueuesDeadLetterQueue8B1FCB93",
        "AWS::SQS::Queue FanOutQueuesQueue525F3E78",
        "AWS::SQS::Queue FanOutScheduleDeadLetterQueue814843BB",
      ],
      "sluice-second": [
        "AWS::DynamoDB::Table FanOutLedgerA1D3D2AE",
        "AWS::SQS::Queue FanOutQueuesControlDeadLetterQueue2DDF6B4E",
        "AWS::SQS::Queue FanOutQueuesControlQueue9206CDD5",
        "AWS::SQS::Queue FanOutQueuesDeadLetterQueue8B1FCB93",
        "AWS::SQS::Queue FanOutQueuesQueue525F3E78",
        "AWS::SQS::Queue FanOutScheduleDeadLetterQueue814843BB",
      ],
    }
  `);
});
