import type { Failure } from "../../shared/base/failure.ts";
import type { RunView } from "../../shared/observe/run-view.ts";
import type { Sample } from "../../shared/observe/sample.ts";

/** The JSON that the server and the page exchange. */

/** A workflow that was run here, or that is deployed. */
export interface WorkflowView {
  readonly workflow: string;
  /** What a person types for the workflow. */
  readonly name: string;
  /** Whether consumers are running: those of a deployed stack, or of an engine on this machine. */
  readonly running: boolean;
  /** Approximately how many dead letters there are. `null`: not known yet. */
  readonly deadLetters: number | null;
}

/** A run in the list. */
export interface ListedRun extends RunView {
  /** The latest sample while the run works. */
  readonly live: Sample | null;
}

/** What the list of runs shows. */
export interface Overview {
  /** For people: "this machine", or "stack sluice-cities". */
  readonly place: string;
  /** What follows a command's words: ` --stack sluice-cities`, or nothing. */
  readonly flags: string;
  readonly isStack: boolean;
  /** Whether the server accepts changes. */
  readonly writable: boolean;
  /** Workflows in `workflows/` that can be started. */
  readonly startable: readonly string[];
  readonly workflows: readonly WorkflowView[];
  readonly runs: readonly ListedRun[];
  /** Why the runs cannot be read now. `null`: they can. */
  readonly problem: string | null;
  /** Whether the runs were read at least once. */
  readonly isRead: boolean;
}

/** One line of a run's definition: a name and a value for people. */
export type DefinitionLine = readonly [name: string, value: string];

/** What the page of a run shows beside its view. */
export interface RunDetail {
  /** Empty if the workflow's file cannot be loaded; `problem` says why. */
  readonly definition: readonly DefinitionLine[];
  readonly file: string | null;
  readonly problem: string | null;
}

/** The first rows of the results. */
export interface ResultsView {
  readonly rows: number;
  /** Each row as JSON text. */
  readonly first: readonly string[];
  readonly url: string;
  readonly problem: string | null;
}

/** Which partitions the page shows. */
export type PartitionFilter = "all" | "open";

/** The durations of the attempts of a workflow in one period, in milliseconds. */
export interface DurationPoint {
  /** When the period began, in milliseconds since 1970. */
  readonly at: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** The durations that CloudWatch has recorded for a deployed stack while a run worked. */
export interface DurationsView {
  readonly periodSeconds: number;
  readonly points: readonly DurationPoint[];
  /** Why they cannot be read. `null`: they can. */
  readonly problem: string | null;
}

/** A line of the log of a run. */
export interface LogRow {
  readonly at: string | null;
  readonly function: string;
  readonly level: string;
  readonly item: string | null;
  readonly attempt: number | null;
  readonly message: string;
  /** What the line has besides the message, as JSON text. */
  readonly fields: string;
}

/** The latest lines of the log of a run or of an item. */
export interface LogView {
  readonly lines: readonly LogRow[];
  /** How many earlier lines were left out. */
  readonly omitted: number;
}

/** Which lines of a log to show. */
export interface LogRequest {
  readonly run: string;
  /** The id of an item. Absent: all items. */
  readonly item?: string | undefined;
  readonly onlyErrors: boolean;
}

export type CommandName = "start" | "pause" | "resume" | "cancel";

/** Starts, pauses, resumes or cancels a run. */
export interface CommandRequest {
  readonly command: CommandName;
  readonly workflow: string;
  readonly run?: string | undefined;
  readonly items?: number | undefined;
}

/** Which dead letters: those with the ids, or all that match the filter. */
export interface DeadLetterFilter {
  /** The keys of groups. Absent: all groups. */
  readonly groups?: readonly string[] | undefined;
  readonly reason?: string | undefined;
  readonly run?: string | undefined;
  /** A part of the error, the item or the id. */
  readonly text?: string | undefined;
}

export interface Selection {
  readonly ids?: readonly string[] | undefined;
  readonly filter?: DeadLetterFilter | undefined;
}

/** How items are changed before they are sent back. */
export interface ItemEdits {
  /** New items as JSON text, by the dead letters' ids. */
  readonly items?: Readonly<Record<string, string>> | undefined;
  /** Values that are set in each item, as in `dlq redrive --set`: `country="FR"`. */
  readonly set?: readonly string[] | undefined;
}

export type WorkKind = "load" | "dry run" | "redrive" | "purge";

/** Begins to work on the dead letters of a workflow. */
export interface WorkRequest {
  readonly kind: WorkKind;
  readonly workflow: string;
  readonly selection?: Selection | undefined;
  readonly edits?: ItemEdits | undefined;
  readonly ratePerSecond?: number | undefined;
}

/** The state of the latest work. */
export interface WorkView {
  /** Each work has another id. */
  readonly id: string;
  readonly kind: WorkKind;
  readonly workflow: string;
  readonly state: "running" | "done" | "failed";
  /** What is being done now: "reading", "giving back", "sending". */
  readonly phase: string;
  readonly done: number;
  readonly total: number;
  /** The result or the error, for people. */
  readonly message: string;
  /** Why dead letters were not sent: at most 100. */
  readonly refusals: readonly { readonly id: string; readonly message: string }[];
}

/** Asks which dead letters are still loaded, for example after a redrive. The answer is another one of these. */
export interface LoadedIds {
  readonly workflow: string;
  readonly ids: readonly string[];
}

/** A group of dead letters with the same error. */
export interface GroupView {
  readonly key: string;
  readonly name: string;
  readonly count: number;
  readonly reasons: readonly string[];
  readonly firstDiedAt: string;
  readonly lastDiedAt: string;
  /** The error of one dead letter with its details, which `name` replaces with placeholders. */
  readonly exampleError: string;
  readonly exampleItem: string;
}

/** A dead letter in the list. */
export interface DeadLetterRow {
  readonly id: string;
  readonly reason: string;
  readonly run: string | null;
  readonly diedAt: string;
  readonly error: string;
  readonly item: string;
  readonly attempts: number;
  readonly redrives: number;
}

/** A page of the dead letters that match a filter. */
export interface DeadLetterPage {
  /** When they were loaded, in milliseconds since 1970. `null`: they were not. */
  readonly loadedAt: number | null;
  /** How many were loaded and are still there, as far as this server knows. */
  readonly loaded: number;
  readonly matching: number;
  readonly groups: readonly GroupView[];
  readonly runs: readonly string[];
  readonly reasons: readonly string[];
  readonly rows: readonly DeadLetterRow[];
  /** What could not be read. */
  readonly note: string | null;
}

/** One dead letter with all that is known of it. */
export interface DeadLetterView extends DeadLetterRow {
  readonly kind: string;
  readonly truncated: boolean;
  readonly workflow: string | null;
  readonly page: number | null;
  readonly index: number | null;
  readonly sentAt: string;
  readonly expiresAt: string | null;
  readonly receiveCount: number;
  /** The id of the item in its run, as logs and results name it. `null`: the dead letter does not say. */
  readonly itemId: string | null;
  readonly group: string;
  readonly groupName: string;
  readonly errorName: string;
  readonly errorMessage: string;
  /** The item as JSON text with indentation, at most `LONGEST_SHOWN` characters. */
  readonly itemText: string;
  /** Whether `itemText` is only the start, so that the item cannot be edited here. */
  readonly isCut: boolean;
  readonly failures: readonly Failure[];
}

/** What a change would do to one item. */
export interface EditCheck {
  readonly id: string;
  readonly before: string;
  readonly after: string;
  /** Why the item cannot be sent. `null`: it can. */
  readonly problem: string | null;
}

/** What a change would do to the selected items, checked against the workflow's schema. */
export interface CheckResult {
  readonly selected: number;
  readonly changed: number;
  readonly invalid: number;
  /** The first items, those with a problem first. */
  readonly examples: readonly EditCheck[];
  /** Why no schema was checked. `null`: it was. */
  readonly problem: string | null;
}

/** An error of a request. */
export interface ApiError {
  readonly error: string;
}
