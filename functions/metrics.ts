import { Metrics as EmbeddedMetrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { Counter, Metrics } from "../shared/metrics.ts";

const NAMES: Readonly<Record<Counter, string>> = {
  produced: "Produced",
  succeeded: "Succeeded",
  retried: "Retried",
  timedOut: "TimedOut",
  deadLettered: "DeadLettered",
  slicesFailed: "SlicesFailed",
};

/** Values of a metric that one document holds. */
const MOST_VALUES = 100;

/** Of a function, made once: it takes longer than all that an invocation adds to it. */
export function functionMetrics(workflow: string, name: "producer" | "consumer"): EmbeddedMetrics {
  const metrics = new EmbeddedMetrics({
    namespace: "Sluice",
    serviceName: workflow,
    singleMetric: false,
    defaultDimensions: { workflow },
  });
  metrics.setFunctionName(name);
  return metrics;
}

/**
 * The metrics of one invocation, published as CloudWatch embedded metric documents: one at its end, and before it one
 * for each hundred tasks. Until then they are kept here, as several invocations may share `functionMetrics`.
 */
export class InvocationMetrics implements Metrics {
  readonly #metrics: EmbeddedMetrics;
  readonly #counts = new Map<Counter, number>();
  readonly #peaks = new Map<string, number>();
  #durations: number[] = [];

  constructor(metrics: EmbeddedMetrics) {
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
    // At last, as the hundredth publishes all by itself.
    for (const duration of this.#durations) {
      this.#metrics.addMetric("TaskDuration", MetricUnit.Milliseconds, duration);
    }
    if (this.#metrics.hasStoredMetrics()) this.#metrics.publishStoredMetrics();
    this.#counts.clear();
    this.#peaks.clear();
    this.#durations = [];
  }
}
