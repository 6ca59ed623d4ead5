/** What the engine and an execution environment say to each other. */

export interface Invocation {
  readonly type: "invoke";
  readonly requestId: string;
  readonly functionName: string;
  readonly timeoutMilliseconds: number;
  readonly memoryMb: number;
  readonly event: unknown;
}

/** What tasks did since the last report. */
export interface Activity {
  readonly type: "activity";
  /** Attempts under way at the end of it, and the most there were. */
  readonly inFlight: number;
  readonly peakInFlight: number;
  readonly succeeded: number;
  readonly retried: number;
  readonly deadByReason: Readonly<Record<string, number>>;
  /** Of the process, since it started. */
  readonly peakMemoryMb: number;
}

export type FromEnvironment =
  | { readonly type: "ready" }
  | { readonly type: "result"; readonly requestId: string; readonly result: unknown; readonly peakMemoryMb: number }
  | { readonly type: "error"; readonly requestId: string; readonly error: string; readonly peakMemoryMb: number }
  | Activity;
