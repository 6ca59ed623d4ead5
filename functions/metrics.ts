import { Metrics as EmbeddedMetrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { Counter, Metrics } from "../shared/base/metrics.ts";

const NAMES: Readonly<Record<Counter, string>> = {
  produced: "Produced",
  succeeded: "Succeeded",
  retried: "Retried",
  timedOut: "TimedOut",
  deadLettered: "DeadLettered",
  slicesFailed: "SlicesFailed",
  fastPathFallbacks: "FastPathFallbacks",
  environmentsRetired: "EnvironmentsRetired",
  newerVersion: "NewerVersion",
};

/** Values of a metric that one document holds. */
const MOST_VALUES = 100;

/** Metrics that take all durations of a document at once: one by one, each makes a copy of those before it. */
export class FunctionMetrics extends EmbeddedMetrics {
  #durations: readonly number[] = [];

  /** Sets the durations of the next document, in milliseconds: `MOST_VALUES` at most. */
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
 * Of a function, made once: it takes longer than all that an invocation adds to it.
 *
 * @param stack A dimension beside the workflow: an account may have several stages of it. Absent on the embedded engine.
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
 * The metrics of one invocation, published as CloudWatch embedded metric documents: one at its end, and before it one
 * for each hundred tasks. Until then they are kept here, as several invocations may share `functionMetrics`.
 */
export class InvocationMetrics implements Metrics {
  readonly #metrics: FunctionMetrics;
  readonly #counts = new Map<Counter, number>();
  readonly #peaks = new Map<string, number>();
  #durations: number[] = [];

  constructor(metrics: FunctionMetrics) {
    this.#metrics = metrics;
  }

  count(counter: Counter, by: number): void {
    if (by > 0) this.#counts.set(counter, (this.#counts.get(counter) ?? 0) + by);
  }

  duration(milliseconds: number): void {
    // To the microsecond: a clock's other digits would make each document twice as long, and CloudWatch takes its price by
    // the byte.
    this.#durations.push(Math.round(1_000 * milliseconds) / 1_000);
    if (this.#durations.length === MOST_VALUES) this.publish();
  }

  peak(level: "inFlight", value: number): void {
    if (value > (this.#peaks.get(level) ?? 0)) this.#peaks.set(level, value);
  }

  publish(): void {
    for (const [counter, total] of this.#counts) this.#metrics.addMetric(NAMES[counter], MetricUnit.Count, total);
    const inFlight = this.#peaks.get("inFlight");
    if (inFlight !== undefined) this.#metrics.addMetric("InFlight", MetricUnit.Count, inFlight);
    this.#metrics.setDurations(this.#durations);
    if (this.#metrics.hasStoredMetrics()) this.#metrics.publishStoredMetrics();
    this.#counts.clear();
    this.#peaks.clear();
    this.#durations = [];
  }
}
