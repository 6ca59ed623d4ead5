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

/** The metrics of one invocation, published as one CloudWatch embedded metric document at its end. */
export class InvocationMetrics implements Metrics {
  readonly #metrics: EmbeddedMetrics;
  readonly #peaks = new Map<string, number>();

  constructor(workflow: string, name: "producer" | "consumer") {
    this.#metrics = new EmbeddedMetrics({
      namespace: "Sluice",
      serviceName: workflow,
      singleMetric: false,
      defaultDimensions: { workflow },
    });
    this.#metrics.setFunctionName(name);
  }

  count(counter: Counter, by: number): void {
    if (by > 0) this.#metrics.addMetric(NAMES[counter], MetricUnit.Count, by);
  }

  duration(milliseconds: number): void {
    this.#metrics.addMetric("TaskDuration", MetricUnit.Milliseconds, milliseconds);
  }

  peak(level: "inFlight", value: number): void {
    if (value > (this.#peaks.get(level) ?? 0)) this.#peaks.set(level, value);
  }

  publish(): void {
    const inFlight = this.#peaks.get("inFlight");
    if (inFlight !== undefined) this.#metrics.addMetric("InFlight", MetricUnit.Count, inFlight);
    this.#metrics.publishStoredMetrics();
  }
}
