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

/** A logger that keeps its messages. */
export function recordingLogger(): TaskLogger & { readonly lines: string[] } {
  const lines: string[] = [];
  const log = (level: string) => (message: string) => void lines.push(`${level}: ${message}`);
  return { lines, debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}
