import { App, RemovalPolicy, Stack } from "aws-cdk-lib";
import { Topic } from "aws-cdk-lib/aws-sns";
import { FanOut } from "./fan-out.ts";
import { loadWorkflows } from "./workflow-files.ts";

const app = new App();

/** What `cdk --context key=value` may say. See docs/deploy.md. */
const context = {
  workflows: String(app.node.tryGetContext("workflows") ?? "workflows"),
  protect: app.node.tryGetContext("protect") === "true",
  reserve: app.node.tryGetContext("reserve") !== "false",
  alarmTopicArn: app.node.tryGetContext("alarmTopicArn") as string | undefined,
};

for (const directory of context.workflows.split(",")) {
  for (const { workflow, file } of await loadWorkflows(directory)) {
    const stack = new Stack(app, workflow.name, {
      stackName: `sluice-${workflow.name}`,
      description: `Sluice: the workflow ${workflow.name}`,
      terminationProtection: context.protect,
    });
    new FanOut(stack, "FanOut", {
      workflow,
      workflowFile: file,
      environment: valuesOf(workflow.environment),
      deletionProtection: context.protect,
      removalPolicy: context.protect ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      ...(!context.reserve && { reservedConcurrency: "none" as const }),
      ...(context.alarmTopicArn !== undefined && {
        alarmTopic: Topic.fromTopicArn(stack, "AlarmTopic", context.alarmTopicArn),
      }),
    });
  }
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
