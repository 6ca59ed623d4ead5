/** What the functions count. The handlers publish it as CloudWatch embedded metrics. */
export type Counter =
  | "produced"
  | "succeeded"
  | "retried"
  | "timedOut"
  | "deadLettered"
  | "slicesFailed"
  | "fastPathFallbacks"
  | "environmentsRetired"
  | "newerVersion";

export interface Metrics {
  count(counter: Counter, by: number): void;
  /** One attempt's duration, in milliseconds. */
  duration(milliseconds: number): void;
  /** A level whose highest value counts. */
  peak(level: "inFlight", value: number): void;
}
