import { readFileSync } from "node:fs";
import type { Stack } from "aws-cdk-lib";
import type { Template } from "aws-cdk-lib/assertions";
import { type IVpc, SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import { Topic } from "aws-cdk-lib/aws-sns";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { functionMetrics, InvocationMetrics } from "../../functions/cloudwatch-metrics.ts";
import { ALARM_NAMES } from "../../infra/alarms.ts";
import { faultyAge, faultyMinutes, oldestHealthySeconds, oldestWaitingSeconds } from "../../infra/oldest-message.ts";
import { topology as topologyOf } from "../../shared/definition/topology.ts";
import { defineWorkflow } from "../../shared/definition/workflow.ts";
import { workflowOptions } from "../helpers/workflow-options.ts";
import { synthesise } from "./synthesis.ts";

// Each template takes half a second, and several where cores are shared.
vi.setConfig({ testTimeout: 120_000 });

const ALARM = "AWS::CloudWatch::Alarm";
const { template } = synthesise((stack) => ({
  options: { name: "orders" },
  schedule: "rate(1 hour)",
  alarmTopic: Topic.fromTopicArn(stack, "Topic", "arn:aws:sns:us-east-1:123456789012:alarms"),
  runbookUrl: "https://runbooks.test/sluice",
  failureRate: 0.5,
}));

interface AlarmProperties {
  readonly AlarmDescription: string;
  readonly AlarmActions?: readonly string[];
  readonly Threshold: number;
  readonly TreatMissingData: string;
  readonly ComparisonOperator: string;
  readonly MetricName?: string;
}

function alarms(of: Template): Record<string, AlarmProperties> {
  return Object.fromEntries(
    Object.values(of.findResources(ALARM)).map(({ Properties }) => [
      String(Properties.AlarmDescription).replace(/.*#/, ""),
      Properties as AlarmProperties,
    ]),
  );
}

describe("alarms", () => {
  test("each exists, notifies the topic, and stays silent without data", () => {
    const all = alarms(template);
    expect(Object.keys(all).toSorted()).toEqual(ALARM_NAMES.toSorted());
    for (const alarm of Object.values(all)) {
      expect(alarm.AlarmActions).toEqual(["arn:aws:sns:us-east-1:123456789012:alarms"]);
      expect(alarm.TreatMissingData).toBe("notBreaching");
      expect(alarm.ComparisonOperator).toBe("GreaterThanOrEqualToThreshold");
    }
  });

  test("each description links to a heading of the runbook, and each heading is an alarm", () => {
    const runbook = readFileSync(new URL("../../docs/guides/runbook.md", import.meta.url), "utf8");
    const headings = [...runbook.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading);
    expect(headings.toSorted()).toEqual(ALARM_NAMES.toSorted());
    for (const [name, { AlarmDescription }] of Object.entries(alarms(template))) {
      expect(AlarmDescription).toMatch(/^orders: .+\. What to do: https:\/\/runbooks\.test\/sluice#[a-z-]+$/);
      expect(AlarmDescription).toContain(`#${name}`);
    }
  });

  test("one dead letter is enough, also if SQS itself moved it", () => {
    const { "dead-letters": dead, "control-dead-letters": control } = alarms(template);
    for (const alarm of [dead, control]) {
      expect(alarm).toMatchObject({ MetricName: "ApproximateNumberOfMessagesVisible", Threshold: 1 });
    }
  });

  test("the failure rate is the value of the option, above 0 and at most 1", () => {
    expect(alarms(template)["tasks-failing"]?.Threshold).toBe(0.5);
    expect(alarms(synthesise().template)["tasks-failing"]?.Threshold).toBe(0.25);
    expect(() => synthesise({ failureRate: 1 })).not.toThrow();
    for (const failureRate of [0, 1.01, Number.NaN]) {
      expect(() => synthesise({ failureRate })).toThrow("failureRate must be above 0 and at most 1");
    }
  });

  test("a start message that the schedule could not send rings, also once it is in the schedule's dead-letter queue", () => {
    const [alarm] = Object.values(template.findResources(ALARM)).filter(({ Properties }) =>
      Properties.AlarmDescription.endsWith("#schedule-dropped"),
    );
    const { Metrics, Threshold } = alarm?.Properties ?? {};
    const watched = Metrics.flatMap(({ MetricStat }: { MetricStat?: { Metric: object } }) => MetricStat?.Metric ?? []);
    expect(watched).toEqual([
      expect.objectContaining({ Namespace: "AWS/Scheduler", MetricName: "InvocationDroppedCount" }),
      {
        Namespace: "AWS/SQS",
        MetricName: "ApproximateNumberOfMessagesVisible",
        Dimensions: [
          {
            Name: "QueueName",
            Value: { "Fn::GetAtt": [expect.stringMatching(/^FanOutScheduleDeadLetterQueue/), "QueueName"] },
          },
        ],
      },
    ]);
    expect(Threshold).toBe(1);
  });

  test("without a schedule there is no alarm for it", () => {
    expect(alarms(synthesise().template)).not.toHaveProperty("schedule-dropped");
  });
});

describe("the age at which a message is too old", () => {
  const age = (options: Parameters<typeof workflowOptions>[0]) => {
    const workflow = defineWorkflow(workflowOptions(options));
    return oldestHealthySeconds(workflow, topologyOf(workflow));
  };

  test("covers the full backlog at the slowest pace, all attempts and their backoffs", () => {
    const retry = { attempts: 3, backoff: { base: { seconds: 1 }, cap: { minutes: 5 } } };
    // 10,000 / 50 * 10 s, 3 attempts of 10 s, pauses of 1 s and 2 s.
    expect(age({ concurrency: 50, timeout: { seconds: 10 }, retry })).toBe(2_000 + 30 + 3);
    expect(age({ concurrency: 50, timeout: { seconds: 10 }, retry, maxBacklog: 100 })).toBe(20 + 30 + 3 + 7);
    expect(alarms(template)["oldest-message"]?.Threshold).toBe(age({}));
  });

  test("is at least a minute, and at most half of the retention", () => {
    expect(age({ timeout: { milliseconds: 1 }, retry: { attempts: 1 } })).toBe(60);
    const { retentionSeconds } = topologyOf(defineWorkflow(workflowOptions())).queue;
    expect(age({ concurrency: 2, timeout: { seconds: 875 } })).toBe(retentionSeconds / 2);
  });
});

describe("the alarm oldest-message", () => {
  const workflow = defineWorkflow(workflowOptions({ name: "orders" }));
  const healthy = oldestHealthySeconds(workflow, topologyOf(workflow));
  const waiting = oldestWaitingSeconds(workflow, topologyOf(workflow));

  /** What CloudWatch would compute from the values of one minute. A value that is absent is missing data. */
  const computed = (values: { age: number; visible?: number; received?: number }): number => {
    const script = faultyAge(healthy, waiting).replaceAll(" AND ", " && ").replaceAll(" OR ", " || ");
    const run = new Function("IF", "FILL", "age", "visible", "received", `return ${script};`);
    const condition = (holds: boolean, then: number, otherwise: number) => (holds ? then : otherwise);
    const fill = (value: number | undefined, missing: number) => value ?? missing;
    return run(condition, fill, values.age, values.visible, values.received);
  };

  test("rings if nobody receives messages for longer than the slowest healthy run takes", () => {
    expect(computed({ age: healthy, visible: 10 })).toBe(healthy);
    expect(computed({ age: healthy, visible: 10, received: 0 })).toBe(healthy);
    expect(computed({ age: healthy - 1, visible: 10 })).toBe(0);
  });

  test("does not ring for a healthy run whose items wait, hidden, for as long as they may", () => {
    expect(waiting).toBe(healthy + 86_400);
    expect(computed({ age: waiting - 1, visible: 0, received: 0 })).toBe(0);
    expect(computed({ age: waiting - 1 })).toBe(0);
  });

  test("does not ring while consumers receive messages beside one that waits", () => {
    expect(computed({ age: waiting - 1, visible: 10_000, received: 500 })).toBe(0);
  });

  test("rings for a message that is older than the longest wait, whatever consumers receive", () => {
    expect(computed({ age: waiting, visible: 0, received: 500 })).toBe(waiting);
  });

  test("allows for the longest wait, up to the age at which a consumer replaces a message", () => {
    const patient = defineWorkflow(workflowOptions({ retry: { waitAtMost: { days: 8 } } }));
    const { queue } = topologyOf(patient);
    expect(oldestWaitingSeconds(patient, topologyOf(patient))).toBe(queue.retentionSeconds / 2);
  });

  test("waits for as long as every slot can be busy with an attempt", () => {
    expect(faultyMinutes({ timeoutMilliseconds: 10_000 })).toBe(3);
    expect(faultyMinutes({ timeoutMilliseconds: 600_000 })).toBe(12);
  });

  test("is deployed with this expression", () => {
    const [alarm] = Object.values(template.findResources(ALARM)).filter(({ Properties }) =>
      Properties.AlarmDescription.endsWith("#oldest-message"),
    );
    const expressions = alarm?.Properties.Metrics.flatMap(({ Expression = [] }) => Expression);
    expect(expressions).toEqual([faultyAge(healthy, waiting)]);
    expect(alarm?.Properties).toMatchObject({ Threshold: healthy, EvaluationPeriods: faultyMinutes(workflow) });
  });
});

test("the dashboard shows the backlog, the outcomes, both functions, the dead letters and the ledger", () => {
  const [dashboard] = Object.values(template.findResources("AWS::CloudWatch::Dashboard"));
  const body = JSON.stringify(dashboard?.Properties.DashboardBody);
  for (const shown of [
    "ApproximateNumberOfMessagesVisible",
    "ApproximateAgeOfOldestMessage",
    "Succeeded",
    "DeadLettered",
    "TaskDuration",
    "InFlight",
    "ConcurrentExecutions",
    "Throttles",
    "ConsumedWriteCapacityUnits",
    "FastPathFallbacks",
    "EnvironmentsRetired",
    "NewerVersion",
  ]) {
    expect(body).toContain(shown);
  }
});

test("the watched metrics have the dimensions with which the functions publish", () => {
  const published: string[] = [];
  const log = vi.spyOn(process.stdout, "write").mockImplementation((line) => published.push(String(line)) > 0);
  onTestFinished(() => log.mockRestore());
  const metrics = new InvocationMetrics(functionMetrics("orders", "consumer", "Stack"));
  metrics.count("succeeded", 1);
  metrics.publish();
  const { _aws, ...document } = JSON.parse(published.join(""));
  const [{ Namespace, Dimensions }] = _aws.CloudWatchMetrics;
  const names: string[] = Dimensions[0];
  expect(names.toSorted()).toEqual(["service", "stack", "workflow"]);
  const dimensions = names.toSorted().map((name) => ({ Name: name, Value: document[name] }));
  const watched = Object.values(template.findResources(ALARM))
    .flatMap(({ Properties }) => Properties.Metrics ?? [])
    .flatMap(({ MetricStat }) => (MetricStat === undefined ? [] : [MetricStat.Metric]))
    .filter((metric) => metric.Namespace === Namespace);
  expect(watched.map(({ MetricName }) => MetricName)).toContain("Succeeded");
  for (const metric of watched) expect(metric.Dimensions).toEqual(dimensions);
});

describe("what watches a workflow can be switched off", () => {
  const topic = (stack: Stack) => Topic.fromTopicArn(stack, "Topic", "arn:aws:sns:us-east-1:123456789012:alarms");

  test("without alarms, dashboard and traces, the stack has none of them, and the roles cannot send traces", () => {
    const { template: bare } = synthesise({ alarms: false, dashboard: false, tracing: false });
    for (const type of [ALARM, "AWS::CloudWatch::Dashboard"]) expect(bare.findResources(type)).toEqual({});
    expect(Object.keys(bare.findOutputs("*")).filter((name) => name.includes("Dashboard"))).toEqual([]);
    for (const { Properties } of Object.values(bare.findResources("AWS::Lambda::Function"))) {
      expect(Properties.TracingConfig?.Mode).not.toBe("Active");
    }
    expect(JSON.stringify(bare.toJSON())).not.toContain("xray:");
  });

  test("the end of an alarm's cause notifies the topic if the stack says so", () => {
    const { template: made } = synthesise((stack) => ({ alarmTopic: topic(stack), notifyOk: true }));
    for (const { Properties } of Object.values(made.findResources(ALARM))) {
      expect(Properties.OKActions).toEqual(Properties.AlarmActions);
    }
    for (const { Properties } of Object.values(template.findResources(ALARM))) {
      expect(Properties).not.toHaveProperty("OKActions");
    }
  });

  test("settings that would notify nobody are refused", () => {
    expect(() => synthesise((stack) => ({ alarmTopic: topic(stack), alarms: false }))).toThrow("alarms is false");
    expect(() => synthesise({ notifyOk: true })).toThrow("there is no alarmTopic to notify");
  });
});

describe("the network of the functions", () => {
  const groupsOf = (made: Template) =>
    Object.fromEntries(
      Object.values(made.findResources("AWS::Lambda::Function")).map(({ Properties }) => [
        String(Properties.Description).split(" ")[1],
        Properties.VpcConfig?.SecurityGroupIds,
      ]),
    );
  const group = (stack: Stack, id: string) => SecurityGroup.fromSecurityGroupId(stack, id, id);

  test("is a VPC for both, with the given security groups", () => {
    const { template: made } = synthesise((stack) => ({
      vpc: new Vpc(stack, "Vpc", { maxAzs: 1 }) as IVpc,
      securityGroups: [group(stack, "sg-1")],
    }));
    expect(groupsOf(made)).toEqual({ producer: ["sg-1"], consumer: ["sg-1"] });
  });

  test("can be another one for the producer", () => {
    const { template: made } = synthesise((stack) => {
      const vpc = new Vpc(stack, "Vpc", { maxAzs: 1 }) as IVpc;
      return {
        vpc,
        securityGroups: [group(stack, "sg-1")],
        producerNetwork: { vpc, securityGroups: [group(stack, "sg-2")] },
      };
    });
    expect(groupsOf(made)).toEqual({ producer: ["sg-2"], consumer: ["sg-1"] });
  });

  test("needs the VPC of its subnets and security groups", () => {
    expect(() => synthesise((stack) => ({ securityGroups: [group(stack, "sg-1")] }))).toThrow(
      "securityGroups is set, but vpc is not",
    );
    expect(() => synthesise({ subnets: {} })).toThrow("subnets is set, but vpc is not");
  });
});
