import { Duration, Names, Stack } from "aws-cdk-lib";
import { type Alarm, AlarmStatusWidget, Dashboard, GraphWidget, type IMetric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import type { Construct } from "constructs";
import type { Topology } from "../shared/definition/topology.ts";
import type { FunctionName } from "./bundling.ts";
import type { FanOutFunction } from "./fan-out-function.ts";
import { type FanOutMetricName, fanOutMetric } from "./fan-out-metrics.ts";
import type { WorkflowQueues } from "./queues.ts";

export interface DashboardProps {
  readonly workflow: string;
  /** The name of the stack, which is a dimension of the metrics. */
  readonly stack: string;
  readonly topology: Topology;
  readonly queues: WorkflowQueues;
  readonly functions: Readonly<Record<FunctionName, FanOutFunction>>;
  readonly table: ITable;
  readonly alarms: readonly Alarm[];
}

/** Creates the CloudWatch dashboard of a workflow. The alarms are at its top, and the ledger is at its bottom. */
export function fanOutDashboard(scope: Construct, id: string, props: DashboardProps): Dashboard {
  const { workflow, stack, topology, queues, functions, table, alarms } = props;
  const { producer, consumer } = functions;
  const period = Duration.minutes(1);
  const sluice = (name: FanOutMetricName, label: string, statistic: string = Stats.SUM) =>
    fanOutMetric({ workflow, stack }, name, { label, statistic });
  const graph = (title: string, left: IMetric[], more: Partial<ConstructorParameters<typeof GraphWidget>[0]> = {}) =>
    new GraphWidget({ title, left, width: 12, height: 6, leftYAxis: { min: 0 }, ...more });
  const maximum = { period, statistic: Stats.MAXIMUM };
  const sum = { period, statistic: Stats.SUM };
  const dashboard = new Dashboard(scope, id, {
    // All regions of an account share the names of dashboards, and a second dashboard of a name replaces the first.
    // https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
    dashboardName: `${Names.uniqueResourceName(scope, { maxLength: 100, separator: "-", allowedSpecialCharacters: "-" })}-${Stack.of(scope).region}`,
    defaultInterval: Duration.hours(3),
  });
  dashboard.addWidgets(new AlarmStatusWidget({ title: `${workflow}: alarms`, alarms: [...alarms], width: 24 }));
  dashboard.addWidgets(
    graph("Items a minute", [
      sluice("Produced", "produced"),
      sluice("Succeeded", "succeeded"),
      sluice("Retried", "retried"),
      sluice("DeadLettered", "dead-lettered"),
    ]),
    graph(
      "Backlog",
      [
        queues.queue.metricApproximateNumberOfMessagesVisible({ ...maximum, label: "waiting" }),
        queues.queue.metricApproximateNumberOfMessagesNotVisible({ ...maximum, label: "in flight, or in a backoff" }),
      ],
      {
        right: [queues.queue.metricApproximateAgeOfOldestMessage({ ...maximum, label: "age of the oldest, s" })],
        leftAnnotations: [{ value: topology.maxBacklog, label: "the producer pauses" }],
        rightYAxis: { min: 0 },
      },
    ),
  );
  dashboard.addWidgets(
    graph("Task duration, ms", [
      sluice("TaskDuration", "p50", Stats.p(50)),
      sluice("TaskDuration", "p90", Stats.p(90)),
      sluice("TaskDuration", "p99", Stats.p(99)),
    ]),
    graph("Failed attempts a minute", [sluice("Retried", "retried"), sluice("TimedOut", "timed out")], {
      right: [sluice("InFlight", "tasks in flight in one environment", Stats.MAXIMUM)],
      rightYAxis: { min: 0, max: topology.tasksPerEnvironment },
    }),
  );
  dashboard.addWidgets(
    graph("Attempts that the service refused a minute", [sluice("Throttled", "throttled")]),
    graph("Limit of the fleet", [sluice("FleetSlots", "tasks in flight", Stats.MAXIMUM)], {
      right: [sluice("FleetStarts", "starts per second", Stats.MAXIMUM)],
      rightYAxis: { min: 0 },
    }),
  );
  dashboard.addWidgets(
    graph(
      "Consumer",
      [
        consumer.function.metricErrors(sum),
        consumer.function.metricThrottles(sum),
        sluice("EnvironmentsRetired", "environments that could start no process"),
      ],
      {
        right: [consumer.function.metric("ConcurrentExecutions", { ...maximum, label: "environments" })],
        rightAnnotations: [{ value: topology.environments, label: "maximum concurrency" }],
        rightYAxis: { min: 0 },
      },
    ),
    graph(
      "Producer",
      [
        producer.function.metricErrors(sum),
        producer.function.metricThrottles(sum),
        sluice("SlicesFailed", "failed slices"),
        sluice("NewerVersion", "messages of a newer version, put back by either function"),
      ],
      { right: [producer.function.metricDuration({ ...maximum, label: "duration, ms" })], rightYAxis: { min: 0 } },
    ),
  );
  dashboard.addWidgets(
    graph("Dead letters", [
      queues.deadLetterQueue.metricApproximateNumberOfMessagesVisible({ ...maximum, label: "items" }),
      queues.controlDeadLetterQueue.metricApproximateNumberOfMessagesVisible({ ...maximum, label: "control messages" }),
    ]),
    graph(
      "Ledger: capacity units a minute",
      [
        table.metricConsumedWriteCapacityUnits({ ...sum, label: "written" }),
        table.metricConsumedReadCapacityUnits({ ...sum, label: "read" }),
      ],
      { right: [sluice("FastPathFallbacks", "requests that had to go through the SDK")], rightYAxis: { min: 0 } },
    ),
  );
  return dashboard;
}
