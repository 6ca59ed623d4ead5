import type { Counter, Level, Metrics } from "../../shared/base/metrics.ts";
import type { TaskLogger } from "../../shared/base/task.ts";

export class RecordingMetrics implements Metrics {
  readonly counts: Partial<Record<Counter, number>> = {};
  readonly durations: number[] = [];
  peakInFlight = 0;

  count(counter: Counter, by: number): void {
    if (by > 0) this.counts[counter] = (this.counts[counter] ?? 0) + by;
  }

  duration(milliseconds: number): void {
    this.durations.push(milliseconds);
  }

  peak(level: Level, value: number): void {
    if (level === "inFlight") this.peakInFlight = Math.max(this.peakInFlight, value);
  }
}

export interface RecordingLogger extends TaskLogger {
  /** The messages, each after its level. */
  readonly lines: string[];
  /** The fields of the latest line with this message. */
  fieldsOf(message: string): Readonly<Record<string, unknown>> | undefined;
}

/** A logger that keeps its messages and their fields. */
export function recordingLogger(): RecordingLogger {
  const lines: string[] = [];
  const fields = new Map<string, Readonly<Record<string, unknown>>>();
  const log =
    (level: string) =>
    (message: string, more: Readonly<Record<string, unknown>> = {}) => {
      lines.push(`${level}: ${message}`);
      fields.set(message, more);
    };
  const fieldsOf = (message: string) => fields.get(message);
  return { lines, fieldsOf, debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}
