/** What the functions count. The handlers publish the counts as CloudWatch metrics in the embedded metric format. */
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

/** Receives the metrics of one invocation. */
export interface Metrics {
  /** Adds to a count. */
  count(counter: Counter, by: number): void;
  /** Adds the duration of one attempt, in milliseconds. */
  duration(milliseconds: number): void;
  /** Reports the current value of a level. Only the highest value of the invocation is published. */
  peak(level: "inFlight", value: number): void;
}
