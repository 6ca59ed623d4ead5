import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import type { PartitionStates } from "../../shared/ledger/partition-states.ts";
import type { Sample } from "../../shared/observe/sample.ts";
import type {
  CheckResult,
  CommandRequest,
  DurationsView,
  ItemEdits,
  LogRequest,
  LogView,
  Overview,
  PartitionFilter,
  ResultsView,
  RunDetail,
  WorkView,
} from "./api.ts";

/** Reads the samples of one run, each once. */
export interface SampleReader {
  read(): Promise<readonly Sample[]>;
}

/** Reports how far a work has come. */
export type OnProgress = (progress: Partial<Pick<WorkView, "phase" | "done" | "total">>) => void;

/** How a work on dead letters ended. */
export interface WorkResult {
  /** For people. */
  readonly message: string;
  readonly refusals?: WorkView["refusals"];
  /** The ids of the dead letters that are no longer in the queue. */
  readonly gone?: readonly string[];
}

/** Some work on the dead letters of a workflow. */
export interface DeadLetterWork {
  readonly workflow: string;
  readonly selects: (deadLetter: DeadLetter) => boolean;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

/** What the dashboard shows and changes: this machine, or a deployed stack. */
export interface Place {
  /** The latest state that is known. */
  readonly overview: Overview;
  /** Reads what has changed. It is called each second while a page is open, and not again before it resolves. */
  refresh(): Promise<void>;
  samplesOf(workflow: string, run: string): SampleReader;
  detail(workflow: string, run: string): Promise<RunDetail>;
  /** Some partitions of a run, from `offset` on. */
  partitions(workflow: string, run: string, show: PartitionFilter, offset: number): Promise<PartitionStates>;
  /** The durations that are recorded elsewhere than in the samples. `null`: the samples have them. */
  durations(workflow: string, run: string): Promise<DurationsView | null>;
  /** The latest lines of a log. */
  logs(request: LogRequest, signal: AbortSignal): Promise<LogView>;
  results(workflow: string, run: string): Promise<ResultsView>;
  /** All results of a run, as text or bytes. */
  download(workflow: string, run: string, format: "jsonl" | "csv"): AsyncIterable<string | Uint8Array>;
  /** Returns what the command said. */
  command(request: CommandRequest): Promise<string>;
  load(work: Omit<DeadLetterWork, "selects"> & { readonly see: (deadLetter: DeadLetter) => void }): Promise<WorkResult>;
  check(workflow: string, deadLetters: readonly DeadLetter[], edits: ItemEdits): Promise<CheckResult>;
  redrive(
    work: DeadLetterWork & {
      readonly edits: ItemEdits;
      readonly dryRun: boolean;
      readonly ratePerSecond: number | undefined;
    },
  ): Promise<WorkResult>;
  purge(work: DeadLetterWork): Promise<WorkResult>;
  close(): Promise<void>;
}
