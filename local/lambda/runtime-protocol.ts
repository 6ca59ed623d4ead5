/** The messages between the engine and an execution environment. */

import type { DurationCounts } from "../../shared/observe/durations.ts";

export interface Invocation {
  readonly type: "invoke";
  readonly requestId: string;
  readonly functionName: string;
  readonly timeoutMilliseconds: number;
  readonly memoryMb: number;
  readonly event: unknown;
  /** The trace header. The SDK sends it with each request. Absent if loops are not detected. */
  readonly trace?: string | undefined;
}

/** What the tasks of an environment, or its reads of the source, did since its last report. */
export interface Activity {
  readonly type: "activity";
  /** Attempts under way now, and the highest number of them since the last report. */
  readonly inFlight: number;
  readonly peakInFlight: number;
  readonly succeeded: number;
  readonly retried: number;
  /** How one of the attempts that are made again failed. Absent if none did. */
  readonly failure?: string | undefined;
  readonly throttled: number;
  readonly deadByReason: Readonly<Record<string, number>>;
  /** The durations of the attempts that ended since the last report. Absent if none ended. */
  readonly durations?: DurationCounts | undefined;
  /** Since when a page of the source has been read, in milliseconds since 1970. Absent if none is being read. */
  readonly readingSince?: number | undefined;
  /** The highest resident set of the process since it started, in MB. */
  readonly peakMemoryMb: number;
}

export type FromEnvironment =
  | { readonly type: "ready" }
  | { readonly type: "result"; readonly requestId: string; readonly result: unknown; readonly peakMemoryMb: number }
  | { readonly type: "error"; readonly requestId: string; readonly error: string; readonly peakMemoryMb: number }
  | Activity;
