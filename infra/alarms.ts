import { Duration } from "aws-cdk-lib";
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  Stats,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import type { Topology } from "../shared/definition/topology.ts";
import type { Workflow } from "../shared/definition/workflow.ts";
import type { FunctionName } from "./bundling.ts";
import type { FanOutFunction } from "./fan-out-function.ts";
import { fanOutMetric } from "./fan-out-metrics.ts";
import { faultyAge, faultyMinutes, oldestHealthySeconds, oldestWaitingSeconds } from "./oldest-message.ts";
import type { WorkflowQueues } from "./queues.ts";
import type { RunSchedule } from "./run-schedule.ts";

export interface AlarmsProps {
  readonly workflow: Workflow;
  /** The name of the stack, which is a dimension of the metrics. */
  readonly stack: string;
  readonly topology: Topology;
  readonly queues: WorkflowQueues;
  readonly functions: Readonly<Record<FunctionName, FanOutFunction>>;
  readonly schedule: RunSchedule | undefined;
  readonly topic: ITopic | undefined;
  /** Whether the alarms also notify the topic when their cause is over. */
  readonly notifyOk: boolean;
  /** The share of failed attempts at which the alarm `tasks-failing` goes off. */
  readonly failureRate: number;
  /** The URL or path of the runbook. Its headings are the names of the alarms. */
  readonly runbookUrl: string;
}

/** The names of all alarms. Each is a heading in the runbook. */
export const ALARM_NAMES = [
  "dead-letters",
  "oldest-message",
  "producer-failing",
  "consumer-failing",
  "control-dead-letters",
  "throttles",
  "tasks-failing",
  "service-throttling",
  "schedule-dropped",
] as const;
export type AlarmName = (typeof ALARM_NAMES)[number];

interface AlarmDefinition {
  readonly metric: IMetric;
  /** The alarm goes off when the metric reaches this value. */
  readonly atLeast: number;
  /** In how many periods in a row the metric must reach the value. Default 1. */
  readonly periods?: number;
  /** A sentence for the description of the alarm. */
  readonly meaning: string;
}

/**
 * The number of failed slices in five minutes at which the alarm `producer-failing` goes off. A slice is the work of one
 * invocation of the producer. Two failures can come from a short outage of the source. Five failures in a row fail the
 * run.
 */
const FAILED_SLICES = 3;

/** With fewer attempts in five minutes, the alarm `tasks-failing` ignores their failure rate. */
const FEWEST_ATTEMPTS = 20;

/** The share of refused attempts at which the alarm `service-throttling` goes off. The search for a limit costs 1 % to 5 %. */
const MOST_THROTTLED = 0.25;

/** The alarms of a workflow. */
export class Alarms extends Construct {
  readonly all: readonly Alarm[];

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    this.all = Object.entries(definitions(props)).map(([name, { metric, atLeast, periods = 1, meaning }]) => {
      const alarm = new Alarm(this, name, {
        alarmDescription: `${props.workflow.name}: ${meaning} What to do: ${props.runbookUrl}#${name}`,
        metric,
        threshold: atLeast,
        evaluationPeriods: periods,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        // Missing data is not a fault: while no run is active, there is no data.
        treatMissingData: TreatMissingData.NOT_BREACHING,
      });
      if (props.topic !== undefined) {
        alarm.addAlarmAction(new SnsAction(props.topic));
        if (props.notifyOk) alarm.addOkAction(new SnsAction(props.topic));
      }
      return alarm;
    });
  }
}

function definitions(props: AlarmsProps): Partial<Record<AlarmName, AlarmDefinition>> {
  const { workflow, topology, queues, functions, schedule } = props;
  const { producer, consumer } = functions;
  const minute = { period: Duration.minutes(1), statistic: Stats.MAXIMUM };
  const fiveMinutes = { period: Duration.minutes(5), statistic: Stats.SUM };
  const owner = { workflow: workflow.name, stack: props.stack };
  const sluice = (name: Parameters<typeof fanOutMetric>[1]) => fanOutMetric(owner, name, fiveMinutes);
  const healthySeconds = oldestHealthySeconds(workflow, topology);
  const waitingSeconds = oldestWaitingSeconds(workflow, topology);
  return {
    "dead-letters": {
      // NumberOfMessagesSent does not count the messages that SQS itself moves to the queue.
      metric: queues.deadLetterQueue.metricApproximateNumberOfMessagesVisible(minute),
      atLeast: 1,
      meaning: "items failed permanently and are in the dead-letter queue, each with its reason.",
    },
    "oldest-message": {
      metric: new MathExpression({
        label: "age of the oldest message, s, if it shows a fault",
        expression: faultyAge(healthySeconds, waitingSeconds),
        usingMetrics: {
          age: queues.queue.metricApproximateAgeOfOldestMessage(minute),
          visible: queues.queue.metricApproximateNumberOfMessagesVisible(minute),
          received: queues.queue.metricNumberOfMessagesReceived({ ...minute, statistic: Stats.SUM }),
        },
        period: minute.period,
      }),
      atLeast: healthySeconds,
      periods: faultyMinutes(workflow),
      meaning:
        `a message has waited for more than ${healthySeconds} s, which is longer than in the slowest healthy run, and nobody ` +
        `receives messages. Or a message has waited for more than ${waitingSeconds} s.`,
    },
    "producer-failing": {
      metric: new MathExpression({
        label: "failed slices and invocations",
        expression: "FILL(slices, 0) + FILL(errors, 0)",
        usingMetrics: { slices: sluice("SlicesFailed"), errors: producer.function.metricErrors(fiveMinutes) },
        period: fiveMinutes.period,
      }),
      atLeast: FAILED_SLICES,
      meaning: "the source cannot be read, or the producer crashes. Five failures in a row fail the run.",
    },
    "consumer-failing": {
      metric: consumer.function.metricErrors(fiveMinutes),
      atLeast: 1,
      meaning: "a consumer crashed, or ran out of time or memory. A failing task does not cause this.",
    },
    "control-dead-letters": {
      metric: queues.controlDeadLetterQueue.metricApproximateNumberOfMessagesVisible(minute),
      atLeast: 1,
      meaning: "a control message failed permanently, so a run does not continue or was never started.",
    },
    throttles: {
      metric: new MathExpression({
        label: "throttled invocations",
        expression: "FILL(producers, 0) + FILL(consumers, 0)",
        usingMetrics: {
          producers: producer.function.metricThrottles(fiveMinutes),
          consumers: consumer.function.metricThrottles(fiveMinutes),
        },
        period: fiveMinutes.period,
      }),
      atLeast: 1,
      meaning: "Lambda refuses invocations: the concurrency of the account is not sufficient.",
    },
    "tasks-failing": {
      metric: new MathExpression({
        label: "share of failed attempts",
        expression:
          `IF(FILL(succeeded, 0) + FILL(retried, 0) + FILL(dead, 0) >= ${FEWEST_ATTEMPTS}, ` +
          "(FILL(retried, 0) + FILL(dead, 0)) / (FILL(succeeded, 0) + FILL(retried, 0) + FILL(dead, 0)), 0)",
        usingMetrics: {
          succeeded: sluice("Succeeded"),
          retried: sluice("Retried"),
          dead: sluice("DeadLettered"),
        },
        period: fiveMinutes.period,
      }),
      atLeast: props.failureRate,
      meaning: `${Math.round(props.failureRate * 100)} % or more of the attempts fail.`,
    },
    "service-throttling": {
      metric: new MathExpression({
        label: "share of refused attempts",
        expression:
          `IF(FILL(succeeded, 0) + FILL(throttled, 0) >= ${FEWEST_ATTEMPTS}, ` +
          "FILL(throttled, 0) / (FILL(succeeded, 0) + FILL(throttled, 0)), 0)",
        usingMetrics: { succeeded: sluice("Succeeded"), throttled: sluice("Throttled") },
        period: fiveMinutes.period,
      }),
      atLeast: MOST_THROTTLED,
      periods: 3,
      meaning: "the service refuses many attempts because of load, although the fleet has lowered its limit.",
    },
    ...(schedule !== undefined && {
      "schedule-dropped": {
        metric: new MathExpression({
          label: "start messages that were not sent",
          expression: "FILL(dropped, 0) + FILL(kept, 0)",
          usingMetrics: {
            // https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
            dropped: new Metric({
              namespace: "AWS/Scheduler",
              metricName: "InvocationDroppedCount",
              dimensionsMap: { ScheduleGroup: schedule.group.ref },
              ...fiveMinutes,
            }),
            kept: schedule.deadLetterQueue.metricApproximateNumberOfMessagesVisible({
              ...fiveMinutes,
              statistic: Stats.MAXIMUM,
            }),
          },
          period: fiveMinutes.period,
        }),
        atLeast: 1,
        meaning: "the schedule could not send its start message, so a run was not started.",
      },
    }),
  };
}
