import { type Environment, RemovalPolicy, Stack, type Stage } from "aws-cdk-lib";
import { Topic } from "aws-cdk-lib/aws-sns";
import { ConfigurationError } from "../shared/base/errors.ts";
import { rejectUnknownKeys, show } from "../shared/base/options.ts";
import { FanOut } from "./fan-out.ts";
import { loadWorkflows } from "./workflow-files.ts";

/** How `addWorkflowStacks` names its stacks, and where they are deployed. */
export interface WorkflowStacksOptions {
  /**
   * The first part of the names of the stacks: a stack is named `<prefix>-<workflow>`. The prefix consists of letters,
   * digits and hyphens, begins with a letter and does not end with a hyphen. With this option, the id of a stack in the
   * app is the name of the stack. `cdk deploy` accepts this id.
   *
   * Default: the context value `prefix`. If that is not set, `sluice` in an app and `sluice-<stage>` in a stage. With
   * the default, the id of a stack is the name of its workflow.
   *
   * @example "acme-prod"
   */
  readonly prefix?: string;
  /**
   * The account and the region of the stacks. Default: the account and the region of the stage. If the stage has none,
   * those of the shell that deploys.
   *
   * @example { account: "123456789012", region: "eu-central-1" }
   */
  readonly env?: Environment;
}

/**
 * Adds one stack for each workflow in the directory `workflows/` to an app or a stage. The name of a stack is
 * `sluice-<workflow>`, or `sluice-<stage>-<workflow>` in a stage. Each stack can be deployed and destroyed alone.
 * Several stages can share an account, because they share no names, alarms or metrics.
 *
 * `docs/guides/deploy.md` lists the context values (`cdk --context key=value`) that this function reads.
 *
 * @returns The constructs, for example to grant permissions to them. The stack of a construct is `Stack.of(fanOut)`.
 * @throws {ConfigurationError} A file in the directory defines no valid workflow; a context value or an option is
 *   invalid; or the app already has a stack with the same name in the same account and region.
 *
 * @example
 * ```ts
 * await addWorkflowStacks(new App());
 * ```
 *
 * @example
 * ```ts
 * const app = new App();
 * for (const name of ["dev", "prod"]) await addWorkflowStacks(new Stage(app, name, { env: { account, region } }));
 * ```
 */
export async function addWorkflowStacks(scope: Stage, options: WorkflowStacksOptions = {}): Promise<readonly FanOut[]> {
  rejectUnknownKeys(options, ["prefix", "env"], "addWorkflowStacks");
  const { env } = options;
  const workflows = String(scope.node.tryGetContext("workflows") ?? "workflows");
  const protect = flag(scope, "protect") ?? false;
  const reserve = flag(scope, "reserve") ?? true;
  const prefix = prefixOf(scope, options.prefix);
  const loaded = await Promise.all(workflows.split(",").map(loadWorkflows));
  return loaded.flat().map(({ workflow, file }) => {
    const alarmTopicArn: string | undefined = scope.node.tryGetContext("alarmTopicArn");
    const stackName = `${prefix}-${workflow.name}`;
    const stack = new Stack(scope, options.prefix === undefined ? workflow.name : stackName, {
      stackName,
      description: `Sluice: the workflow ${workflow.name}`,
      terminationProtection: protect,
      ...(env !== undefined && { env }),
    });
    checkStackName(stack);
    return new FanOut(stack, "FanOut", {
      workflow,
      workflowFile: file,
      environment: valuesOf(workflow.environment),
      deletionProtection: protect,
      removalPolicy: protect ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      ...(!reserve && { reservedConcurrency: "none" as const }),
      ...(alarmTopicArn !== undefined && { alarmTopic: Topic.fromTopicArn(stack, "AlarmTopic", alarmTopicArn) }),
    });
  });
}

/** The stack names that CloudFormation allows.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-using-console-create-stack-parameters.html */
const STACK_NAME = /^[A-Za-z][A-Za-z0-9-]*$/;

function prefixOf(scope: Stage, option: string | undefined): string {
  const given: unknown = option ?? scope.node.tryGetContext("prefix");
  if (given === undefined) {
    const { stageName } = scope;
    if (stageName === "") return "sluice";
    if (STACK_NAME.test(stageName)) return `sluice-${stageName}`;
    throw new ConfigurationError(
      `the stage's name ${show(stageName)} cannot be part of a stack's name, which has letters, digits and hyphens: give ` +
        "addWorkflowStacks a prefix",
    );
  }
  if (typeof given === "string" && STACK_NAME.test(given) && !given.endsWith("-")) return given;
  throw new ConfigurationError(
    `prefix must begin with a letter, continue with letters, digits and hyphens, and not end with a hyphen, but is ${show(given)}: ` +
      'the stacks are named <prefix>-<workflow>, such as "acme-prod-cities" with the prefix "acme-prod"',
  );
}

/**
 * Refuses a second stack of the same name. The CDK does not refuse it if the two stacks are in different stages, and
 * would deploy one over the other.
 *
 * @throws {ConfigurationError} The app has another stack of the same name in the same account and region.
 */
function checkStackName(stack: Stack): void {
  const { stackName, environment } = stack;
  const others = stack.node.root.node.findAll().filter((each) => Stack.isStack(each) && each !== stack) as Stack[];
  if (!others.some((other) => other.stackName === stackName && other.environment === environment)) return;
  throw new ConfigurationError(
    `the app has two stacks named ${show(stackName)} in ${environment}: one would be deployed over the other. Give ` +
      "addWorkflowStacks another prefix for one of them",
  );
}

/**
 * Reads a context value that is true or false. The command line gives text, and `cdk.json` can give text or a boolean.
 */
function flag(scope: Stage, key: string): boolean | undefined {
  const value: unknown = scope.node.tryGetContext(key);
  if (value === undefined) return undefined;
  if (value === "true" || value === true) return true;
  if (value === "false" || value === false) return false;
  throw new ConfigurationError(`the context ${key} must be true or false, but is ${show(value)}`);
}

/** The values of environment variables in the shell that deploys. Variables that are not set are left out. */
function valuesOf(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
