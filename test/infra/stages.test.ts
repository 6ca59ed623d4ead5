import { type App, Stack, Stage } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { CodePipeline, CodePipelineSource, type IFileSetProducer, ShellStep } from "aws-cdk-lib/pipelines";
import { beforeAll, describe, expect, test } from "vitest";
import { addWorkflowStacks } from "../../infra/stacks.ts";
import { loadWorkflows } from "../../infra/workflow-files.ts";
import { newApp } from "./synthesis.ts";

const WORKFLOWS = "test/infra/staged-workflows";
const ENV = { account: "123456789012", region: "eu-central-1" };

function appOf(context: Readonly<Record<string, unknown>> = {}): App {
  const app = newApp();
  for (const [key, value] of Object.entries({ workflows: WORKFLOWS, ...context })) app.node.setContext(key, value);
  return app;
}

const namesOf = (fanOuts: readonly { node: unknown }[]) => fanOuts.map((fanOut) => Stack.of(fanOut as never).stackName);

/** Every name that a template gives to a resource itself, where CloudFormation does not make one of the stack's name. */
function physicalNames(template: Template): readonly string[] {
  const NAMES =
    /^(DashboardName|FunctionName|QueueName|TableName|AlarmName|LogGroupName|RoleName|TopicName|Name|GroupName)$/;
  return Object.values(template.toJSON().Resources as Record<string, { Type: string; Properties?: object }>).flatMap(
    ({ Type, Properties = {} }) =>
      Object.entries(Properties).flatMap(([key, value]) =>
        NAMES.test(key) && typeof value === "string" ? [`${Type} ${value}`] : [],
      ),
  );
}

/** The metrics of Sluice's own that a template's alarms and dashboard read, by the stack that they are of. */
function stacksOfMetrics(template: Template): readonly string[] {
  const alarms = Object.values(template.findResources("AWS::CloudWatch::Alarm"));
  return alarms
    .flatMap(({ Properties }) => Properties.Metrics ?? [])
    .flatMap(({ MetricStat }) => (MetricStat?.Metric.Namespace === "Sluice" ? [MetricStat.Metric] : []))
    .map(({ Dimensions }) => Dimensions.find(({ Name }: { Name: string }) => Name === "stack").Value);
}

describe("two stages of the same workflows in one account", () => {
  let templates: readonly { readonly stack: string; readonly template: Template }[];

  beforeAll(async () => {
    const app = appOf();
    const fanOuts = [];
    for (const name of ["dev", "prod"]) fanOuts.push(...(await addWorkflowStacks(new Stage(app, name, { env: ENV }))));
    app.synth();
    templates = fanOuts.map((fanOut) => {
      const stack = Stack.of(fanOut);
      return { stack: stack.stackName, template: Template.fromStack(stack) };
    });
  });

  test("have their own stacks in the stage's account and region", async () => {
    const names = (await loadWorkflows(WORKFLOWS)).map(({ workflow }) => workflow.name);
    const expected = ["dev", "prod"].flatMap((stage) => names.map((name) => `sluice-${stage}-${name}`));
    expect(templates.map(({ stack }) => stack)).toEqual(expected);
    expect(names.length).toBeGreaterThan(1);
  });

  test("share no name", () => {
    const names = templates.flatMap(({ template }) => physicalNames(template));
    expect(names.filter((name) => name.startsWith("AWS::CloudWatch::Dashboard"))).toHaveLength(templates.length);
    expect(new Set(names).size).toBe(names.length);
  });

  test("watch the metrics of their own functions only", () => {
    for (const { stack, template } of templates) {
      const watched = stacksOfMetrics(template);
      expect(watched.length).toBeGreaterThan(0);
      expect(new Set(watched)).toEqual(new Set([stack]));
      for (const { Properties } of Object.values(template.findResources("AWS::Lambda::Function"))) {
        expect(Properties.Environment.Variables.SLUICE_STACK).toBe(stack);
      }
      const [dashboard] = Object.values(template.findResources("AWS::CloudWatch::Dashboard"));
      const body = JSON.stringify(dashboard?.Properties.DashboardBody);
      const shown = [...body.matchAll(/\\"stack\\",\\"([^"\\]*)\\"/g)].map(([, name]) => name);
      expect(new Set(shown)).toEqual(new Set([stack]));
    }
  });
});

test("the dashboards of one stack in two regions have two names, because all regions share the names of dashboards", async () => {
  const names = await Promise.all(
    ["eu-central-1", "us-east-1"].map(async (region) => {
      const [fanOut] = await addWorkflowStacks(appOf(), { env: { ...ENV, region } });
      const template = Template.fromStack(Stack.of(fanOut as never));
      return physicalNames(template).find((name) => name.startsWith("AWS::CloudWatch::Dashboard "));
    }),
  );
  expect(names[0]).toMatch(/-eu-central-1$/);
  expect(names[1]).toBe(names[0]?.replace(/eu-central-1$/, "us-east-1"));
});

describe("a prefix", () => {
  test("names the stacks of an app, which may have several", async () => {
    const app = appOf();
    const dev = await addWorkflowStacks(app, { prefix: "acme-dev", env: ENV });
    const prod = await addWorkflowStacks(app, { prefix: "acme-prod", env: { ...ENV, region: "us-east-1" } });
    expect(namesOf([...dev, ...prod])).toEqual([
      "acme-dev-first",
      "acme-dev-second",
      "acme-prod-first",
      "acme-prod-second",
    ]);
    expect(Stack.of(prod[0] as never)).toMatchObject({ account: ENV.account, region: "us-east-1" });
    expect(app.node.children.filter(Stack.isStack).map(({ node }) => node.id)).toContain("acme-dev-first");
  });

  test("can be a context value, which does not change the stacks' ids", async () => {
    const app = appOf({ prefix: "acme" });
    expect(namesOf(await addWorkflowStacks(app))).toEqual(["acme-first", "acme-second"]);
    expect(app.node.tryFindChild("first")).toBeDefined();
  });

  test.each(["", "1st", "a_b", "acme-", 5])("such as %j is refused", async (prefix) => {
    await expect(addWorkflowStacks(appOf(), { prefix: prefix as string })).rejects.toThrow(
      `prefix must begin with a letter, continue with letters, digits and hyphens, and not end with a hyphen, but is ${JSON.stringify(prefix)}`,
    );
  });
});

test("an option that is misspelt is refused", async () => {
  await expect(addWorkflowStacks(appOf(), { prefx: "acme" } as never)).rejects.toThrow(
    'addWorkflowStacks has the unknown option "prefx": use one of prefix, env',
  );
});

test("a stage whose name cannot be part of a stack's needs a prefix", async () => {
  const app = appOf();
  await expect(addWorkflowStacks(new Stage(app, "prod_eu"))).rejects.toThrow('the stage\'s name "prod_eu" cannot');
  expect(namesOf(await addWorkflowStacks(new Stage(app, "prod_us"), { prefix: "us" }))).toEqual([
    "us-first",
    "us-second",
  ]);
});

test("two stacks with the same name in one account and region are refused, also in different stages", async () => {
  const app = appOf();
  await addWorkflowStacks(new Stage(app, "dev", { env: ENV }), { prefix: "acme" });
  const elsewhere = new Stage(app, "elsewhere", { env: { ...ENV, region: "us-east-1" } });
  await expect(addWorkflowStacks(elsewhere, { prefix: "acme" })).resolves.toHaveLength(2);
  await expect(addWorkflowStacks(new Stage(app, "prod", { env: ENV }), { prefix: "acme" })).rejects.toThrow(
    'the app has two stacks named "acme-first" in aws://123456789012/eu-central-1: one would be deployed over the other',
  );
});

test("a pipeline of the CDK deploys the stages, with the functions' code as its assets", async () => {
  const app = appOf();
  const stack = new Stack(app, "Pipeline", { env: ENV });
  const connectionArn =
    "arn:aws:codeconnections:eu-central-1:123456789012:connection/0a1b2c3d-0000-4000-8000-0123456789ab";
  // The types of the CDK are not exact about optional properties.
  const input = CodePipelineSource.connection("acme/shop", "main", { connectionArn }) as IFileSetProducer;
  const synth = new ShellStep("Synth", { input, commands: ["npm ci", "npx cdk synth"] }) as IFileSetProducer;
  const pipeline = new CodePipeline(stack, "Pipeline", { synth });
  const names: string[] = [];
  for (const name of ["dev", "prod"]) {
    const stage = new Stage(stack, name, { env: ENV });
    names.push(...namesOf(await addWorkflowStacks(stage)));
    pipeline.addStage(stage);
  }
  app.synth();
  const [{ Properties } = { Properties: {} }] = Object.values(
    Template.fromStack(stack).findResources("AWS::CodePipeline::Pipeline"),
  );
  const stages = Properties.Stages as { Name: string; Actions: { Configuration: { StackName?: string } }[] }[];
  expect(stages.map(({ Name }) => Name)).toEqual(["Source", "Build", "UpdatePipeline", "Assets", "dev", "prod"]);
  const deployed = stages.flatMap(({ Actions }) => Actions.map(({ Configuration }) => Configuration.StackName));
  expect(new Set(deployed.filter((name) => name !== undefined))).toEqual(new Set(names));
  expect(names).toEqual(["dev", "prod"].flatMap((stage) => [`sluice-${stage}-first`, `sluice-${stage}-second`]));
});
