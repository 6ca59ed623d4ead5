import { Duration } from "aws-cdk-lib";
import { Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";

/** The namespace in which the functions publish their metrics (`functions/cloudwatch-metrics.ts`). */
const NAMESPACE = "Sluice";

/** The metrics that the functions publish. */
export type FanOutMetricName =
  | "Produced"
  | "Succeeded"
  | "Retried"
  | "Throttled"
  | "TimedOut"
  | "DeadLettered"
  | "SlicesFailed"
  | "FastPathFallbacks"
  | "EnvironmentsRetired"
  | "NewerVersion"
  | "TaskDuration"
  | "InFlight"
  | "FleetSlots"
  | "FleetStarts";

/**
 * The dimensions of the metrics. They include the stack, because several stacks of an account can have the same
 * workflow.
 */
export interface MetricOwner {
  readonly workflow: string;
  readonly stack: string;
}

/** A metric that the functions of a workflow publish. */
export function fanOutMetric(
  { workflow, stack }: MetricOwner,
  metricName: FanOutMetricName,
  options: { readonly statistic?: string; readonly period?: Duration; readonly label?: string } = {},
): Metric {
  return new Metric({
    namespace: NAMESPACE,
    metricName,
    dimensionsMap: { service: workflow, workflow, stack },
    statistic: Stats.SUM,
    period: Duration.minutes(1),
    ...options,
  });
}
