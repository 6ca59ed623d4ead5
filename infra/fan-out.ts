import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import { Annotations, CfnOutput, RemovalPolicy, Stack, Tags, Validations } from "aws-cdk-lib";
import type { Alarm, Dashboard } from "aws-cdk-lib/aws-cloudwatch";
import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import type { ISecurityGroup, IVpc, SubnetSelection } from "aws-cdk-lib/aws-ec2";
import { EventBus, type IEventBus } from "aws-cdk-lib/aws-events";
import type { Grant, IGrantable, IPrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { type IFunction, RecursiveLoop } from "aws-cdk-lib/aws-lambda";
import { RetentionDays } from "aws-cdk-lib/aws-logs";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { ConfigurationError } from "../shared/base/errors.ts";
import { show } from "../shared/base/options.ts";
import { type BundlingOptions, bundlingSettings } from "../shared/definition/bundling-options.ts";
import { fastPathOf, functionEnvironment, toVariables } from "../shared/definition/function-environment.ts";
import { type ParsedPermission, type Permission, parsePermissions } from "../shared/definition/permissions.ts";
import { checkStartsAfter, parseSchedule, type ScheduleOption } from "../shared/definition/schedule.ts";
import { outputName, type StackOutput } from "../shared/definition/stack-outputs.ts";
import { type Topology, topology as topologyOf } from "../shared/definition/topology.ts";
import { isWorkflow, type Workflow } from "../shared/definition/workflow.ts";
import type { SourceRight } from "../shared/sources/source.ts";
import { Alarms } from "./alarms.ts";
import { FUNCTIONS, type FunctionName } from "./bundling.ts";
import { checkReservedConcurrency, checkTopology } from "./checks.ts";
import { codeVersion } from "./code-version.ts";
import { noteConcurrency } from "./concurrency-notes.ts";
import { fanOutDashboard } from "./dashboard.ts";
import { allowAlarms, allowLogs, type EncryptionKeys, encryptionKeys } from "./encryption.ts";
import { FanOutFunction, type FunctionNetwork } from "./fan-out-function.ts";
import {
  checkGivenQueues,
  checkGivenTable,
  type GivenQueues,
  type GivenTable,
  keysOfQueues,
} from "./given-resources.ts";
import { ledgerTable } from "./ledger-table.ts";
import { mappings } from "./mappings.ts";
import { networksOf } from "./network.ts";
import { grantOperate, type Operated } from "./operator-rights.ts";
import { checkOwnVariables, checkVariablesSize } from "./own-variables.ts";
import { Queues, type WorkflowQueues } from "./queues.ts";
import { logGroupsOf, nameBase, nameResources } from "./resource-names.ts";
import {
  acknowledgeObjects,
  checkResultsProps,
  grantRead,
  type ResultsBucketProps,
  type ResultsStore,
  resultsStore,
} from "./results-store.ts";
import { arnOf, type Resources, rightsOf, toSourceStatement, toStatement } from "./rights.ts";
import { RunSchedule } from "./run-schedule.ts";
import { type SecretReference, workflowSecrets } from "./secrets.ts";
import { sourceFiles } from "./source-files.ts";
import { sourceRightsOf } from "./source-rights.ts";

/** The path of the runbook, relative to the directory in which the CDK is called. */
const RUNBOOK = `${import.meta.url.includes("/node_modules/") ? "node_modules/sluice/" : ""}docs/guides/runbook.md`;

/** The options of a `FanOut` construct. */
export interface FanOutProps {
  /** The workflow, as `defineWorkflow` returned it. */
  readonly workflow: Workflow;
  /**
   * The absolute path of the file with the workflow as its default export. The file is bundled into the functions.
   *
   * @example resolve("workflows/invoices.ts")
   */
  readonly workflowFile: string;
  /**
   * What the names of the resources begin with: a queue, a function or a role is named `<prefix>-<workflow>-<part>`, such as
   * `acme-prod-invoices-consumer`. Use it if the rules of your company need such names. It consists of letters, digits and
   * hyphens; `<prefix>-<workflow>` has at most 39 characters. Queues and a table of yours, and the construct's bucket of
   * results, keep their own names. Default: CloudFormation makes the names of the name of the stack.
   *
   * Set it before the first deployment. If it changes later, CloudFormation replaces the queues and the ledger by empty ones.
   * https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
   *
   * @example "acme-prod"
   */
  readonly prefix?: string;
  /**
   * Environment variables of the functions, for the workflow's own code. Names that begin with `SLUICE_`, `AWS_`,
   * `LAMBDA_` or `_` are reserved, except `AWS_LAMBDA_EXEC_WRAPPER`. The flags in `NODE_OPTIONS` are added to those of
   * Sluice. Default: none.
   * https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
   */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * The secrets that the workflow's code reads with `secret(name)`, by their names. Both functions get the right to read
   * exactly these. The template and the environment of the functions have the ARNs, and never a value. Default: the
   * workflow's `secrets`. An entry replaces the workflow's entry of the same name. In a VPC, the subnets need a way to
   * Secrets Manager, or to Systems Manager.
   *
   * @example { API_KEY: Secret.fromSecretNameV2(stack, "ApiKey", "shop/api-key"), SIGNING_KEY: "ssm:/shop/signing-key" }
   */
  readonly secrets?: Readonly<Record<string, SecretReference>>;
  /** When runs start by themselves. Default: the workflow's `schedule`. Without one, runs are started by hand only. */
  readonly schedule?: ScheduleOption;
  /**
   * Permissions of the workflow's own code. Default: the workflow's `permissions`. You can also grant permissions to the
   * construct.
   */
  readonly permissions?: readonly Permission[];
  /** The EventBridge bus that receives an event at the end of each run. Default: the default bus of the account. */
  readonly eventBus?: IEventBus;
  /**
   * The KMS key that encrypts the queues, the ledger, the logs, the functions' environment variables and the construct's
   * bucket of results; or one key for each of them. It must be a symmetric key in the region of the stack. The functions and
   * the schedule get the rights on it, and CloudWatch Logs gets them in the key's policy. If the key is imported, the CDK
   * cannot change its policy, and synth warns of what the policy must have. Default: keys of the services, at no charge.
   *
   * @example new Key(stack, "Key", { enableKeyRotation: true })
   * @example { queues: key, table: key }
   */
  readonly encryptionKey?: IKey | EncryptionKeys;
  /**
   * Where the results of the workflow's runs are stored. Only for a workflow with `results`. Default: a bucket of the
   * construct. It is encrypted, accepts requests over TLS only, and follows `removalPolicy`.
   *
   * @example { bucket: Bucket.fromBucketName(stack, "Results", "acme-results"), prefix: "prod" }
   */
  readonly results?: ResultsBucketProps;
  /**
   * The table of the ledger, if it must be one of yours. It has the keys `pk` and `sk`, both of the type STRING, and the TTL
   * attribute `expiresAt`; it needs no stream. It belongs to one workflow. `synth` checks it if the app creates it. Default: a
   * table of the construct.
   */
  readonly table?: GivenTable;
  /** The queues, if they must be some of yours. See `GivenQueues`. Default: queues of the construct. */
  readonly queues?: GivenQueues;
  /**
   * The VPC in which both functions run, for tasks that reach a database or a service there. Then let the
   * consumer reach it: `database.connections.allowDefaultPortFrom(fanOut.consumer)`. The subnets need a way to SQS,
   * DynamoDB, EventBridge and CloudWatch Logs, and to what the tasks call: a NAT gateway, or VPC endpoints. Default: Lambda's
   * own network.
   * https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
   *
   * @example { vpc: Vpc.fromLookup(stack, "Vpc", { vpcName: "shop" }) }
   */
  readonly vpc?: IVpc;
  /** The subnets of `vpc`. Default: the private subnets. */
  readonly subnets?: SubnetSelection;
  /** The security groups of both functions. Default: one of its own for each function, which lets everything out. */
  readonly securityGroups?: readonly ISecurityGroup[];
  /**
   * The network of the producer, if it differs from that of the consumer, or if only its source is in a VPC, such as a database of RDS. Then let the producer reach the
   * database: `database.connections.allowDefaultPortFrom(fanOut.producer)`. The subnets need a way to SQS, DynamoDB,
   * EventBridge and CloudWatch Logs, and to Secrets Manager if the source reads a secret: a NAT gateway, or VPC endpoints.
   * Default: the network of `vpc`, or Lambda's own.
   * https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
   *
   * @example { vpc: Vpc.fromLookup(stack, "Vpc", { vpcName: "shop" }) }
   */
  readonly producerNetwork?: FunctionNetwork;
  /**
   * How the workflow is bundled: packages that are installed beside the bundle, layers, and the processor. Default: the
   * workflow's `bundling`.
   */
  readonly bundling?: BundlingOptions;
  /** Whether DynamoDB refuses to delete the ledger's table. Default false. */
  readonly deletionProtection?: boolean;
  /**
   * What happens to the ledger, the dead-letter queues, the construct's bucket of results and the logs when the stack is
   * deleted. Default `RemovalPolicy.RETAIN`. `DESTROY` deletes the results with the bucket.
   */
  readonly removalPolicy?: RemovalPolicy;
  /** How long CloudWatch keeps the logs of the functions. Default one month. */
  readonly logRetention?: RetentionDays;
  /**
   * The reserved concurrency of the consumer: at least the maximum concurrency of its event source mapping, which is
   * `concurrency / tasksPerEnvironment`. Default: exactly that number. Reserved concurrency counts against the quota of
   * the account, which is 1,000 unless AWS has raised it.
   *
   * `"none"` reserves nothing for the consumer and the producer. Use it in an account whose quota is too small. Then
   * other functions can use up the concurrency, and throttled messages can move to the dead-letter queue without an
   * attempt.
   * https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
   */
  readonly reservedConcurrency?: number | "none";
  /** The SNS topic that the alarms notify. Default: the alarms notify nothing and are only visible in CloudWatch. */
  readonly alarmTopic?: ITopic;
  /**
   * Whether the alarms also notify `alarmTopic` when their cause is over (the state `OK`). Default false.
   * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html
   */
  readonly notifyOk?: boolean;
  /**
   * Whether the stack has the alarms. Without them, nobody learns of dead letters or of a source that cannot be read,
   * unless you watch the metrics yourself. Default true. Without alarms, `alarmTopic` and `notifyOk` must be absent.
   */
  readonly alarms?: boolean;
  /** Whether the stack has the dashboard in CloudWatch. Default true. */
  readonly dashboard?: boolean;
  /**
   * Whether X-Ray traces the functions. Default true.
   * https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
   */
  readonly tracing?: boolean;
  /** The share of failed attempts at which the alarm `tasks-failing` goes off: above 0 and at most 1. Default 0.25. */
  readonly failureRate?: number;
  /**
   * The URL or the path of the runbook. The descriptions of the alarms contain it. Default: the path of
   * `docs/guides/runbook.md` in this package.
   */
  readonly runbookUrl?: string;
}

/**
 * A workflow on AWS: its queues, its ledger, its functions, its schedule, its alarms and its dashboard.
 *
 * If you grant a permission to the construct, the consumer receives it, because the consumer runs the task.
 *
 * @example
 * ```ts
 * const fanOut = new FanOut(stack, "Invoices", { workflow: invoices, workflowFile: resolve("workflows/invoices.ts") });
 * bucket.grantRead(fanOut);
 * ```
 */
export class FanOut extends Construct implements IGrantable {
  /** The role of the consumer. */
  readonly grantPrincipal: IPrincipal;
  readonly producer: IFunction;
  readonly consumer: IFunction;
  readonly queue: IQueue;
  readonly deadLetterQueue: IQueue;
  readonly controlQueue: IQueue;
  readonly controlDeadLetterQueue: IQueue;
  readonly table: ITable;
  /** The bucket with the results of the workflow's runs. `undefined`: the workflow keeps no results. */
  readonly resultsBucket: IBucket | undefined;
  /** Empty if the property `alarms` is false. */
  readonly alarms: readonly Alarm[];
  /** `undefined`: the property `dashboard` is false. */
  readonly dashboard: Dashboard | undefined;
  readonly #results: ResultsStore | undefined;
  readonly #operated: Operated;

  /** @throws {ConfigurationError} A property is invalid, or properties contradict each other. */
  constructor(scope: Construct, id: string, props: FanOutProps) {
    super(scope, id);
    const { workflow, removalPolicy = RemovalPolicy.RETAIN, deletionProtection = false } = props;
    if (!isWorkflow(workflow)) throw new ConfigurationError("workflow must be what defineWorkflow returned");
    const topology = topologyOf(workflow);
    checkTopology(topology, workflow.timeoutMilliseconds);
    checkWorkflowFile(props.workflowFile);
    checkRemoval(removalPolicy, deletionProtection);
    checkResultsProps(workflow, props.results);
    checkAlarms(props);
    const failureRate = checkFailureRate(props.failureRate ?? 0.25);
    const schedule = props.schedule === undefined ? workflow.schedule : parseSchedule(props.schedule);
    if (schedule !== undefined) checkStartsAfter(schedule, Date.now());
    const permissions = props.permissions === undefined ? workflow.permissions : parsePermissions(props.permissions);
    const names = props.prefix === undefined ? undefined : nameBase(this, workflow.name, props.prefix);

    const keys = encryptionKeys(props.encryptionKey, {
      queues: props.queues === undefined,
      table: props.table === undefined,
      results: workflow.results !== undefined && props.results === undefined,
    });
    if (props.queues !== undefined) checkGivenQueues(props.queues, topology, schedule !== undefined);
    if (props.table !== undefined) checkGivenTable(props.table, deletionProtection);
    const ownQueues =
      props.queues === undefined
        ? new Queues(this, "Queues", { topology, encryptionKey: keys.queues, removalPolicy })
        : undefined;
    const queues = ownQueues ?? (props.queues as WorkflowQueues);
    const table: ITable =
      (props.table as ITable | undefined) ??
      ledgerTable(this, "Ledger", { encryptionKey: keys.table, deletionProtection, removalPolicy });
    const queueKeys = props.queues === undefined ? listed(keys.queues) : keysOfQueues(props.queues);
    if (keys.logs !== undefined) allowLogs(this, keys.logs, names && logGroupsOf(names));
    const eventBus = props.eventBus ?? EventBus.fromEventBusName(this, "DefaultEventBus", "default");
    const results =
      workflow.results &&
      resultsStore(this, "Results", {
        workflow: workflow.name,
        given: props.results,
        encryptionKey: keys.results,
        removalPolicy,
      });
    const resources = {
      queues,
      table,
      eventBus,
      queueKeys,
      tableKey: table.encryptionKey,
      environmentKey: keys.environment,
      logsKey: keys.logs,
      results,
    };
    const functions = this.#functions(props, topology, resources, permissions ?? []);
    mappings(this, functions, queues, topology);
    const runSchedule =
      schedule &&
      new RunSchedule(this, "Schedule", {
        workflow: workflow.name,
        schedule,
        controlQueue: queues.controlQueue,
        topology,
        controlQueueKey: queues.controlQueue.encryptionMasterKey,
        encryptionKey: keys.queues,
        removalPolicy,
      });
    if (props.alarmTopic !== undefined) allowAlarms(this, props.alarmTopic);
    const stack = Stack.of(this).stackName;
    const alarms =
      props.alarms === false
        ? []
        : new Alarms(this, "Alarms", {
            workflow,
            stack,
            topology,
            queues,
            functions,
            schedule: runSchedule,
            topic: props.alarmTopic,
            notifyOk: props.notifyOk === true,
            failureRate,
            runbookUrl: props.runbookUrl ?? RUNBOOK,
          }).all;
    const dashboard =
      props.dashboard === false
        ? undefined
        : fanOutDashboard(this, "Dashboard", {
            workflow: workflow.name,
            stack,
            topology,
            queues,
            functions,
            table,
            alarms,
          });
    if (names !== undefined) {
      nameResources(this, names, {
        queues: ownQueues,
        table: props.table === undefined ? table : undefined,
        functions,
        schedule: runSchedule,
        alarms,
        dashboard,
      });
    }
    Tags.of(this).add("sluice:workflow", workflow.name);

    this.grantPrincipal = functions.consumer.role;
    this.producer = functions.producer.function;
    this.consumer = functions.consumer.function;
    this.queue = queues.queue;
    this.deadLetterQueue = queues.deadLetterQueue;
    this.controlQueue = queues.controlQueue;
    this.controlDeadLetterQueue = queues.controlDeadLetterQueue;
    this.table = table;
    this.#results = results;
    this.#operated = { queues, queueKeys, table, functions: FUNCTIONS.map((name) => functions[name]), results };
    this.resultsBucket = results?.bucket;
    this.alarms = alarms;
    this.dashboard = dashboard;
    this.#output(workflow.name, functions);
  }

  #functions(
    props: FanOutProps,
    topology: Topology,
    resources: Resources & { readonly logsKey: IKey | undefined },
    permissions: readonly ParsedPermission[],
  ): Record<FunctionName, FanOutFunction> {
    const { workflow, workflowFile, removalPolicy = RemovalPolicy.RETAIN } = props;
    const bundling = props.bundling === undefined ? workflow.bundling : bundlingSettings(props.bundling);
    const { queues, table, eventBus, environmentKey, logsKey, results } = resources;
    const environment = functionEnvironment(topology, {
      queueUrl: queues.queue.queueUrl,
      deadLetterQueueUrl: queues.deadLetterQueue.queueUrl,
      controlQueueUrl: queues.controlQueue.queueUrl,
      controlDeadLetterQueueUrl: queues.controlDeadLetterQueue.queueUrl,
      eventBus: eventBus.eventBusArn,
      table: table.tableName,
      ...(results !== undefined && { resultsUrl: results.url }),
      stack: Stack.of(this).stackName,
      fastPath: fastPathOf(process.env),
      // `cdk list` and `cdk destroy` bundle nothing.
      ...(Stack.of(this).bundlingRequired && { codeVersion: codeVersion(workflowFile, bundling) }),
    });
    const own = this.#ownVariables(workflow, props.environment ?? {});
    const plain = [...Object.keys(own), ...(workflow.environment ?? [])];
    const secrets = workflowSecrets(this, { ...workflow.secrets, ...props.secrets }, plain);
    const variables = { ...own, ...secrets.variables, ...toVariables(environment) };
    checkVariablesSize(variables);
    const { reservedConcurrency = topology.environments } = props;
    const reserved: Record<FunctionName, number | undefined> =
      reservedConcurrency === "none"
        ? { producer: undefined, consumer: undefined }
        : {
            producer: topology.producer.environments,
            consumer: checkReservedConcurrency(reservedConcurrency, topology.environments),
          };
    noteConcurrency(this, workflow.name, topology, reserved);
    // `cdk destroy` does not bundle the functions, so it does not need the files.
    const files = Stack.of(this).bundlingRequired ? sourceFiles(workflow, variables) : [];
    const sourceRights = sourceRightsOf(workflow, variables, Stack.of(this).bundlingRequired);
    const networks = networksOf(props);
    const make = (name: FunctionName) => {
      const declared = permissions.filter((permission) => permission.function === name);
      const made = new FanOutFunction(this, name === "producer" ? "Producer" : "Consumer", {
        name,
        workflow: workflow.name,
        workflowFile,
        bundling,
        files: name === "producer" ? files : [],
        network: networks[name],
        tracing: props.tracing !== false,
        hasResults: results !== undefined,
        topology: topology[name],
        reservedConcurrency: reserved[name],
        // The producer sends messages to itself over the control queue, so this loop is intended. A consumer must not
        // loop.
        // https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
        recursiveLoop: name === "producer" ? RecursiveLoop.ALLOW : RecursiveLoop.TERMINATE,
        environment: variables,
        environmentKey,
        logsKey,
        rights: [
          ...rightsOf(name, resources, Stack.of(this)),
          ...(name === "producer" ? sourceRights.map((right) => toSourceStatement(right, Stack.of(this))) : []),
          ...declared.map(toStatement),
          ...secrets.rights,
        ],
        logRetention: props.logRetention ?? RetentionDays.ONE_MONTH,
        removalPolicy,
      });
      if (results !== undefined) acknowledgeObjects(made.role, results);
      for (const { resources: granted, reason } of declared) {
        if (reason === undefined) continue;
        for (const resource of granted.filter((arn) => arn.includes("*"))) {
          Validations.of(made.role).acknowledge({ id: `AwsSolutions-IAM5[Resource::${resource}]`, reason });
        }
      }
      if (name === "producer") acknowledgeWildcards(made, sourceRights);
      return made;
    };
    return Object.fromEntries(FUNCTIONS.map((name) => [name, make(name)])) as Record<FunctionName, FanOutFunction>;
  }

  /**
   * The environment variables of the workflow's own code. If a variable that the workflow names has no value, the CDK
   * prints a warning. It is not an error, so that one `cdk synth` shows all missing variables.
   *
   * @throws {ConfigurationError} A name is reserved, or Lambda does not allow it.
   */
  #ownVariables({ name, environment: named = [] }: FanOutProps["workflow"], given: Readonly<Record<string, string>>) {
    checkOwnVariables(given);
    for (const variable of named) {
      if (variable in given) continue;
      Annotations.of(this).addWarningV2(
        `sluice:environment:${variable}`,
        `the workflow ${name} reads the environment variable ${variable}, which is not set: the deployed workflow will fail`,
      );
    }
    return given;
  }

  /**
   * Lets somebody read the results of the workflow's runs, as `sluice results --stack` does for an operator.
   *
   * @throws {ConfigurationError} The workflow keeps no results.
   * @example fanOut.grantReadResults(role)
   */
  grantReadResults(grantee: IGrantable): Grant {
    if (this.#results === undefined) {
      throw new ConfigurationError(
        "grantReadResults: the workflow keeps no results, so nobody can read them: add results: true to the workflow",
      );
    }
    return grantRead(grantee, this.#results);
  }

  /**
   * Lets an operator use all commands of `sluice` with `--stack` on this workflow: look at runs, start and control them, read logs
   * and results, and redrive dead letters. The rights on KMS keys are included. `docs/guides/deploy.md` lists the rights, to
   * grant fewer of them by hand.
   *
   * @example fanOut.grantOperate(Role.fromRoleName(stack, "OnCall", "on-call"))
   */
  grantOperate(grantee: IGrantable): Grant {
    return grantOperate(grantee, this.#operated);
  }

  #output(workflow: string, functions: Readonly<Record<FunctionName, FanOutFunction>>): void {
    const values: Partial<Record<StackOutput, string>> = {
      workflow,
      queueUrl: this.queue.queueUrl,
      deadLetterQueueUrl: this.deadLetterQueue.queueUrl,
      controlQueueUrl: this.controlQueue.queueUrl,
      controlDeadLetterQueueUrl: this.controlDeadLetterQueue.queueUrl,
      table: this.table.tableName,
      producerFunction: this.producer.functionName,
      consumerFunction: this.consumer.functionName,
      producerLogGroup: functions.producer.logGroup.logGroupName,
      consumerLogGroup: functions.consumer.logGroup.logGroupName,
      ...(this.dashboard !== undefined && { dashboard: this.dashboard.dashboardName }),
      ...(this.#results !== undefined && { resultsUrl: this.#results.url }),
    };
    for (const [output, value] of Object.entries(values)) {
      const name = outputName(workflow, output as StackOutput);
      // The outputs belong to the stack, not to this construct. Otherwise the CDK would add the construct's path to the
      // names, and the CLI would not find them.
      new CfnOutput(Stack.of(this), name, { value });
    }
  }
}

/** Tells cdk-nag why a source reads more than one resource of a kind, such as all objects below a prefix. */
function acknowledgeWildcards({ role }: FanOutFunction, rights: readonly SourceRight[]): void {
  for (const { resources, reason } of rights) {
    if (reason === undefined) continue;
    for (const resource of resources.map((each) => arnOf(each, Stack.of(role)))) {
      if (!resource.includes("*")) continue;
      Validations.of(role).acknowledge({ id: `AwsSolutions-IAM5[Resource::${readable(role, resource)}]`, reason });
    }
  }
}

/** An ARN as cdk-nag writes it: a reference to the partition is `<AWS::Partition>`. */
const readable = (role: Construct, arn: string): string => {
  const resolved: unknown = Stack.of(role).resolve(arn);
  if (typeof resolved === "string") return resolved;
  const { "Fn::Join": [, parts] = ["", []] } = resolved as { "Fn::Join"?: [string, ({ Ref: string } | string)[]] };
  return parts.map((part) => (typeof part === "string" ? part : `<${part.Ref}>`)).join("");
};

const listed = <Value>(value: Value | undefined): readonly Value[] => (value === undefined ? [] : [value]);

function checkWorkflowFile(file: string): void {
  if (isAbsolute(file) && existsSync(file)) return;
  throw new ConfigurationError(
    `workflowFile must be the absolute path of an existing file, but is ${show(file)}: write ` +
      'resolve("workflows/invoices.ts"), or fileURLToPath(new URL("./workflows/invoices.ts", import.meta.url))',
  );
}

function checkRemoval(removalPolicy: RemovalPolicy, deletionProtection: boolean): void {
  if (!deletionProtection || removalPolicy !== RemovalPolicy.DESTROY) return;
  throw new ConfigurationError(
    "deletionProtection prevents the deletion of the ledger, but removalPolicy requests it: deleting the stack would " +
      "fail. Choose RETAIN, or turn deletionProtection off",
  );
}

function checkAlarms({ alarms, alarmTopic, notifyOk }: FanOutProps): void {
  if (alarms === false && alarmTopic !== undefined) {
    throw new ConfigurationError(
      "alarmTopic is set, but alarms is false, so nothing would notify it: remove one of them",
    );
  }
  if (notifyOk === true && alarmTopic === undefined) {
    throw new ConfigurationError(
      "notifyOk is true, but there is no alarmTopic to notify: set alarmTopic, or remove notifyOk",
    );
  }
}

function checkFailureRate(rate: number): number {
  if (rate > 0 && rate <= 1) return rate;
  throw new ConfigurationError(`failureRate must be above 0 and at most 1, but is ${rate}: 0.25 means 25 %`);
}
