import type { Template } from "aws-cdk-lib/assertions";
import { Key } from "aws-cdk-lib/aws-kms";
import { describe, expect, test, vi } from "vitest";
import { topology } from "../../shared/definition/topology.ts";
import { defineWorkflow } from "../../shared/definition/workflow.ts";
import { workflowOptions } from "../helpers/workflow-options.ts";
import { synthesise } from "./synthesis.ts";

// Each template takes half a second, and several seconds where cores are shared.
vi.setConfig({ testTimeout: 120_000 });

/** A workflow with every option that adds resources, and with the longest timeout of a task. */
const options = { name: "orders", concurrency: 200, tasksPerEnvironment: 2, timeout: { seconds: 800 } } as const;
const { template } = synthesise((stack) => ({
  options,
  schedule: "rate(1 day)",
  encryptionKey: new Key(stack, "Key", { enableKeyRotation: true }),
}));

const resources = (type: string, of: Template = template) => Object.entries(of.findResources(type));
const dependenciesOf = (id: string): readonly string[] => {
  const { DependsOn = [] } = template.toJSON().Resources[id];
  return [DependsOn].flat();
};

describe("CloudFormation", () => {
  test("a stack has room for ten workflows: 500 resources and 200 outputs", () => {
    const { Resources, Outputs } = template.toJSON();
    expect(Object.keys(Resources).length * 10).toBeLessThanOrEqual(500);
    expect(Object.keys(Outputs).length * 10).toBeLessThanOrEqual(200);
  });

  test("a function and a schedule exist only after the rights of their roles", () => {
    // Lambda refuses a mapping whose function may not receive messages.
    for (const [function_, role] of [
      ["Producer", "ProducerRole"],
      ["Consumer", "ConsumerRole"],
    ]) {
      const [id = ""] = resources("AWS::Lambda::Function")
        .map(([each]) => each)
        .filter((each) => each.includes(`${function_}F`));
      expect(dependenciesOf(id)).toContainEqual(expect.stringMatching(new RegExp(`^FanOut${role}DefaultPolicy`)));
    }
    const [[schedule = ""] = []] = resources("AWS::Scheduler::Schedule");
    expect(dependenciesOf(schedule)).toContainEqual(expect.stringMatching(/^FanOutScheduleRoleDefaultPolicy/));
  });

  test("no queue, table, function or log group has a fixed name, so that it can be replaced, and made again at once", () => {
    for (const [type, name] of [
      ["AWS::SQS::Queue", "QueueName"],
      ["AWS::DynamoDB::Table", "TableName"],
      ["AWS::Lambda::Function", "FunctionName"],
      ["AWS::Logs::LogGroup", "LogGroupName"],
      ["AWS::Scheduler::ScheduleGroup", "Name"],
    ] as const) {
      for (const [, { Properties }] of resources(type)) expect(Properties ?? {}).not.toHaveProperty(name);
    }
  });
});

describe("CloudWatch", () => {
  const alarms = resources("AWS::CloudWatch::Alarm").map(([, { Properties }]) => Properties);

  test("an alarm watches at most a day, ten metrics, and has a description of at most 1,024 characters", () => {
    expect(alarms).toHaveLength(9);
    for (const { AlarmDescription, EvaluationPeriods, Period, Metrics = [] } of alarms) {
      const periods = Metrics.flatMap(
        ({ MetricStat }: { MetricStat?: { Period: number } }) => MetricStat?.Period ?? [],
      );
      expect(EvaluationPeriods * Math.max(...periods, Period ?? 0)).toBeLessThanOrEqual(86_400);
      expect(Metrics.length).toBeLessThanOrEqual(10);
      expect(AlarmDescription.length).toBeLessThanOrEqual(1_024);
    }
  });

  test("all metrics of an expression have the same period", () => {
    for (const { Metrics = [] } of alarms) {
      const periods = Metrics.flatMap(
        ({ MetricStat }: { MetricStat?: { Period: number } }) => MetricStat?.Period ?? [],
      );
      expect(new Set(periods).size).toBeLessThanOrEqual(1);
    }
  });

  test("the dashboard has a name of at most 255 characters and at most 500 widgets", () => {
    const [[, dashboard] = []] = resources("AWS::CloudWatch::Dashboard");
    const { DashboardName, DashboardBody } = dashboard?.Properties ?? {};
    // The name ends with the region, which is known at the deployment. No region has a longer name.
    const [, parts]: [string, readonly (string | { readonly Ref: "AWS::Region" })[]] = DashboardName["Fn::Join"];
    const name = parts.map((part) => (typeof part === "string" ? part : "us-isof-south-1")).join("");
    expect(name.length).toBeLessThanOrEqual(255);
    expect(JSON.stringify(DashboardBody).match(/\\"type\\"/g)?.length).toBeLessThanOrEqual(500);
  });
});

test("a concurrency that a deployment lowers throttles some deliveries, which the receive limit allows for", () => {
  // The function's reserved concurrency is lowered before the mapping's maximum, because the mapping refers to the
  // function. In between, each throttled delivery counts as a receive.
  const [[, mapping] = []] = resources("AWS::Lambda::EventSourceMapping").filter(([id]) => id.includes("Consumer"));
  expect(mapping?.Properties.FunctionName).toEqual({ Ref: expect.stringMatching(/^FanOutConsumerFunction/) });
  const { queue } = topology(defineWorkflow(workflowOptions({ ...options, retry: { attempts: 1 } })));
  expect(queue.maxReceiveCount).toBeGreaterThan(100);
});

test("the start message of a schedule is smaller than what EventBridge Scheduler passes on", () => {
  const [[, schedule] = []] = resources("AWS::Scheduler::Schedule");
  // https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html
  expect(Buffer.byteLength(schedule?.Properties.Target.Input)).toBeLessThan(256 * 1_024);
});
