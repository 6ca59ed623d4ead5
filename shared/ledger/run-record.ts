import type { Row } from "../aws/table.ts";
import { fromStoredText } from "../base/exact-json.ts";
import type { InvalidFinding } from "../base/invalid-finding.ts";
import { refuseNewer } from "../base/newer-version.ts";
import type { ResultsSettings } from "../definition/results-options.ts";
import type { Tolerance } from "../definition/tolerance.ts";
import type { LoopState } from "../sources/loop-detector.ts";
import type { Cursor, Partition } from "../sources/source.ts";
import { numberSet } from "./number-set.ts";
import { readInvalidFinding } from "./same-failure.ts";
import type { Totals } from "./totals.ts";
import { readWarnings } from "./warnings.ts";

/** How much of an error's message a run's row keeps. DynamoDB refuses a row of more than 400 KB. */
export const LONGEST_ERROR_BYTES = 8_192;

/**
 * The status of a run.
 *
 * - `running`: the producer reads the source, or consumers process items.
 * - `paused`: no new task begins until the run is resumed. Nothing is dropped.
 * - `cancelling`, `failing`: messages that are still queued are dropped without an attempt. Then the run is `cancelled` or
 *   `failed`.
 * - `completed`: the source has ended, and every item is done or dead.
 * - `cancelled`: every item that was produced is done, dead or cancelled.
 * - `failed` with `completedAt`: more items died than are tolerated, and the other items were dropped.
 * - `failed` without `completedAt`: the source could not be read, after several tries. The items that were sent are still
 *   processed, and `resume` continues from the cursor.
 * - `skipped`: a schedule requested the run while an earlier run was active.
 */
export const RUN_STATUSES = [
  "running",
  "paused",
  "cancelling",
  "failing",
  "completed",
  "cancelled",
  "failed",
  "skipped",
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** Whether a run is active. A schedule with `overlap: "skip"` starts no run while another run is active. */
export const isActive = ({ status }: Pick<RunRecord, "status">): boolean =>
  status === "running" || status === "paused" || status === "cancelling" || status === "failing";

/** Whether a run is being stopped: its messages are dropped without an attempt. */
export const isStopping = ({ status }: RunRecord): boolean => status === "cancelling" || status === "failing";

/** Whether a run's source asked for a wait that ends after this time, in milliseconds since 1970. */
export const isWaiting = ({ wait }: Pick<RunRecord, "wait">, now: number): boolean =>
  wait !== undefined && wait.until > now;

/** Whether a run has ended and cannot be resumed. None of its items can settle any more, except after a redrive. */
export const hasEnded = ({ status, completedAt }: RunRecord): boolean =>
  completedAt !== undefined || status === "skipped";

/** What the ledger knows of a run. */
export interface RunRecord {
  readonly id: string;
  /** The version of the run's rows: see `LEDGER_VERSION`. */
  readonly version: number;
  readonly workflow: string;
  readonly status: RunStatus;
  /** Why the run failed or was skipped. */
  readonly failure?: string | undefined;
  /** When the run was requested, ISO 8601. Its duration is counted from here. */
  readonly requestedAt: string;
  readonly completedAt?: string | undefined;
  /** The version of the code with which the run began. Absent if an older version of Sluice began it. */
  readonly codeVersion?: string | undefined;
  /** The latest other code that worked on the run, because of a deploy under way. Absent if there was none. */
  readonly codeChange?: { readonly version: string; readonly at: number } | undefined;
  /** When the run was paused, ISO 8601. Absent if it is not paused, or if older code paused it. */
  readonly pausedAt?: string | undefined;
  /** The most items that the run produces. */
  readonly limit?: number | undefined;
  /** Whether the run may begin only while no other run is active. */
  readonly exclusive: boolean;
  /** If more items die, the run is stopped. */
  readonly tolerance?: Tolerance | undefined;
  /** How often `onComplete` was tried. */
  readonly completionAttempts: number;
  /** When `onComplete` succeeded, or failed for the last time, ISO 8601. */
  readonly completionHandledAt?: string | undefined;
  /** Why `onComplete` failed for the last time. */
  readonly completionError?: string | undefined;
  /** The warnings of the source, oldest first: at most 10 distinct texts. */
  readonly warnings: readonly string[];
  /** How all invalid items failed. Absent if no item is invalid, or if they failed in different ways. */
  readonly invalidFinding?: InvalidFinding | undefined;
  readonly checkpoint: Checkpoint;
  /** When the latest page was sent, in milliseconds since 1970. Absent before the first, or if older code sent it. */
  readonly checkpointAt?: number | undefined;
  /** The number of the latest continuation. A continuation with a lower number is late, and is dropped. */
  readonly hop: number;
  /** How many slices in a row failed or died without a checkpoint. */
  readonly failedSlices: number;
  /** Why the latest of these slices failed. */
  readonly sliceError?: string | undefined;
  /** The wait that the source asked for, if no page has been read since. */
  readonly wait?: RecordedWait | undefined;
  /** How full the queue was when the producer last paused because of it. */
  readonly fullAt?: BacklogSample | undefined;
  /** How far the source has been read again, to send the pending items of the pages before the checkpoint. */
  readonly resend?: Resend | undefined;
  /** Whether messages of the run are lost whose items the source no longer yields. */
  readonly missing: boolean;
  /** The totals of the run when it ended. Absent until then. */
  readonly totals?: Totals | undefined;
  /** Whether items of the run were redriven, so that `totals` may be out of date. */
  readonly redriven: boolean;
  /** How the run keeps its results. Absent: it keeps none. */
  readonly results?: RunResults | undefined;
  /** The numbers of the blocks whose pages are all complete. `completeBlocksOf` adds those of later groups. */
  readonly completeBlocks: ReadonlySet<number>;
  /** How many producers read the run's partitions at the same time. Absent: the run has no partitions. */
  readonly lanes?: number | undefined;
  /** The round of its lanes that the latest resume begins. Absent: it was not resumed, or has no lanes. */
  readonly resumedRound?: number | undefined;
  /**
   * The number of partitions. Absent until their list is sealed. A run that was stopped, or that has reached its limit of
   * items, ends with the partitions that were taken up before.
   */
  readonly partitions?: number | undefined;
  /** How many partitions have been read to their ends. Only in the record that `overviewOf` returns. */
  readonly partitionsRead?: number | undefined;
  /**
   * The partition whose production this record describes: its checkpoint, failed slices and waits. Absent: that of the run
   * itself.
   */
  readonly partition?: RunPartition | undefined;
}

/** A partition of a run. */
export interface RunPartition extends Partition {
  /** From 1, in the order of the list that the source returned. */
  readonly number: number;
}

/** The results of a run. See `docs/internals/results.md`. */
export interface RunResults extends ResultsSettings {
  /** The number of the latest manifest. Absent before the first one. */
  readonly manifest?: number | undefined;
  /** How many compactions were asked for. */
  readonly compactionsAsked: number;
  /** How many of them are done. While it is lower than `compactionsAsked`, a compaction is under way or about to begin. */
  readonly compactionsDone: number;
  /** How many blocks were complete when the latest compaction was done. */
  readonly compactedBlocks: number;
}

/** A wait that the source asked for. */
export interface RecordedWait {
  /** No page is read before this time, in milliseconds since 1970. */
  readonly until: number;
  /**
   * When the first wait since the latest page or `resume` began, in milliseconds since 1970. Absent between a `resume` and
   * the next wait.
   */
  readonly since?: number | undefined;
  /** The number of waits since the latest page or `resume`. */
  readonly count: number;
  /** What the service said. */
  readonly reason: string;
}

/** How far a resend has come in the source: see `Resends`. */
export interface Resend extends Omit<Checkpoint, "count"> {
  /** The number of pending items before this place that the source did not yield again. */
  readonly missing: number;
  /** The partition that is read again. Those before it are done. Absent: partition 0. */
  readonly partition?: number;
}

/** How full the queue was at one moment. */
export interface BacklogSample {
  /** When the sample was taken, in milliseconds since 1970. */
  readonly at: number;
  /** The number of items that the run had produced. */
  readonly produced: number;
  /** The number of messages in the queue, of all runs. */
  readonly backlog: number;
}

/** How far the producer has come. */
export interface Checkpoint {
  /** The number of checkpoints. If two producers write the same checkpoint, the second producer must stop. */
  readonly count: number;
  /** Where the source continues. */
  readonly cursor: Cursor | undefined;
  /** The state of the loop detector, over all slices. Absent before the second page. */
  readonly loop?: LoopState | undefined;
  /** How many items of the source's page at `cursor` are sent already. */
  readonly skip: number;
  /** How many pages of the ledger the run has. */
  readonly pages: number;
  readonly items: number;
  /** Whether the end of the source, or the limit, is reached. */
  readonly ended: boolean;
}

/**
 * The version of all rows of a run: its own row, and those of its pages, blocks and items. It is in the run's row. A row
 * without a version has version 1. A run keeps the version with which it began. See `docs/internals/versions.md`.
 *
 * - 2: partitions.
 * - 3: groups of blocks.
 */
export const LEDGER_VERSION = 3;

/** From this version on, only the first blocks of a run or partition are entered into its own row: see `BLOCKS_PER_GROUP`. */
export const VERSION_WITH_BLOCK_GROUPS = 3;

/**
 * Reads a run's row.
 *
 * @throws {NewerVersionError} A newer version of Sluice began the run. This code must not write any row of the run.
 */
export function readRunRow(row: Row): RunRecord {
  refuseNewer(row.version, LEDGER_VERSION, `run ${row.id}`, { run: String(row.id) });
  return {
    id: String(row.id),
    version: Number(row.version ?? 1),
    workflow: String(row.workflow),
    status: row.status as RunStatus,
    failure: row.failure as string | undefined,
    requestedAt: String(row.requestedAt),
    completedAt: row.completedAt as string | undefined,
    codeVersion: row.codeVersion as string | undefined,
    codeChange: row.codeChange as RunRecord["codeChange"],
    pausedAt: row.pausedAt as string | undefined,
    limit: row.limit as number | undefined,
    exclusive: row.exclusive === true,
    tolerance: row.tolerance as Tolerance | undefined,
    completionAttempts: Number(row.completionAttempts ?? 0),
    completionHandledAt: row.completionHandledAt as string | undefined,
    completionError: row.completionError as string | undefined,
    warnings: readWarnings(row),
    invalidFinding: readInvalidFinding(row),
    ...readProduction(row),
    hop: Number(row.hop),
    resend: row.resend === undefined ? undefined : (fromStoredText(String(row.resend)) as Resend),
    missing: row.missing === true,
    totals: row.totals as Totals | undefined,
    redriven: row.redriven === true,
    results: resultsOf(row),
    lanes: row.lanes as number | undefined,
    resumedRound: row.resumedRound as number | undefined,
    partitions: row.partitions as number | undefined,
  };
}

/** Reads the part of a record that both the row of a run and the row of a partition hold. */
export function readProduction(row: Row) {
  return {
    checkpoint: {
      count: Number(row.checkpoints),
      // The cursor is stored as JSON text, because DynamoDB's own types would not tell an absent value from null.
      cursor: row.cursor === undefined ? undefined : (fromStoredText(String(row.cursor)) as Cursor),
      loop: row.loop as LoopState | undefined,
      skip: Number(row.skip),
      pages: Number(row.pages),
      items: Number(row.items),
      ended: row.ended === true,
    },
    checkpointAt: row.checkpointAt as number | undefined,
    failedSlices: Number(row.failedSlices),
    sliceError: row.sliceError as string | undefined,
    wait: waitOf(row),
    fullAt: row.fullAt as BacklogSample | undefined,
    completeBlocks: numberSet(row.fullBlocks),
  };
}

/** The record of a partition: what its own row says, and what the run's record says. */
export const partitionRecord = (run: RunRecord, partition: RunPartition, row: Row): RunRecord => ({
  ...run,
  ...readProduction(row),
  resend: undefined,
  partition,
});

/** The number of the partition whose production a record describes. */
export const partitionOf = ({ partition }: Pick<RunRecord, "partition">): number => partition?.number ?? 0;

/** The version of a run's raw objects. Code that meets a newer version must not read or write results of the run. */
export const RESULTS_VERSION = 1;

function resultsOf(row: Row): RunResults | undefined {
  if (row.results === undefined) return undefined;
  const { version, format, include } = row.results as unknown as ResultsSettings & { readonly version: number };
  refuseNewer(version, RESULTS_VERSION, `the results of run ${row.id}`, { run: String(row.id) });
  return {
    format,
    include,
    manifest: Number(row.manifest ?? 0) || undefined,
    compactionsAsked: Number(row.compactionsAsked ?? 0),
    compactionsDone: Number(row.compactionsDone ?? 0),
    compactedBlocks: Number(row.compactedBlocks ?? 0),
  };
}

function waitOf({ waitUntil, waitSince, waits, waitReason }: Row): RecordedWait | undefined {
  if (waitUntil === undefined) return undefined;
  const since = waitSince as number | undefined;
  return { until: Number(waitUntil), since, count: Number(waits ?? 0), reason: String(waitReason) };
}

/** The counts of a run at one moment. */
export interface Counts {
  readonly produced: number;
  readonly succeeded: number;
  readonly dead: number;
  /** Items that were dropped without an attempt when the run was stopped. */
  readonly cancelled: number;
  /** Failed attempts of settled items that were followed by another attempt. */
  readonly retried: number;
  /** Items that are produced and not settled yet. */
  readonly pending: number;
  readonly deadByReason: Totals["deadByReason"];
}

/** The counts of a run that has ended and has no redriven items. */
export function finalCounts(run: RunRecord): Counts {
  const { dead = 0, cancelled = 0, retried = 0, deadByReason = {} } = run.totals ?? {};
  const produced = run.checkpoint.items;
  return { produced, succeeded: produced - dead - cancelled, dead, cancelled, retried, pending: 0, deadByReason };
}
