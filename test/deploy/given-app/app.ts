import { fileURLToPath } from "node:url";
import { App, Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { AttributeType, BillingMode, Table, TableEncryption } from "aws-cdk-lib/aws-dynamodb";
import { Key } from "aws-cdk-lib/aws-kms";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { FanOut } from "../../../infra/fan-out.ts";
import { topology as topologyOf } from "../../../shared/definition/topology.ts";
import greetings from "./greetings.ts";

// An app of a user whose queues, table and key exist before the workflow is deployed.
const app = new App();
const env = { account: "000000000000", region: "us-east-1" };
const stackOf = (name: string) => new Stack(app, name, { env });

const topology = topologyOf(greetings);
const existing = stackOf("existing");
const key = new Key(existing, "Key", { removalPolicy: RemovalPolicy.DESTROY });

new Table(existing, "Table", {
  tableName: "shop-greetings",
  partitionKey: { name: "pk", type: AttributeType.STRING },
  sortKey: { name: "sk", type: AttributeType.STRING },
  timeToLiveAttribute: "expiresAt",
  billingMode: BillingMode.PAY_PER_REQUEST,
  encryption: TableEncryption.CUSTOMER_MANAGED,
  encryptionKey: key,
});

/** A queue and its dead-letter queue, as `docs/guides/deploy.md` asks for them. */
function queuesOf(
  name: string,
  suffix: string,
  { visibilityTimeoutSeconds, retentionSeconds, maxReceiveCount }: typeof topology.queue,
) {
  const common = {
    encryption: QueueEncryption.KMS,
    encryptionMasterKey: key,
    ...(suffix !== "" && { fifo: true, contentBasedDeduplication: true }),
  };
  const dead = new Queue(existing, `${name}Dead`, {
    ...common,
    queueName: `${name}-dead${suffix}`,
    retentionPeriod: Duration.seconds(topology.deadLetterQueue.retentionSeconds),
  });
  new Queue(existing, name, {
    ...common,
    queueName: `${name}${suffix}`,
    visibilityTimeout: Duration.seconds(visibilityTimeoutSeconds),
    retentionPeriod: Duration.seconds(retentionSeconds),
    deadLetterQueue: { queue: dead, maxReceiveCount },
  });
}
queuesOf("shop-items", "", topology.queue);
queuesOf("shop-control", ".fifo", topology.controlQueue);

const props = {
  workflow: greetings,
  workflowFile: fileURLToPath(new URL("greetings.ts", import.meta.url)),
  removalPolicy: RemovalPolicy.DESTROY,
};

const imported = stackOf("imported");
const queue = (name: string) =>
  Queue.fromQueueAttributes(imported, name, {
    queueArn: imported.formatArn({ service: "sqs", resource: name }),
    keyArn: key.keyArn,
    // The ARN has a partition that is known at the deployment only, so the CDK does not see the end of it.
    fifo: name.endsWith(".fifo"),
  });
new FanOut(imported, "FanOut", {
  ...props,
  table: Table.fromTableAttributes(imported, "Table", { tableName: "shop-greetings", encryptionKey: key }),
  queues: {
    queue: queue("shop-items"),
    deadLetterQueue: queue("shop-items-dead"),
    controlQueue: queue("shop-control.fifo"),
    controlDeadLetterQueue: queue("shop-control-dead.fifo"),
  },
}).node.addDependency(existing);

new FanOut(stackOf("named"), "FanOut", {
  ...props,
  prefix: "acme-test",
  encryptionKey: key,
  // The schedule is created with its name, and starts nothing.
  schedule: { expression: "rate(1 day)", enabled: false },
});
