/** The messages between `sluice dev` and the process of one version of the workflow. */

import type { Schedule } from "../../shared/definition/schedule.ts";
import type { RunStatus } from "../../shared/ledger/run-record.ts";
import type { LiveProgress } from "../../shared/observe/live-progress.ts";
import type { WatchedFiles } from "./watched-files.ts";

/** The argument of the process. */
export interface VersionInput {
  /** The workflow's file. */
  readonly file: string;
  /** What the user typed for the file. */
  readonly name: string;
  /** The file that starts what the workflow needs on this machine. */
  readonly companion?: string | undefined;
  /** The most items of a run. */
  readonly items?: number | undefined;
}

/** A run that a version starts. */
export interface RequestedRun {
  readonly run: string;
  /** ISO 8601. */
  readonly requestedAt: string;
  readonly scheduled?: true;
}

export type ToVersion =
  /** Start the engine. `expected`: runs that have not ended, as far as an earlier version knew. */
  | { readonly type: "run"; readonly expected: readonly string[] }
  | ({ readonly type: "start" } & RequestedRun)
  /** End. Attempts in flight may finish for so many milliseconds; without a limit, all of them finish. */
  | { readonly type: "stop"; readonly milliseconds?: number };

/** An error with its text for people. */
export interface ReportedError {
  readonly code: string;
  readonly message: string;
}

/** A version that can run. */
export interface LoadedVersion {
  readonly type: "loaded";
  readonly workflow: string;
  readonly concurrency: number;
  readonly schedule?: Schedule | undefined;
  /** The names of the variables and of the secrets that the deployed functions will have. */
  readonly deployedNames: readonly string[];
  readonly watched: WatchedFiles;
  /** The state of the watched files from which the version was made: see `stateOf`. */
  readonly state: string;
  /** Whether a file has changed while the version was made. It must then be made again. */
  readonly isStale: boolean;
}

/** A version that does not bundle, or throws when it is imported. */
export interface BrokenVersion {
  readonly type: "broken";
  readonly error: ReportedError;
  readonly watched: WatchedFiles;
}

export interface BegunRun {
  readonly type: "begun";
  readonly run: string;
  /** Whether an earlier version or command began it. */
  readonly isContinued: boolean;
}

export interface EndedRun {
  readonly type: "ended";
  readonly run: string;
  readonly status: RunStatus;
  readonly produced: number;
  readonly succeeded: number;
  readonly dead: number;
  readonly cancelled: number;
  readonly retried: number;
  readonly seconds: number;
  /** Why the run failed or was skipped. */
  readonly failure?: string | undefined;
}

export type FromVersion =
  | LoadedVersion
  | BrokenVersion
  | { readonly type: "ready" }
  /** The engine has failed. `isFatal`: another version would fail in the same way. */
  | { readonly type: "failed"; readonly error: ReportedError; readonly isFatal: boolean }
  | { readonly type: "message"; readonly text: string }
  | BegunRun
  | { readonly type: "progress"; readonly run: string; readonly progress: LiveProgress }
  | EndedRun;
