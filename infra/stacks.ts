import { type App, RemovalPolicy, Stack } from "aws-cdk-lib";
import { Topic } from "aws-cdk-lib/aws-sns";
import { ConfigurationError } from "../shared/errors.ts";
import { show } from "../shared/options.ts";
import { FanOut } from "./fan-out.ts";
import { loadWorkflows } from "./workflow-files.ts";

/**
 * Adds a stack for every workflow in `workflows/` to an app: `sluice-<workflow>`, to be torn down as it was put up.
 * What `cdk --context key=value` may say is in `docs/deploy.md`.
 *
 * @returns The constructs, to grant rights to or to build upon. Each one's stack is `Stack.of(fanOut)`.
 * @throws {ConfigurationError} A file in the directory defines no workflow, or a wrong one; or a context value is wrong.
 *
 * @example
 * ```ts
 * await addWorkflowStacks(new App());
 * ```
 */
export async function addWorkflowStacks(app: App): Promise<readonly FanOut[]> {
  const workflows = String(app.node.tryGetContext("workflows") ?? "workflows");
  const protect = flag(app, "protect") ?? false;
  const reserve = flag(app, "reserve") ?? true;
  const loaded = await Promise.all(workflows.split(",").map(loadWorkflows));
  return loaded.flat().map(({ workflow, file }) => {
    const alarmTopicArn: string | undefined = app.node.tryGetContext("alarmTopicArn");
    const stack = new Stack(app, workflow.name, {
      stackName: `sluice-${workflow.name}`,
      description: `Sluice: the workflow ${workflow.name}`,
      terminationProtection: protect,
    });
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

/** The command line gives text, `cdk.json` may give either. */
function flag(app: App, key: string): boolean | undefined {
  const value: unknown = app.node.tryGetContext(key);
  if (value === undefined) return undefined;
  if (value === "true" || value === true) return true;
  if (value === "false" || value === false) return false;
  throw new ConfigurationError(`the context ${key} must be true or false, but is ${show(value)}`);
}

/** The variables that a workflow's code reads, as whoever deploys it has set them. */
function valuesOf(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
