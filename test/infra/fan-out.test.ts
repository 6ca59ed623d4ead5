import { RemovalPolicy, Stack } from "aws-cdk-lib";
import { Annotations, Match, Template } from "aws-cdk-lib/assertions";
import { type IVpc, Vpc } from "aws-cdk-lib/aws-ec2";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { RetentionDays } from "aws-cdk-lib/aws-logs";
import { describe, expect, test, vi } from "vitest";
import { sourceRightsOf } from "../../infra/source-rights.ts";
import { EXPIRY_ATTRIBUTE, TABLE_KEYS } from "../../shared/aws/table.ts";
import { NODE_FLAGS } from "../../shared/base/node-flags.ts";
import { outputName, readOutputs, workflowsOf } from "../../shared/definition/stack-outputs.ts";
import { topology as topologyOf } from "../../shared/definition/topology.ts";
import { defineWorkflow, type Workflow } from "../../shared/definition/workflow.ts";
import { parseControlMessage } from "../../shared/messages/control.ts";
import { dynamoDbScan, postgresRows, s3Objects } from "../../shared/sources/index.ts";
import { workflowOptions } from "../helpers/workflow-options.ts";
import { fanOutIn, newApp, rightsOfRole, type Statement, synthesise } from "./synthesis.ts";

// Each template takes half a second, and several where cores are shared.
vi.setConfig({ testTimeout: 120_000 });

const options = { name: "orders", concurrency: 40, tasksPerEnvironment: 10 } as const;
const topology = topologyOf(defineWorkflow(workflowOptions(options)));
const { template, stack } = synthesise({ options, schedule: "rate(1 day)" });

/** Every option that changes what is made. */
const full = synthesise((stack) => ({
  options,
  encryptionKey: new Key(stack, "Key", { enableKeyRotation: true }),
  deletionProtection: true,
  logRetention: RetentionDays.ONE_WEEK,
  reservedConcurrency: 7,
  environment: { API_URL: "https://api.test" },
  schedule: {
    expression: "cron(0 8 ? * MON-FRI *)",
    timeZone: "Europe/Berlin",
    flexibleWindow: { minutes: 15 },
    enabled: false,
  },
  permissions: [
    { actions: ["s3:GetObject"], resources: ["arn:aws:s3:::invoices/*"], reason: "Every invoice is an item." },
    { actions: ["s3:ListBucket"], resources: ["arn:aws:s3:::invoices"], function: "producer" },
  ],
}));

/** The one resource of a type whose logical id starts so. */
function resource(type: string, id: string, of: Template = template): [string, Record<string, unknown>] {
  const found = Object.entries(of.findResources(type)).filter(([logicalId]) =>
    new RegExp(`^FanOut${id}[0-9A-F]{8}$`).test(logicalId),
  );
  expect(found).toHaveLength(1);
  const [[logicalId, { Properties }] = ["", { Properties: {} }]] = found as [string, { Properties: object }][];
  return [logicalId, Properties as Record<string, unknown>];
}

const defaultBus = {
  "Fn::Join": [
    "",
    [
      "arn:",
      { Ref: "AWS::Partition" },
      ":events:",
      { Ref: "AWS::Region" },
      ":",
      { Ref: "AWS::AccountId" },
      ":event-bus/default",
    ],
  ],
};

const arnOf = (type: string, id: string) => ({ "Fn::GetAtt": [resource(type, id)[0], "Arn"] });
const SQS = "AWS::SQS::Queue";

describe("queues", () => {
  test("their numbers are the topology's", () => {
    const { queue, controlQueue, deadLetterQueue } = topology;
    // A schedule adds the dead-letter queue of its own.
    template.resourceCountIs(SQS, 5);
    synthesise().template.resourceCountIs(SQS, 4);
    expect(resource(SQS, "QueuesQueue")[1]).toMatchObject({
      VisibilityTimeout: queue.visibilityTimeoutSeconds,
      MessageRetentionPeriod: queue.retentionSeconds,
      RedrivePolicy: {
        deadLetterTargetArn: arnOf(SQS, "QueuesDeadLetterQueue"),
        maxReceiveCount: queue.maxReceiveCount,
      },
    });
    expect(resource(SQS, "QueuesControlQueue")[1]).toMatchObject({
      VisibilityTimeout: controlQueue.visibilityTimeoutSeconds,
      MessageRetentionPeriod: controlQueue.retentionSeconds,
      RedrivePolicy: {
        deadLetterTargetArn: arnOf(SQS, "QueuesControlDeadLetterQueue"),
        maxReceiveCount: controlQueue.maxReceiveCount,
      },
    });
    for (const id of ["QueuesDeadLetterQueue", "QueuesControlDeadLetterQueue"]) {
      expect(resource(SQS, id)[1].MessageRetentionPeriod).toBe(deadLetterQueue.retentionSeconds);
    }
  });

  test("dead letters are kept for longer than the messages they were", () => {
    const retention = (id: string) => Number(resource(SQS, id)[1].MessageRetentionPeriod);
    expect(retention("QueuesDeadLetterQueue")).toBeGreaterThan(retention("QueuesQueue"));
    expect(retention("QueuesControlDeadLetterQueue")).toBeGreaterThan(retention("QueuesControlQueue"));
  });

  test("only the control queue is FIFO, and it deduplicates by content for the schedule", () => {
    expect(resource(SQS, "QueuesControlQueue")[1]).toMatchObject({ FifoQueue: true, ContentBasedDeduplication: true });
    expect(resource(SQS, "QueuesControlDeadLetterQueue")[1]).toMatchObject({ FifoQueue: true });
    for (const id of ["QueuesQueue", "QueuesDeadLetterQueue"]) {
      expect(resource(SQS, id)[1]).not.toHaveProperty("FifoQueue");
    }
  });

  test("all are encrypted and accept requests over TLS only", () => {
    template.allResourcesProperties(SQS, { SqsManagedSseEnabled: true });
    const policies = Object.values(template.findResources("AWS::SQS::QueuePolicy"));
    expect(policies).toHaveLength(5);
    for (const { Properties } of policies) {
      // Nothing else is in it: no queue is open to anyone.
      expect(Properties.PolicyDocument.Statement).toEqual([
        {
          Action: "sqs:*",
          Condition: { Bool: { "aws:SecureTransport": "false" } },
          Effect: "Deny",
          Principal: { AWS: "*" },
          Resource: expect.anything(),
        },
      ]);
    }
  });

  test("a key of the user encrypts all of them", () => {
    full.template.allResourcesProperties(SQS, {
      KmsMasterKeyId: Match.anyValue(),
      SqsManagedSseEnabled: Match.absent(),
    });
  });
});

describe("a stack that is deleted", () => {
  const DEAD_LETTER_QUEUES = [
    "QueuesControlDeadLetterQueue",
    "QueuesDeadLetterQueue",
    "ScheduleDeadLetterQueue",
  ] as const;

  /** The queues and the queue policies that outlive the stack, without the hashes of their logical ids. */
  const retained = (of: Template) =>
    [SQS, "AWS::SQS::QueuePolicy"]
      .flatMap((type) => Object.entries(of.findResources(type)))
      .filter(
        ([, { DeletionPolicy, UpdateReplacePolicy }]) => `${DeletionPolicy}${UpdateReplacePolicy}` === "RetainRetain",
      )
      .map(([id]) => id.replace(/^FanOut/, "").replace(/[0-9A-F]{8}$/, ""))
      .toSorted();

  const withPolicies = DEAD_LETTER_QUEUES.flatMap((id) => [id, `${id}Policy`]);

  test("leaves its dead letters behind, and their queues still refuse requests without TLS", () => {
    expect(retained(template)).toEqual(withPolicies);
    expect(retained(full.template)).toEqual(withPolicies);
  });

  test("deletes them if removalPolicy says so, as it deletes the ledger", () => {
    const dropped = synthesise({ options, schedule: "rate(1 day)", removalPolicy: RemovalPolicy.DESTROY }).template;
    dropped.allResources(SQS, { DeletionPolicy: "Delete", UpdateReplacePolicy: "Delete" });
    dropped.hasResource("AWS::DynamoDB::Table", { DeletionPolicy: "Delete" });
  });

  test("keeps none of the other queues, because the producer can fill them again from the source and the ledger", () => {
    for (const id of ["QueuesQueue", "QueuesControlQueue"]) expect(retained(template)).not.toContain(id);
  });
});

describe("ledger", () => {
  const TABLE = "AWS::DynamoDB::Table";

  test("has the ledger's keys, on-demand billing, point-in-time recovery and a time to live", () => {
    expect(resource(TABLE, "Ledger")[1]).toMatchObject({
      KeySchema: [
        { AttributeName: TABLE_KEYS.partition, KeyType: "HASH" },
        { AttributeName: TABLE_KEYS.sort, KeyType: "RANGE" },
      ],
      AttributeDefinitions: [
        { AttributeName: TABLE_KEYS.partition, AttributeType: "S" },
        { AttributeName: TABLE_KEYS.sort, AttributeType: "S" },
      ],
      BillingMode: "PAY_PER_REQUEST",
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      TimeToLiveSpecification: { AttributeName: EXPIRY_ATTRIBUTE, Enabled: true },
      DeletionProtectionEnabled: false,
    });
  });

  test("is retained by default, and protected if the option says so", () => {
    template.hasResource(TABLE, { DeletionPolicy: "Retain", UpdateReplacePolicy: "Retain" });
    full.template.hasResource(TABLE, { Properties: { DeletionProtectionEnabled: true } });
    const dropped = synthesise({ options, removalPolicy: RemovalPolicy.DESTROY }).template;
    dropped.hasResource(TABLE, { DeletionPolicy: "Delete" });
    dropped.allResources("AWS::Logs::LogGroup", { DeletionPolicy: "Delete" });
  });
});

describe("functions", () => {
  const LAMBDA = "AWS::Lambda::Function";

  test("run on Node 24 on arm64, traced, with source maps", () => {
    template.resourceCountIs(LAMBDA, 2);
    template.allResourcesProperties(LAMBDA, {
      Runtime: "nodejs24.x",
      Architectures: ["arm64"],
      Handler: "index.handler",
      TracingConfig: { Mode: "Active" },
      Environment: { Variables: Match.objectLike({ NODE_OPTIONS: NODE_FLAGS.join(" ") }) },
    });
  });

  test("their numbers are the topology's", () => {
    for (const name of ["producer", "consumer"] as const) {
      const id = name === "producer" ? "Producer" : "Consumer";
      expect(resource(LAMBDA, `${id}Function`)[1]).toMatchObject({
        Timeout: topology[name].timeoutSeconds,
        MemorySize: topology[name].memoryMb,
      });
    }
  });

  test("receive the environment variables that they parse", () => {
    for (const id of ["ProducerFunction", "ConsumerFunction"]) {
      expect(resource(LAMBDA, id)[1].Environment).toEqual({
        Variables: {
          NODE_OPTIONS: NODE_FLAGS.join(" "),
          SLUICE_QUEUE_URL: { Ref: resource(SQS, "QueuesQueue")[0] },
          SLUICE_DEAD_LETTER_QUEUE_URL: { Ref: resource(SQS, "QueuesDeadLetterQueue")[0] },
          SLUICE_CONTROL_QUEUE_URL: { Ref: resource(SQS, "QueuesControlQueue")[0] },
          SLUICE_CONTROL_DEAD_LETTER_QUEUE_URL: { Ref: resource(SQS, "QueuesControlDeadLetterQueue")[0] },
          SLUICE_EVENT_BUS: defaultBus,
          SLUICE_TABLE: { Ref: resource("AWS::DynamoDB::Table", "Ledger")[0] },
          SLUICE_CONCURRENCY: String(topology.concurrency),
          SLUICE_TASKS_PER_ENVIRONMENT: String(topology.tasksPerEnvironment),
          SLUICE_MAX_BACKLOG: String(topology.maxBacklog),
          SLUICE_SLICE_SECONDS: String(topology.producer.sliceSeconds),
          SLUICE_CONTROL_VISIBILITY_SECONDS: String(topology.producer.visibilitySeconds),
          SLUICE_REFILL_SECONDS: String(topology.consumer.refillSeconds),
          SLUICE_REFILL_WAITING_SECONDS: String(topology.consumer.refillWaitingSeconds),
          SLUICE_REFILL_VISIBILITY_SECONDS: String(topology.consumer.refillVisibilitySeconds),
          SLUICE_STACK: "Stack",
          SLUICE_FAST_PATH: "on",
        },
      });
    }
  });

  test("the fast path is off if the deploying environment says so, and other values are refused", () => {
    vi.stubEnv("SLUICE_FAST_PATH", "off");
    synthesise().template.allResourcesProperties(LAMBDA, {
      Environment: { Variables: Match.objectLike({ SLUICE_FAST_PATH: "off" }) },
    });
    vi.stubEnv("SLUICE_FAST_PATH", "false");
    expect(() => synthesise()).toThrow('SLUICE_FAST_PATH must be on or off, but is "false"');
    vi.unstubAllEnvs();
  });

  test("the workflow's own variables are added and cannot replace them", () => {
    full.template.allResourcesProperties(LAMBDA, {
      Environment: { Variables: Match.objectLike({ API_URL: "https://api.test" }) },
    });
    for (const name of ["SLUICE_TABLE", "AWS_REGION", "LAMBDA_TASK_ROOT", "_HANDLER"]) {
      expect(() => synthesise({ environment: { [name]: "x" } })).toThrow(`environment has ${name}`);
    }
  });

  test("a wrapper script may start the runtime, because Lambda does not reserve its variable", () => {
    const environment = { AWS_LAMBDA_EXEC_WRAPPER: "/opt/otel-handler" };
    synthesise({ environment }).template.allResourcesProperties(LAMBDA, {
      Environment: { Variables: Match.objectLike(environment) },
    });
  });

  test("Node's flags of the user are added to those of Sluice, and stand last", () => {
    const environment = { NODE_OPTIONS: "--max-semi-space-size=16" };
    synthesise({ environment }).template.allResourcesProperties(LAMBDA, {
      Environment: {
        Variables: Match.objectLike({ NODE_OPTIONS: `${NODE_FLAGS.join(" ")} --max-semi-space-size=16` }),
      },
    });
  });

  test("names and sizes that Lambda does not allow are refused at synth", () => {
    for (const name of ["A", "1A", "A-B"]) {
      expect(() => synthesise({ environment: { [name]: "x" } })).toThrow(`environment has "${name}", but a name must`);
    }
    expect(() => synthesise({ environment: { LARGE: "x".repeat(4_096) } })).toThrow(
      /the environment variables of a function may have 4096 bytes, but have at least \d+:/,
    );
    expect(() => synthesise({ environment: { LARGE: "x".repeat(2_000) } })).not.toThrow();
  });

  test("a variable that the workflow names and that has no value is a warning", () => {
    const unset = new Stack(newApp(), "Unset");
    const workflow = { ...defineWorkflow(workflowOptions()), environment: ["API_URL", "API_KEY"] };
    fanOutIn(unset, { workflow, environment: { API_KEY: "k" } });
    const warnings = Annotations.fromStack(unset).findWarning("*", Match.stringLikeRegexp("API_"));
    expect(warnings).toHaveLength(1);
    expect(String(warnings[0]?.entry.data)).toContain("API_URL");
    expect(Annotations.fromStack(stack).findWarning("*", Match.anyValue())).toEqual([]);
  });

  test("the producer may call itself over the control queue; a consumer that does is stopped", () => {
    expect(resource(LAMBDA, "ProducerFunction")[1].RecursiveLoop).toBe("Allow");
    expect(resource(LAMBDA, "ConsumerFunction")[1].RecursiveLoop).toBe("Terminate");
  });

  test("have their own log groups, with a retention time", () => {
    template.resourceCountIs("AWS::Logs::LogGroup", 2);
    template.allResourcesProperties("AWS::Logs::LogGroup", { RetentionInDays: 30 });
    full.template.allResourcesProperties("AWS::Logs::LogGroup", { RetentionInDays: 7 });
    for (const id of ["Producer", "Consumer"]) {
      expect(resource(LAMBDA, `${id}Function`)[1].LoggingConfig).toEqual({
        LogGroup: { Ref: resource("AWS::Logs::LogGroup", `${id}Logs`)[0] },
      });
    }
  });
});

describe("mappings", () => {
  const MAPPING = "AWS::Lambda::EventSourceMapping";

  test("the consumer's has the topology's numbers, and reports failures by message", () => {
    const { batchSize, environments } = topology;
    expect(resource(MAPPING, "ConsumerMapping")[1]).toEqual({
      EventSourceArn: arnOf(SQS, "QueuesQueue"),
      FunctionName: { Ref: resource("AWS::Lambda::Function", "ConsumerFunction")[0] },
      BatchSize: batchSize,
      Enabled: true,
      ScalingConfig: { MaximumConcurrency: environments },
      FunctionResponseTypes: ["ReportBatchItemFailures"],
      Tags: expect.anything(),
    });
  });

  test("the producer's takes one control message at a time", () => {
    expect(resource(MAPPING, "ProducerMapping")[1]).toMatchObject({
      EventSourceArn: arnOf(SQS, "QueuesControlQueue"),
      FunctionName: { Ref: resource("AWS::Lambda::Function", "ProducerFunction")[0] },
      BatchSize: 1,
      ScalingConfig: { MaximumConcurrency: topology.producer.environments },
      FunctionResponseTypes: ["ReportBatchItemFailures"],
    });
  });

  test("a batch above ten has its window", () => {
    const wide = synthesise({ options: { concurrency: 200, tasksPerEnvironment: 100, refill: false } }).template;
    expect(resource(MAPPING, "ConsumerMapping", wide)[1]).toMatchObject({
      BatchSize: 100,
      MaximumBatchingWindowInSeconds: 1,
    });
  });

  test("no more tasks run than the workflow allows: environments by tasks in each", () => {
    const { MaximumConcurrency } = resource(MAPPING, "ConsumerMapping")[1].ScalingConfig as Record<string, number>;
    expect(Number(MaximumConcurrency) * topology.tasksPerEnvironment).toBe(options.concurrency);
  });
});

describe("reserved concurrency", () => {
  const reserved = (id: string, of: Template) =>
    resource("AWS::Lambda::Function", id, of)[1].ReservedConcurrentExecutions;

  test("is the mapping's maximum concurrency, or a larger number", () => {
    expect(reserved("ConsumerFunction", template)).toBe(topology.environments);
    expect(reserved("ProducerFunction", template)).toBe(topology.producer.environments);
    expect(reserved("ConsumerFunction", full.template)).toBe(7);
  });

  test("is refused below the maximum concurrency only", () => {
    expect(() => synthesise({ options, reservedConcurrency: topology.environments })).not.toThrow();
    expect(() => synthesise({ options, reservedConcurrency: topology.environments - 1 })).toThrow(
      "reservedConcurrency must be a whole number of at least 4, the maximum concurrency of the consumer's mapping, " +
        "but is 3: raise it, or lower the workflow's concurrency",
    );
  });

  test("can be none, for an account with a small quota", () => {
    const { template: unreserved } = synthesise({ options, reservedConcurrency: "none" });
    unreserved.allResourcesProperties("AWS::Lambda::Function", { ReservedConcurrentExecutions: Match.absent() });
  });

  const notes = (of: Stack) =>
    Annotations.fromStack(of)
      .findInfo("*", Match.anyValue())
      .map(({ entry }) => String(entry.data));

  test("a note at synth says which quota the account needs, and what to do in a new account", () => {
    expect(notes(stack)).toEqual([
      expect.stringMatching(
        /^orders: the functions reserve 6 concurrent executions.* at least 106,.* quota of 10\..*reserve=false/,
      ),
    ]);
  });

  test("without reserved concurrency, a note says if a new account would throttle the functions", () => {
    const none = { reservedConcurrency: "none" } as const;
    expect(notes(synthesise({ ...none, options }).stack)).toEqual([]);
    const eight = { concurrency: 80, tasksPerEnvironment: 10 };
    expect(notes(synthesise({ ...none, options: eight }).stack)).toEqual([]);
    expect(notes(synthesise({ ...none, options: { ...eight, concurrency: 90 } }).stack)).toEqual([
      expect.stringMatching(/use up to 11 concurrent executions.* at most 8 x tasksPerEnvironment/),
    ]);
  });
});

describe("rights", () => {
  const logs = (id: string) => [`logs:CreateLogStream ${id}Logs`, `logs:PutLogEvents ${id}Logs`];
  const xRay = ["xray:PutTelemetryRecords *", "xray:PutTraceSegments *"];
  const ledger = ["dynamodb:BatchGetItem Ledger", "dynamodb:GetItem Ledger", "dynamodb:UpdateItem Ledger"];
  const receive = (queue: string) =>
    ["ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage"].map(
      (action) => `sqs:${action} ${queue}`,
    );
  const producer = [
    ...ledger,
    ...logs("Producer"),
    ...receive("ControlQueue"),
    "dynamodb:Query Ledger",
    "events:PutEvents event-bus/default",
    "sqs:GetQueueAttributes Queue",
    "sqs:SendMessage ControlDeadLetterQueue",
    "sqs:SendMessage ControlQueue",
    "sqs:SendMessage DeadLetterQueue",
    "sqs:SendMessage Queue",
    ...xRay,
  ];
  const consumer = [
    ...ledger,
    ...logs("Consumer"),
    ...receive("Queue"),
    "sqs:SendMessage ControlQueue",
    "sqs:SendMessage DeadLetterQueue",
    "sqs:SendMessage Queue",
    ...xRay,
  ];

  test("each function has the permissions that it uses, and no others", () => {
    expect(rightsOfRole(template, "FanOutProducerRole")).toEqual(producer.toSorted());
    expect(rightsOfRole(template, "FanOutConsumerRole")).toEqual(consumer.toSorted());
  });

  test("a key of the user and the workflow's permissions are added for the right function", () => {
    const key = ["kms:Decrypt", "kms:GenerateDataKey"].map((action) => `${action} Key`);
    const tableKey = [
      "kms:Decrypt",
      "kms:DescribeKey",
      "kms:Encrypt",
      "kms:GenerateDataKey",
      "kms:GenerateDataKeyWithoutPlaintext",
      "kms:ReEncryptFrom",
      "kms:ReEncryptTo",
    ].map((action) => `${action} Key`);
    expect(rightsOfRole(full.template, "FanOutProducerRole")).toEqual(
      [...producer, ...key, ...tableKey, "s3:ListBucket arn:aws:s3:::invoices"].toSorted(),
    );
    expect(rightsOfRole(full.template, "FanOutConsumerRole")).toEqual(
      [...consumer, ...key, ...tableKey, "s3:GetObject arn:aws:s3:::invoices/*"].toSorted(),
    );
    expect(rightsOfRole(full.template, "FanOutScheduleRole")).toEqual(
      [...key, "sqs:SendMessage ControlQueue", "sqs:SendMessage ScheduleDeadLetterQueue"].toSorted(),
    );
    expect(rightsOfRole(template, "FanOutScheduleRole")).toEqual([
      "sqs:SendMessage ControlQueue",
      "sqs:SendMessage ScheduleDeadLetterQueue",
    ]);
  });

  test("the producer gets exactly the rights that the source names, in the partition of the stack", () => {
    const source = s3Objects({ bucket: "uploads", prefix: "in/" });
    const made = synthesise({ options: { ...options, source } }).template;
    const statements = Object.values(made.findResources("AWS::IAM::Policy")).flatMap(
      ({ Properties }) => Properties.PolicyDocument.Statement,
    );
    expect(statements.filter(({ Action }) => String(Action).includes("s3:"))).toEqual([
      {
        Action: "s3:ListBucket",
        Condition: { StringEquals: { "s3:prefix": "in/" } },
        Effect: "Allow",
        Resource: { "Fn::Join": ["", ["arn:", { Ref: "AWS::Partition" }, ":s3:::uploads"]] },
      },
    ]);
    expect(rightsOfRole(made, "FanOutProducerRole")).toEqual([...producer, "s3:ListBucket s3:::uploads"].toSorted());
    expect(rightsOfRole(made, "FanOutConsumerRole")).toEqual(consumer.toSorted());
  });

  test("a table is in the region and the account of the stack, and nothing else is granted", () => {
    const source = dynamoDbScan({ table: "customers", index: "by-state" });
    const { template: made, stack: own } = synthesise({ options: { ...options, source } });
    const [statement] = Object.values(made.findResources("AWS::IAM::Policy"))
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
      .filter(({ Action }) => Action === "dynamodb:Scan");
    const arn = `arn:${own.partition}:dynamodb:${own.region}:${own.account}:table/customers/index/by-state`;
    expect(statement.Resource).toEqual(own.resolve(arn));
  });

  test("a source that reads a secret gets exactly this secret, and its producer can be in the VPC of the database", () => {
    const secret = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/reader-a1B2c3";
    const source = postgresRows({ connect: { secret, host: "db.example", database: "shop" }, table: "t", key: "id" });
    const made = synthesise((stack) => ({
      options: { ...options, source },
      // The class lacks `| undefined` in its types.
      producerNetwork: { vpc: new Vpc(stack, "Vpc", { maxAzs: 1 }) as IVpc },
    })).template;
    const network = ["Assign", "Unassign"].map((verb) => `ec2:${verb}PrivateIpAddresses *`);
    const interfaces = ["Create", "Delete"].map((verb) => `ec2:${verb}NetworkInterface *`);
    const described = ["ec2:DescribeNetworkInterfaces *", "ec2:DescribeSubnets *"];
    expect(rightsOfRole(made, "FanOutProducerRole")).toEqual(
      [...producer, `secretsmanager:GetSecretValue ${secret}`, ...network, ...interfaces, ...described].toSorted(),
    );
    expect(rightsOfRole(made, "FanOutConsumerRole")).toEqual(consumer.toSorted());
    const functions = Object.values(made.findResources("AWS::Lambda::Function"));
    expect(functions.map(({ Properties }) => "VpcConfig" in Properties && Properties.Description)).toEqual(
      expect.arrayContaining(["The producer of the workflow orders", false]),
    );
  });

  test("the name of a bucket comes from the variables of the function", () => {
    const source = s3Objects({ bucket: ({ UPLOADS = "" }) => UPLOADS });
    const made = (environment: Record<string, string>) => synthesise({ options: { ...options, source }, environment });
    expect(rightsOfRole(made({ UPLOADS: "uploads" }).template, "FanOutProducerRole")).toContain(
      "s3:ListBucket s3:::uploads",
    );
    // Nothing is bundled, as in cdk destroy: then no right is needed, and a missing variable is no error.
    expect(rightsOfRole(made({}).template, "FanOutProducerRole")).toEqual(producer.toSorted());
    const { source: named } = defineWorkflow(workflowOptions({ source }));
    expect(() => sourceRightsOf({ name: "orders", source: named }, {}, true)).toThrow(
      /^the source of the workflow orders cannot say which rights it needs: the function bucket returned ""/,
    );
  });

  test("a permission for the construct is granted to the consumer", () => {
    const granted = new Stack(newApp(), "Granted");
    const fanOut = fanOutIn(granted);
    fanOut.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: ["ses:SendEmail"], resources: ["arn:aws:ses:::identity/x"] }),
    );
    const rights = rightsOfRole(Template.fromStack(granted), "FanOutConsumerRole");
    expect(rights).toContain("ses:SendEmail arn:aws:ses:::identity/x");
  });

  test("only X-Ray's actions have a wildcard, and no managed policy is attached", () => {
    for (const { Properties } of Object.values(full.template.findResources("AWS::IAM::Policy"))) {
      for (const statement of Properties.PolicyDocument.Statement as Statement[]) {
        const line = JSON.stringify(statement);
        expect(statement.Effect).toBe("Allow");
        expect(JSON.stringify(statement.Action)).not.toContain("*");
        if (!line.includes("xray:")) expect(statement.Resource, line).not.toBe("*");
      }
    }
    for (const { Properties } of Object.values(full.template.findResources("AWS::IAM::Role"))) {
      expect(Properties).not.toHaveProperty("ManagedPolicyArns");
    }
  });

  test("roles trust their service only, the schedule's for this account and group only", () => {
    const trust = (id: string) => resource("AWS::IAM::Role", id)[1].AssumeRolePolicyDocument as object;
    for (const id of ["ProducerRole", "ConsumerRole"]) {
      expect(trust(id)).toMatchObject({
        Statement: [{ Action: "sts:AssumeRole", Principal: { Service: "lambda.amazonaws.com" } }],
      });
    }
    expect(trust("ScheduleRole")).toMatchObject({
      Statement: [
        {
          Action: "sts:AssumeRole",
          Principal: { Service: "scheduler.amazonaws.com" },
          Condition: {
            StringEquals: {
              "aws:SourceAccount": { Ref: "AWS::AccountId" },
              "aws:SourceArn": arnOf("AWS::Scheduler::ScheduleGroup", "ScheduleGroup"),
            },
          },
        },
      ],
    });
  });

  test("nothing has an address on the internet", () => {
    for (const type of ["AWS::Lambda::Url", "AWS::Lambda::Permission", "AWS::SNS::Topic", "AWS::S3::Bucket"]) {
      full.template.resourceCountIs(type, 0);
    }
  });
});

describe("schedule", () => {
  const SCHEDULE = "AWS::Scheduler::Schedule";

  test("there is none by default", () => {
    synthesise().template.resourceCountIs(SCHEDULE, 0);
  });

  test("goes straight to the control queue, in the group of the workflow's starts", () => {
    template.hasResourceProperties(SCHEDULE, {
      ScheduleExpression: "rate(1 day)",
      FlexibleTimeWindow: { Mode: "OFF" },
      State: "ENABLED",
      Target: { Arn: arnOf(SQS, "QueuesControlQueue"), SqsParameters: { MessageGroupId: "orders" } },
    });
  });

  test("has a dead-letter queue of its own, which is a standard queue", () => {
    const [id, queue] = resource(SQS, "ScheduleDeadLetterQueue");
    template.hasResourceProperties(SCHEDULE, { Target: { DeadLetterConfig: { Arn: { "Fn::GetAtt": [id, "Arn"] } } } });
    expect(queue).not.toHaveProperty("FifoQueue");
    expect(queue.MessageRetentionPeriod).toBe(topology.deadLetterQueue.retentionSeconds);
  });

  test("sends a start message whose run is the scheduled time", () => {
    const { Target } = resource(SCHEDULE, "Schedule")[1] as { Target: { Input: string } };
    const body = Target.Input.replaceAll("<aws.scheduler.scheduled-time>", "2026-11-22T08:00:00Z");
    expect(parseControlMessage(body)).toEqual({
      sluice: 1,
      type: "start",
      workflow: "orders",
      run: "scheduled-2026-11-22T08:00:00Z",
      requestedAt: "2026-11-22T08:00:00Z",
      scheduled: true,
    });
  });

  test("has its time zone, its window and its state", () => {
    full.template.hasResourceProperties(SCHEDULE, {
      ScheduleExpression: "cron(0 8 ? * MON-FRI *)",
      ScheduleExpressionTimezone: "Europe/Berlin",
      FlexibleTimeWindow: { Mode: "FLEXIBLE", MaximumWindowInMinutes: 15 },
      State: "DISABLED",
    });
  });

  test("can start one run at a time in its time zone", () => {
    const schedule = { expression: "at(2199-12-24T18:00:00)", timeZone: "Europe/Berlin" };
    synthesise({ schedule }).template.hasResourceProperties(SCHEDULE, {
      ScheduleExpression: "at(2199-12-24T18:00:00)",
      ScheduleExpressionTimezone: "Europe/Berlin",
      FlexibleTimeWindow: { Mode: "OFF" },
      State: "ENABLED",
    });
  });

  test("is the workflow's, unless the construct has its own", () => {
    const workflow = {
      ...defineWorkflow(workflowOptions()),
      schedule: { expression: "rate(2 days)", timeZone: undefined, flexibleWindowMinutes: undefined, enabled: true },
    };
    synthesise({ workflow }).template.hasResourceProperties(SCHEDULE, { ScheduleExpression: "rate(2 days)" });
    const own = synthesise({ workflow, schedule: "rate(3 days)" }).template;
    own.hasResourceProperties(SCHEDULE, { ScheduleExpression: "rate(3 days)" });
  });

  test("is refused at synth if AWS would refuse it", () => {
    expect(() => synthesise({ schedule: "rate(0 days)" })).toThrow("schedule's rate");
    expect(() => synthesise({ schedule: "at(2020-01-01T00:00:00)" })).toThrow("which is in the past");
    expect(() => synthesise({ schedule: "cron(0 8 30 2 ? *)" })).toThrow("this time never comes");
  });
});

test("the workflow's file must exist and have an absolute path", () => {
  for (const workflowFile of ["workflows/seconds.ts", `${import.meta.dirname}/no-such.ts`]) {
    expect(() => synthesise({ workflowFile })).toThrow(
      `workflowFile must be the absolute path of an existing file, but is "${workflowFile}"`,
    );
  }
  expect(() => synthesise({ workflow: {} as Workflow })).toThrow("workflow must be what defineWorkflow returned");
});

test("deletion protection together with RemovalPolicy.DESTROY is refused", () => {
  expect(() => synthesise({ deletionProtection: true, removalPolicy: RemovalPolicy.DESTROY })).toThrow(
    "deletionProtection prevents the deletion of the ledger",
  );
});

test("the outputs of a stack describe each of its workflows", () => {
  const both = new Stack(newApp(), "Both");
  fanOutIn(both, { options });
  const outputs = Template.fromStack(both).toJSON().Outputs as Record<string, { Value: unknown }>;
  const deployed = Object.fromEntries(
    Object.entries(outputs).map(([name, { Value }]) => [
      name,
      typeof Value === "string" ? Value : JSON.stringify(Value),
    ]),
  );
  expect(workflowsOf(deployed)).toEqual(["orders"]);
  expect(readOutputs("orders", deployed).queueUrl).toContain("FanOutQueuesQueue");
  expect(Object.keys(deployed).toSorted()).toEqual(
    Object.keys(deployed)
      .filter((name) => /^SluiceOrders/.test(name))
      .toSorted(),
  );
  expect(() => readOutputs("cities", deployed)).toThrow('does not contain the workflow "cities"');
  expect(outputName("two-words", "queueUrl")).toBe("SluiceTwoWordsQueueUrl");
});

test("all resources have a tag with the workflow's name", () => {
  for (const type of ["AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::Lambda::Function"]) {
    template.allResourcesProperties(type, {
      Tags: Match.arrayWith([{ Key: "sluice:workflow", Value: "orders" }]),
    });
  }
});
