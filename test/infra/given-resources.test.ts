import { Duration, Fn, type Stack } from "aws-cdk-lib";
import { AttributeType, Table, type TableProps } from "aws-cdk-lib/aws-dynamodb";
import { Key } from "aws-cdk-lib/aws-kms";
import { Queue, type QueueProps } from "aws-cdk-lib/aws-sqs";
import { expect, test, vi } from "vitest";
import type { GivenQueues, GivenTable } from "../../infra/given-resources.ts";
import { topology as topologyOf } from "../../shared/definition/topology.ts";
import { defineWorkflow } from "../../shared/definition/workflow.ts";
import { workflowOptions } from "../helpers/workflow-options.ts";
import { fanOutIn, rightsOfRole, synthesise } from "./synthesis.ts";

// Each template takes half a second, and several where cores are shared.
vi.setConfig({ testTimeout: 600_000 });

const topology = topologyOf(defineWorkflow(workflowOptions()));
const arn = (name: string) => `arn:aws:sqs:us-east-1:111122223333:${name}`;

const importedQueues = (stack: Stack): GivenQueues => ({
  queue: Queue.fromQueueArn(stack, "Given", arn("items")),
  deadLetterQueue: Queue.fromQueueArn(stack, "GivenDead", arn("dead")),
  controlQueue: Queue.fromQueueArn(stack, "GivenControl", arn("control.fifo")),
  controlDeadLetterQueue: Queue.fromQueueArn(stack, "GivenControlDead", arn("control-dead.fifo")),
});

type Changes = Partial<Record<keyof GivenQueues, Partial<QueueProps>>> & { readonly maxReceiveCount?: number };

/** Queues of the app that are right, except for what a test changes. */
function ownQueues(stack: Stack, changes: Changes = {}): GivenQueues {
  const seconds = Duration.seconds;
  const dead = { retentionPeriod: seconds(topology.deadLetterQueue.retentionSeconds) };
  const deadLetterQueue = new Queue(stack, "Dead", { ...dead, ...changes.deadLetterQueue });
  const controlDeadLetterQueue = new Queue(stack, "ControlDead", {
    ...dead,
    fifo: true,
    ...changes.controlDeadLetterQueue,
  });
  const settings = (of: (typeof topology)["queue"], queue: Queue) => ({
    visibilityTimeout: seconds(of.visibilityTimeoutSeconds),
    retentionPeriod: seconds(of.retentionSeconds),
    deadLetterQueue: { queue, maxReceiveCount: changes.maxReceiveCount ?? of.maxReceiveCount },
  });
  return {
    queue: new Queue(stack, "Items", { ...settings(topology.queue, deadLetterQueue), ...changes.queue }),
    deadLetterQueue,
    controlQueue: new Queue(stack, "Control", {
      ...settings(topology.controlQueue, controlDeadLetterQueue),
      fifo: true,
      contentBasedDeduplication: true,
      ...changes.controlQueue,
    }),
    controlDeadLetterQueue,
  };
}

const text = AttributeType.STRING;
const ownTable = (stack: Stack, changes: Partial<TableProps> = {}): GivenTable =>
  new Table(stack, "Table", {
    partitionKey: { name: "pk", type: text },
    sortKey: { name: "sk", type: text },
    timeToLiveAttribute: "expiresAt",
    ...changes,
  });

test("imported queues and an imported table take the place of those of the construct", () => {
  const { template, fanOut } = synthesise((stack) => ({
    queues: importedQueues(stack),
    table: Table.fromTableName(stack, "Table", "ledger"),
    schedule: "rate(1 day)",
  }));
  // The schedule keeps its own dead-letter queue.
  template.resourceCountIs("AWS::SQS::Queue", 1);
  template.resourceCountIs("AWS::DynamoDB::Table", 0);
  const mapped = Object.values(template.findResources("AWS::Lambda::EventSourceMapping"));
  expect(mapped.map(({ Properties }) => Properties.EventSourceArn)).toEqual([arn("control.fifo"), arn("items")]);
  const [schedule] = Object.values(template.findResources("AWS::Scheduler::Schedule"));
  expect(schedule?.Properties.Target.Arn).toBe(arn("control.fifo"));
  const [first] = Object.values(template.findResources("AWS::Lambda::Function"));
  expect(first?.Properties.Environment.Variables.SLUICE_TABLE).toBe("ledger");
  expect(rightsOfRole(template, "FanOutConsumer")).toEqual(
    expect.arrayContaining([
      `sqs:ReceiveMessage ${arn("items")}`,
      `sqs:SendMessage ${arn("dead")}`,
      "dynamodb:UpdateItem table/ledger",
    ]),
  );
  expect(fanOut.queue.queueArn).toBe(arn("items"));
});

test("queues and a table of the app that are right are taken", () => {
  const { template } = synthesise((stack) => ({
    queues: ownQueues(stack),
    table: ownTable(stack),
    schedule: "rate(1 day)",
  }));
  template.resourceCountIs("AWS::SQS::Queue", 5);
  template.resourceCountIs("AWS::DynamoDB::Table", 1);
});

test("the functions and the schedule get the rights on the keys of given queues and of a given table", () => {
  const { template } = synthesise((stack) => {
    const encryptionMasterKey = new Key(stack, "QueueKey");
    return {
      queues: ownQueues(stack, { queue: { encryptionMasterKey }, controlQueue: { encryptionMasterKey } }),
      table: ownTable(stack, { encryptionKey: new Key(stack, "TableKey") }),
      schedule: "rate(1 day)",
    };
  });
  const direct = ["kms:Decrypt QueueKey", "kms:GenerateDataKey QueueKey"];
  expect(rightsOfRole(template, "FanOutConsumer")).toEqual(
    expect.arrayContaining([...direct, "kms:ReEncryptTo TableKey"]),
  );
  expect(rightsOfRole(template, "FanOutSchedule")).toEqual(expect.arrayContaining(direct));
});

const refused =
  (changes: Changes, schedule = "rate(1 day)") =>
  () =>
    synthesise((stack) => ({ queues: ownQueues(stack, changes), schedule }));
const least = topology.queue;

test.each<[Changes, string]>([
  [
    { queue: { visibilityTimeout: Duration.seconds(least.visibilityTimeoutSeconds - 1) } },
    `queues.queue must have a visibilityTimeout of at least ${least.visibilityTimeoutSeconds} s, but has`,
  ],
  [
    { queue: { retentionPeriod: Duration.seconds(least.retentionSeconds - 1) } },
    `queues.queue must have a retentionPeriod of at least ${least.retentionSeconds} s`,
  ],
  [
    { controlQueue: { retentionPeriod: Duration.days(14) } },
    "queues.controlQueue keeps messages for 1209600 s, and queues.controlDeadLetterQueue keeps them for 1209600 s",
  ],
  [
    { deadLetterQueue: { retentionPeriod: Duration.days(12) } },
    `queues.deadLetterQueue must have a retentionPeriod of at least ${topology.deadLetterQueue.retentionSeconds} s`,
  ],
  [{ maxReceiveCount: 2 }, "queues.queue must have a deadLetterQueue.maxReceiveCount of at least"],
  [{ controlQueue: { contentBasedDeduplication: false } }, "queues.controlQueue must deduplicate by content"],
])("a queue of the app with a wrong setting is refused with the fix: %j", (changes, message) => {
  expect(refused(changes)).toThrow(message);
});

test("without a schedule, the control queue need not deduplicate by content", () => {
  const queues = (stack: Stack) => ownQueues(stack, { controlQueue: { contentBasedDeduplication: false } });
  expect(() => synthesise((stack) => ({ queues: queues(stack) }))).not.toThrow();
});

test("an imported FIFO queue whose ARN is known at the deployment only must be imported as one", () => {
  const importedBy = (attributes: { readonly fifo?: true }) => () =>
    synthesise((stack) => {
      const queueArn = Fn.importValue("control-queue");
      const controlQueue = Queue.fromQueueAttributes(stack, "Imported", { queueArn, ...attributes });
      return { queues: { ...importedQueues(stack), controlQueue } };
    });
  expect(importedBy({ fifo: true })).not.toThrow();
  expect(importedBy({})).toThrow(
    "queues.controlQueue must be a FIFO queue, and its ARN, which would show it, is known at the deployment only: import it " +
      "with Queue.fromQueueAttributes(scope, id, { queueArn, fifo: true })",
  );
});

test("queues of the wrong kind, without their redrive policy, or not all four are refused", () => {
  const changed = (change: (stack: Stack) => Partial<GivenQueues>) => () =>
    synthesise((stack) => ({ queues: { ...ownQueues(stack), ...change(stack) } }));
  expect(changed((stack) => ({ queue: new Queue(stack, "Fifo", { fifo: true }) }))).toThrow(
    "queues.queue must be a standard queue, because items are delayed one by one: create it without fifo",
  );
  expect(changed((stack) => ({ controlQueue: Queue.fromQueueArn(stack, "Plain", arn("plain")) }))).toThrow(
    "queues.controlQueue must be a FIFO queue",
  );
  expect(
    changed((stack) => ({ deadLetterQueue: new Queue(stack, "Other", { retentionPeriod: Duration.days(14) }) })),
  ).toThrow(
    "queues.queue must move messages to queues.deadLetterQueue: create it with deadLetterQueue: { queue: deadLetterQueue",
  );
  expect(changed(() => ({ controlQueue: undefined }) as never)).toThrow(
    "queues.controlQueue is missing: give all four",
  );
  expect(changed(() => ({ dlq: undefined }) as never)).toThrow('unknown option "dlq"');
});

test("a table with other keys or without expiry is refused with the fix", () => {
  const made = (changes: Partial<TableProps>) => () => synthesise((stack) => ({ table: ownTable(stack, changes) }));
  expect(made({ partitionKey: { name: "id", type: text } })).toThrow(
    'create it with partitionKey: { name: "pk", type: AttributeType.STRING }',
  );
  expect(made({ sortKey: { name: "sk", type: AttributeType.NUMBER } })).toThrow("both of the type STRING");
  expect(made({ timeToLiveAttribute: "ttl" })).toThrow('create it with timeToLiveAttribute: "expiresAt"');
});

test("two workflows cannot share queues or a table", () => {
  expect(() =>
    synthesise((stack) => {
      const table = ownTable(stack);
      fanOutIn(stack, { options: { name: "first" }, table }, "First");
      return { table };
    }),
  ).toThrow("table belongs to another workflow, or to another place of this one: give each workflow its own");
  expect(() =>
    synthesise((stack) => {
      const queues = importedQueues(stack);
      return { queues: { ...queues, deadLetterQueue: queues.queue } };
    }),
  ).toThrow("queues.deadLetterQueue belongs to another workflow, or to another place of this one");
});

test("options for what the construct does not create are refused", () => {
  expect(() => synthesise((stack) => ({ table: ownTable(stack), deletionProtection: true }))).toThrow(
    "deletionProtection is for the table that the construct creates, but table is one of yours",
  );
  expect(() =>
    synthesise((stack) => ({ queues: ownQueues(stack), encryptionKey: { queues: new Key(stack, "Key") } })),
  ).toThrow("encryptionKey.queues is the key of the queues that the construct creates, but it creates none: remove it");
});
