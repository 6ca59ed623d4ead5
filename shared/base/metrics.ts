/** What the functions count. The handlers publish the counts as CloudWatch metrics in the embedded metric format. */
export type Counter =
  | "produced"
  | "succeeded"
  | "retried"
  | "throttled"
  | "timedOut"
  | "deadLettered"
  | "slicesFailed"
  | "fastPathFallbacks"
  | "environmentsRetired"
  | "newerVersion"
  | "resultsNotStored";

/**
 * - `inFlight`: the tasks that run at once in this environment.
 * - `fleetSlots`, `fleetStarts`: the limit in force for the whole fleet, in tasks at once and in starts per second. They are
 *   reported only while there is such a limit.
 */
export type Level = "inFlight" | "fleetSlots" | "fleetStarts";

/** Receives the metrics of one invocation. */
export interface Metrics {
  /** Adds to a count. */
  count(counter: Counter, by: number): void;
  /** Adds the duration of one attempt, in milliseconds. */
  duration(milliseconds: number): void;
  /** Reports the current value of a level. Only the highest value of the invocation is published. */
  peak(level: Level, value: number): void;
}
