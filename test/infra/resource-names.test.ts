import { type App, Stack, Stage } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { Table } from "aws-cdk-lib/aws-dynamodb";
import { Key } from "aws-cdk-lib/aws-kms";
import { Queue } from "aws-cdk-lib/aws-sqs";
import { expect, test, vi } from "vitest";
import { fanOutIn, newApp, synthesise } from "./synthesis.ts";

// Each template takes half a second, and several where cores are shared.
vi.setConfig({ testTimeout: 600_000 });

const REGION = { "Fn::Join": ["", [expect.any(String), { Ref: "AWS::Region" }]] };

/** The property that names a resource, by the type of the resource. */
const NAME_OF: Readonly<Record<string, string>> = {
  "AWS::SQS::Queue": "QueueName",
  "AWS::DynamoDB::Table": "TableName",
  "AWS::Lambda::Function": "FunctionName",
  "AWS::IAM::Role": "RoleName",
  "AWS::Logs::LogGroup": "LogGroupName",
  "AWS::CloudWatch::Alarm": "AlarmName",
  "AWS::CloudWatch::Dashboard": "DashboardName",
  "AWS::Scheduler::ScheduleGroup": "Name",
  "AWS::Scheduler::Schedule": "Name",
};

/** The names that a template gives, and the resources that it leaves to CloudFormation, of the types above. */
function namesIn(template: Template): readonly string[] {
  const resources = Object.entries(
    template.toJSON().Resources as Record<string, { Type: string; Properties: Record<string, unknown> }>,
  );
  return resources
    .flatMap(([id, { Type, Properties }]) => {
      const property = NAME_OF[Type];
      if (property === undefined) return [];
      const name = Properties[property];
      if (name === undefined) return [`${Type} ${id} without a name`];
      if (typeof name === "string") return [name];
      expect(name).toEqual(REGION);
      return [`${(name as { "Fn::Join": [string, [string]] })["Fn::Join"][1][0]}<region>`];
    })
    .sort();
}

test("with a prefix, every resource of a workflow has a name that begins with it", () => {
  const { template } = synthesise({ prefix: "acme-prod", schedule: "rate(1 day)", options: { name: "cities" } });
  expect(namesIn(template)).toEqual([
    "/aws/lambda/acme-prod-cities-consumer",
    "/aws/lambda/acme-prod-cities-producer",
    "acme-prod-cities",
    "acme-prod-cities",
    "acme-prod-cities-<region>",
    "acme-prod-cities-consumer",
    "acme-prod-cities-consumer-<region>",
    "acme-prod-cities-consumer-failing",
    "acme-prod-cities-control-dead-letters",
    "acme-prod-cities-control-dead-letters.fifo",
    "acme-prod-cities-control.fifo",
    "acme-prod-cities-dead-letters",
    "acme-prod-cities-dead-letters",
    "acme-prod-cities-ledger",
    "acme-prod-cities-oldest-message",
    "acme-prod-cities-producer",
    "acme-prod-cities-producer-<region>",
    "acme-prod-cities-producer-failing",
    "acme-prod-cities-queue",
    "acme-prod-cities-schedule-<region>",
    "acme-prod-cities-schedule-dead-letters",
    "acme-prod-cities-schedule-dropped",
    "acme-prod-cities-service-throttling",
    "acme-prod-cities-tasks-failing",
    "acme-prod-cities-throttles",
  ]);
});

test("without a prefix, CloudFormation makes all names but that of the dashboard", () => {
  const { template } = synthesise({ schedule: "rate(1 day)" });
  const named = namesIn(template).filter((name) => !name.endsWith("without a name"));
  expect(named).toHaveLength(1);
  expect(named[0]).toMatch(/<region>$/);
  template.hasResourceProperties("AWS::CloudWatch::Dashboard", { DashboardName: Match.anyValue() });
});

test("a prefix leaves the names of given queues and of a given table alone", () => {
  const arn = (name: string) => `arn:aws:sqs:us-east-1:111122223333:${name}`;
  const { template } = synthesise((stack) => ({
    prefix: "acme",
    options: { name: "cities" },
    table: Table.fromTableName(stack, "Table", "ledger"),
    queues: {
      queue: Queue.fromQueueArn(stack, "Given", arn("items")),
      deadLetterQueue: Queue.fromQueueArn(stack, "GivenDead", arn("dead")),
      controlQueue: Queue.fromQueueArn(stack, "GivenControl", arn("control.fifo")),
      controlDeadLetterQueue: Queue.fromQueueArn(stack, "GivenControlDead", arn("control-dead.fifo")),
    },
    alarms: false,
    dashboard: false,
  }));
  expect(namesIn(template)).toEqual([
    "/aws/lambda/acme-cities-consumer",
    "/aws/lambda/acme-cities-producer",
    "acme-cities-consumer",
    "acme-cities-consumer-<region>",
    "acme-cities-producer",
    "acme-cities-producer-<region>",
  ]);
});

test("CloudWatch Logs may use the key for the log groups with the names of the prefix", () => {
  const { template } = synthesise((stack) => ({
    prefix: "acme",
    options: { name: "cities" },
    encryptionKey: new Key(stack, "Key"),
  }));
  const [key] = Object.values(template.findResources("AWS::KMS::Key"));
  expect(JSON.stringify(key?.Properties.KeyPolicy)).toContain(":log-group:/aws/lambda/acme-cities-*");
});

test.for([
  ["acme-prod-", "must begin with a letter"],
  ["2acme", "must begin with a letter"],
  ["acme_prod", "must begin with a letter"],
  ["", "must begin with a letter"],
  [5, 'but is 5: the resources are named <prefix>-<workflow>-..., such as "acme-prod-cities-consumer"'],
] as const)("the prefix %j is refused", ([prefix, message]) => {
  expect(() => synthesise({ prefix: prefix as string })).toThrow(message);
});

test("a prefix and a workflow's name have at most 39 characters together", () => {
  const options = { name: "cities" };
  expect(() => synthesise({ prefix: "p".repeat(32), options })).not.toThrow();
  expect(() => synthesise({ prefix: "p".repeat(33), options })).toThrow(
    "has 40, and the names of roles would be too long",
  );
});

test("two constructs with the same names in one account and region are refused, and in two regions they are not", () => {
  const [account, options] = ["123456789012", { name: "cities" }];
  const inStages = (...regions: readonly string[]) => {
    const app: App = newApp();
    return regions.map((region, index) => {
      const stage = new Stage(app, `stage${index}`, { env: { account, region } });
      return fanOutIn(new Stack(stage, "Stack"), { prefix: "acme", options });
    });
  };
  expect(() => inStages("eu-central-1", "eu-central-1")).toThrow(
    'two FanOut constructs whose resources are named "acme-cities-..." in aws://123456789012/eu-central-1',
  );
  const [fanOut] = inStages("eu-central-1", "us-east-1");
  const template = Template.fromStack(Stack.of(fanOut as NonNullable<typeof fanOut>));
  // In a stack whose region is known, the names contain it.
  template.hasResourceProperties("AWS::IAM::Role", { RoleName: "acme-cities-consumer-eu-central-1" });
});

test.for([
  // IAM does not distinguish names by case.
  { first: ["acme", "cities"], second: ["Acme", "cities"] },
  // Both would have an alarm acme-cities-control-dead-letters.
  { first: ["acme", "cities"], second: ["acme", "cities-control"] },
  // Both would have a queue acme-cities-schedule-dead-letters.
  { first: ["acme", "cities-schedule"], second: ["acme", "cities"] },
] as const)("two constructs that would have a name in common are refused: $first and $second", ({ first, second }) => {
  const app: App = newApp();
  const add = ([prefix, name]: readonly [string, string]) =>
    fanOutIn(new Stack(app, `${prefix}-${name}`), { prefix, options: { name } });
  expect(() => add(first)).not.toThrow();
  expect(() => add(second)).toThrow(
    `two FanOut constructs whose resources are named "${first.join("-")}-..." and "${second.join("-")}-..."`,
  );
});

test("two constructs with different workflows and one prefix are accepted", () => {
  const app: App = newApp();
  for (const name of ["cities", "cities-producer"]) {
    expect(() => fanOutIn(new Stack(app, name), { prefix: "acme", options: { name } })).not.toThrow();
  }
});
