import { type IResource, Stack, Token } from "aws-cdk-lib";
import { type Alarm, CfnAlarm, CfnDashboard, type Dashboard } from "aws-cdk-lib/aws-cloudwatch";
import { CfnTable, type ITable } from "aws-cdk-lib/aws-dynamodb";
import { CfnRole } from "aws-cdk-lib/aws-iam";
import { CfnFunction } from "aws-cdk-lib/aws-lambda";
import { CfnLogGroup } from "aws-cdk-lib/aws-logs";
import { CfnQueue, type IQueue } from "aws-cdk-lib/aws-sqs";
import type { Construct, IConstruct } from "constructs";
import { ConfigurationError } from "../shared/base/errors.ts";
import { show } from "../shared/base/options.ts";
import { FUNCTIONS, type FunctionName } from "./bundling.ts";
import type { FanOutFunction } from "./fan-out-function.ts";
import type { Queues } from "./queues.ts";
import type { RunSchedule } from "./run-schedule.ts";

const PREFIX = /^[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?$/;

/**
 * The most characters of `<prefix>-<workflow>`. The name of a role has at most 64: this part, `-consumer-`, and the region,
 * whose longest name has 15 (`us-isof-south-1`). All other names may be longer, or add less.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
 * https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
 * https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
 */
const MOST_CHARACTERS = 39;

/**
 * Parts of a workflow that have dead letters of their own: `acme-cities-control-dead-letters`, which would also be the name of the
 * dead letters of a workflow `cities-control`.
 */
const WITH_DEAD_LETTERS = ["control", "schedule"] as const;

/** The bases that each app has given, by the account and the region of the stack with the base in lower case. */
const given = new WeakMap<IConstruct, Map<string, string>>();

/** The names, in lower case, that another workflow cannot have as its base. */
const takenBy = (base: string): readonly string[] => [base, ...WITH_DEAD_LETTERS.map((part) => `${base}-${part}`)];

/**
 * The part with which the names of a workflow's resources begin: `<prefix>-<workflow>`.
 *
 * @throws {ConfigurationError} The prefix is invalid, too long, or the app has resources of the same name in the same account and region.
 */
export function nameBase(scope: Construct, workflow: string, prefix: string): string {
  if (typeof prefix !== "string" || Token.isUnresolved(prefix) || !PREFIX.test(prefix)) {
    throw new ConfigurationError(
      `prefix must begin with a letter, continue with letters, digits and hyphens, and not end with a hyphen, but is ${show(prefix)}: ` +
        'the resources are named <prefix>-<workflow>-..., such as "acme-prod-cities-consumer" with the prefix "acme-prod"',
    );
  }
  const base = `${prefix}-${workflow}`;
  if (base.length > MOST_CHARACTERS) {
    throw new ConfigurationError(
      `prefix and the workflow's name must have at most ${MOST_CHARACTERS} characters together, with the hyphen between them, but ` +
        `${show(base)} has ${base.length}, and the names of roles would be too long: shorten the prefix`,
    );
  }
  const bases = given.get(scope.node.root) ?? new Map<string, string>();
  given.set(scope.node.root, bases);
  const { environment } = Stack.of(scope);
  // The names of roles are not distinguished by case: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
  const key = `${environment} ${base.toLowerCase()}`;
  for (const [other, otherBase] of bases) {
    if (!takenBy(other).includes(key) && !takenBy(key).includes(other)) continue;
    const named = [...new Set([otherBase, base])].map((each) => show(`${each}-...`)).join(" and ");
    throw new ConfigurationError(
      `the app has two FanOut constructs whose resources are named ${named} in ${environment}, and some would have the same ` +
        "name: give one of them another prefix",
    );
  }
  bases.set(key, base);
  return base;
}

/** The first part of the names of the log groups. It is that of Lambda's own log groups. */
export const logGroupsOf = (base: string): string => `/aws/lambda/${base}-`;

/** The resources that the construct creates. */
export interface NamedResources {
  /** `undefined`: the user gave the queues. */
  readonly queues: Queues | undefined;
  /** `undefined`: the user gave the table. */
  readonly table: ITable | undefined;
  readonly functions: Readonly<Record<FunctionName, FanOutFunction>>;
  readonly schedule: RunSchedule | undefined;
  readonly alarms: readonly Alarm[];
  readonly dashboard: Dashboard | undefined;
}

/**
 * Names the resources of a workflow. Without it, CloudFormation makes their names of the name of the stack.
 *
 * Roles and dashboards belong to all regions of an account, so their names contain the region. The bucket of results has no
 * name of its own, because the names of buckets are unique among all accounts of AWS.
 */
export function nameResources(scope: Construct, base: string, resources: NamedResources): void {
  const { queues, table, functions, schedule, alarms, dashboard } = resources;
  const { region } = Stack.of(scope);
  if (queues !== undefined) {
    nameQueue(queues.queue, `${base}-queue`);
    nameQueue(queues.deadLetterQueue, `${base}-dead-letters`);
    nameQueue(queues.controlQueue, `${base}-control.fifo`);
    nameQueue(queues.controlDeadLetterQueue, `${base}-control-dead-letters.fifo`);
  }
  if (table !== undefined) underlying(table, CfnTable).tableName = `${base}-ledger`;
  for (const name of FUNCTIONS) {
    const { function: lambda, role, logGroup } = functions[name];
    underlying(lambda, CfnFunction).functionName = `${base}-${name}`;
    underlying(role, CfnRole).roleName = `${base}-${name}-${region}`;
    underlying(logGroup, CfnLogGroup).logGroupName = `${logGroupsOf(base)}${name}`;
  }
  if (schedule !== undefined) {
    nameQueue(schedule.deadLetterQueue, `${base}-schedule-dead-letters`);
    underlying(schedule.role, CfnRole).roleName = `${base}-schedule-${region}`;
    schedule.group.name = base;
    schedule.schedule.name = base;
  }
  for (const alarm of alarms) underlying(alarm, CfnAlarm).alarmName = `${base}-${alarm.node.id}`;
  if (dashboard !== undefined) underlying(dashboard, CfnDashboard).dashboardName = `${base}-${region}`;
}

function nameQueue(queue: IQueue, name: string): void {
  underlying(queue, CfnQueue).queueName = name;
}

/** The resource of the template that a construct of the CDK creates. */
function underlying<Resource>(construct: IResource, type: abstract new (...args: never[]) => Resource): Resource {
  const { defaultChild } = construct.node;
  if (defaultChild instanceof type) return defaultChild;
  throw new Error(`the construct ${construct.node.path} creates no ${type.name}`);
}
