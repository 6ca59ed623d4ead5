import { Metrics as EmbeddedMetrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { Counter, Level, Metrics } from "../shared/base/metrics.ts";

const NAMES: Readonly<Record<Counter, string>> = {
  produced: "Produced",
  succeeded: "Succeeded",
  retried: "Retried",
  throttled: "Throttled",
  timedOut: "TimedOut",
  deadLettered: "DeadLettered",
  slicesFailed: "SlicesFailed",
  fastPathFallbacks: "FastPathFallbacks",
  environmentsRetired: "EnvironmentsRetired",
  newerVersion: "NewerVersion",
  resultsNotStored: "ResultsNotStored",
};

const LEVELS = {
  inFlight: ["InFlight", MetricUnit.Count],
  fleetSlots: ["FleetSlots", MetricUnit.Count],
  fleetStarts: ["FleetStarts", MetricUnit.CountPerSecond],
} as const satisfies Readonly<Record<Level, readonly [name: string, unit: string]>>;

/**
 * The most values of one metric in a document.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
const MOST_VALUES = 100;

/**
 * Metrics that accept all durations of a document at once. `addMetric` accepts one duration at a time, and copies all
 * earlier durations each time.
 */
export class FunctionMetrics extends EmbeddedMetrics {
  #durations: readonly number[] = [];

  /** Sets the durations of the next document, in milliseconds. There are at most `MOST_VALUES`. */
  setDurations(durations: readonly number[]): void {
    this.#durations = durations;
    const [first] = durations;
    if (first !== undefined) this.addMetric("TaskDuration", MetricUnit.Milliseconds, first);
  }

  override serializeMetrics() {
    const document = super.serializeMetrics();
    return this.#durations.length > 1 ? { ...document, TaskDuration: [...this.#durations] } : document;
  }
}

/**
 * Creates the metrics of a function. Call it once for each environment, because it takes more time than recording all
 * metrics of an invocation.
 *
 * @param stack The name of the stack. It becomes a dimension, because an account can have several stages of a workflow.
 *   Absent in the embedded engine.
 */
export function functionMetrics(
  workflow: string,
  name: "producer" | "consumer",
  stack: string | undefined,
): FunctionMetrics {
  const metrics = new FunctionMetrics({
    namespace: "Sluice",
    serviceName: workflow,
    singleMetric: false,
    defaultDimensions: { workflow, ...(stack !== undefined && { stack }) },
  });
  metrics.setFunctionName(name);
  return metrics;
}

/**
 * The metrics of one invocation. They are published as documents in CloudWatch's embedded metric format: one document
 * after each hundred tasks, and one at the end of the invocation. Until then, this object keeps the values, because all
 * invocations of the environment share the result of `functionMetrics`.
 */
export class InvocationMetrics implements Metrics {
  readonly #metrics: FunctionMetrics;
  readonly #counts = new Map<Counter, number>();
  readonly #peaks = new Map<Level, number>();
  #durations: number[] = [];

  constructor(metrics: FunctionMetrics) {
    this.#metrics = metrics;
  }

  count(counter: Counter, by: number): void {
    if (by > 0) this.#counts.set(counter, (this.#counts.get(counter) ?? 0) + by);
  }

  duration(milliseconds: number): void {
    // Round to microseconds. Further digits would make each document twice as long, and CloudWatch charges for each
    // byte.
    this.#durations.push(Math.round(1_000 * milliseconds) / 1_000);
    if (this.#durations.length === MOST_VALUES) this.publish();
  }

  peak(level: Level, value: number): void {
    if (value > (this.#peaks.get(level) ?? 0)) this.#peaks.set(level, value);
  }

  /** Writes a document with the values since the last document. */
  publish(): void {
    for (const [counter, total] of this.#counts) this.#metrics.addMetric(NAMES[counter], MetricUnit.Count, total);
    for (const [level, value] of this.#peaks) {
      const [name, unit] = LEVELS[level];
      this.#metrics.addMetric(name, unit, value);
    }
    this.#metrics.setDurations(this.#durations);
    if (this.#metrics.hasStoredMetrics()) this.#metrics.publishStoredMetrics();
    this.#counts.clear();
    this.#peaks.clear();
    this.#durations = [];
  }
}
