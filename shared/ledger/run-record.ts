import type { Row } from "../aws/table.ts";
import { fromStoredText } from "../base/exact-json.ts";
import type { InvalidFinding } from "../base/invalid-finding.ts";
import { refuseNewer } from "../base/newer-version.ts";
import type { Tolerance } from "../definition/tolerance.ts";
import type { LoopState } from "../sources/loop-detector.ts";
import type { Cursor } from "../sources/source.ts";
import type { Totals } from "./rows.ts";
import { readInvalidFinding } from "./same-failure.ts";
import { readWarnings } from "./warnings.ts";

/**
 * Where a run stands.
 *
 * - `running`: the producer pages, or consumers work.
 * - `paused`: no new task begins, nothing is dropped, until it is resumed.
 * - `cancelling`, `failing`: what is still queued is dropped unrun; then it is `cancelled` or `failed`.
 * - `completed`: the source has ended and every item is done or dead.
 * - `cancelled`: every item that was produced is done, dead or cancelled.
 * - `failed`: with `completedAt`, more items died than are tolerated, and the rest was dropped. Without, the source could
 *   not be read, again and again: what was sent is worked off, and `resume` goes on from the cursor.
 * - `skipped`: a schedule asked for it while an earlier run still worked.
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

/** Whether a run still works, or would if it were resumed: what a schedule looks at before it starts another. */
export const isActive = ({ status }: Pick<RunRecord, "status">): boolean =>
  status === "running" || status === "paused" || status === "cancelling" || status === "failing";

/** Whether a run is being stopped: its messages are dropped unrun. */
export const isStopping = ({ status }: RunRecord): boolean => status === "cancelling" || status === "failing";

/** Whether a run's source was told to wait until a later time than this one, in milliseconds since 1970. */
export const isWaiting = ({ wait }: Pick<RunRecord, "wait">, now: number): boolean =>
  wait !== undefined && wait.until > now;

/** Whether nothing will become of a run any more. */
export const hasEnded = ({ status, completedAt }: RunRecord): boolean =>
  completedAt !== undefined || status === "skipped";

/** What is known of a run. */
export interface RunRecord {
  readonly id: string;
  readonly workflow: string;
  readonly status: RunStatus;
  /** Why it failed. */
  readonly failure?: string | undefined;
  /** When it was asked for, ISO 8601: its wall time starts here. */
  readonly requestedAt: string;
  readonly completedAt?: string | undefined;
  /** When it was paused, ISO 8601; absent where it is not paused, or was by code that did not note it. */
  readonly pausedAt?: string | undefined;
  /** Items at the most. */
  readonly limit?: number | undefined;
  /** It was to start only while no other run is active. */
  readonly exclusive: boolean;
  /** Beyond it the run is stopped. */
  readonly tolerance?: Tolerance | undefined;
  /** How often `onComplete` was tried; when it succeeded or was given up, ISO 8601; and why it was given up. */
  readonly completionAttempts: number;
  readonly completionHandledAt?: string | undefined;
  readonly completionError?: string | undefined;
  /** What the source warned of, oldest first: at most 10 distinct texts. */
  readonly warnings: readonly string[];
  /** How all its invalid items failed; absent where there is none, or they failed in different ways. */
  readonly invalidFinding?: InvalidFinding | undefined;
  readonly checkpoint: Checkpoint;
  /** The hop of the latest continuation: an earlier one that comes late is dropped. */
  readonly hop: number;
  /** Slices in a row that failed, or died, without a checkpoint. */
  readonly failedSlices: number;
  /** Why the latest of them failed. */
  readonly sliceError?: string | undefined;
  /** The source was told to wait, and no page has been read since. */
  readonly wait?: RecordedWait | undefined;
  /** What the producer saw when it paused last, because its queue was full. */
  readonly fullAt?: BacklogLook | undefined;
  /** How far the source has been read again, to send what is pending of the pages before the checkpoint. */
  readonly resend?: Resend | undefined;
  /** Messages of it are lost, of items that the source does not yield any more. */
  readonly missing: boolean;
  /** What the run added up to when it completed; absent until then. */
  readonly totals?: Totals | undefined;
  /** Items have settled again after a redrive: `totals` may be those of before. */
  readonly redriven: boolean;
}

/** A wait that the source was told to take. */
export interface RecordedWait {
  /** No page is read before it, in milliseconds since 1970. */
  readonly until: number;
  /** When the first wait began after the latest page or `resume`, in milliseconds since 1970; absent after a `resume`. */
  readonly since?: number | undefined;
  /** Waits since then. */
  readonly count: number;
  /** What the service said. */
  readonly reason: string;
}

/** A place in a source that is read again: see `sendAgain`. */
export interface Resend extends Omit<Checkpoint, "count"> {
  /** Pending items before this place that the source did not yield again. */
  readonly missing: number;
}

/** How full the queue was at one moment. */
export interface BacklogLook {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Items that the run had produced. */
  readonly produced: number;
  /** Messages in the queue, whatever their run. */
  readonly backlog: number;
}

/** How far the producer has come. */
export interface Checkpoint {
  /** Counts the checkpoints: of two producers that write the same one, the second is told to stop. */
  readonly count: number;
  /** Where the source goes on. */
  readonly cursor: Cursor | undefined;
  /** What tells that the cursors go round in a circle, over all slices; absent before the second page. */
  readonly loop?: LoopState | undefined;
  /** Items of the source's page at `cursor` that are sent already. */
  readonly skip: number;
  /** Ledger pages. */
  readonly pages: number;
  readonly items: number;
  /** Whether the source, or the limit, has been reached. */
  readonly ended: boolean;
}

/**
 * The version of the rows of a run: of its own and of those of its pages, blocks and items. It stands in the run's row,
 * without it it is 1. A run keeps the version with which it began. See `docs/internals/versions.md`.
 */
export const LEDGER_VERSION = 1;

/**
 * A run's row, read.
 *
 * @throws {NewerVersionError} A newer version of Sluice began the run: no row of it may be written.
 */
export function readRunRow(row: Row): RunRecord {
  refuseNewer(row.version, LEDGER_VERSION, `run ${row.id}`, { run: String(row.id) });
  return {
    id: String(row.id),
    workflow: String(row.workflow),
    status: row.status as RunStatus,
    failure: row.failure as string | undefined,
    requestedAt: String(row.requestedAt),
    completedAt: row.completedAt as string | undefined,
    pausedAt: row.pausedAt as string | undefined,
    limit: row.limit as number | undefined,
    exclusive: row.exclusive === true,
    tolerance: row.tolerance as Tolerance | undefined,
    completionAttempts: Number(row.completionAttempts ?? 0),
    completionHandledAt: row.completionHandledAt as string | undefined,
    completionError: row.completionError as string | undefined,
    warnings: readWarnings(row),
    invalidFinding: readInvalidFinding(row),
    checkpoint: {
      count: Number(row.checkpoints),
      // JSON text, because DynamoDB's own types would lose the difference between absent and null.
      cursor: row.cursor === undefined ? undefined : (fromStoredText(String(row.cursor)) as Cursor),
      loop: row.loop as LoopState | undefined,
      skip: Number(row.skip),
      pages: Number(row.pages),
      items: Number(row.items),
      ended: row.ended === true,
    },
    hop: Number(row.hop),
    failedSlices: Number(row.failedSlices),
    sliceError: row.sliceError as string | undefined,
    wait: waitOf(row),
    fullAt: row.fullAt as BacklogLook | undefined,
    resend: row.resend === undefined ? undefined : (fromStoredText(String(row.resend)) as Resend),
    missing: row.missing === true,
    totals: row.totals as Totals | undefined,
    redriven: row.redriven === true,
  };
}

function waitOf({ waitUntil, waitSince, waits, waitReason }: Row): RecordedWait | undefined {
  if (waitUntil === undefined) return undefined;
  const since = waitSince as number | undefined;
  return { until: Number(waitUntil), since, count: Number(waits ?? 0), reason: String(waitReason) };
}

/** A run's counts, at one moment. */
export interface Counts {
  readonly produced: number;
  readonly succeeded: number;
  readonly dead: number;
  /** Dropped unrun when the run was stopped. */
  readonly cancelled: number;
  /** Failed attempts that were followed by another, of items that are settled. */
  readonly retried: number;
  /** Produced, and not settled yet. */
  readonly pending: number;
  readonly deadByReason: Totals["deadByReason"];
}

/** The counts of a run that has ended, of which nothing was redriven. */
export function finalCounts(run: RunRecord): Counts {
  const { dead = 0, cancelled = 0, retried = 0, deadByReason = {} } = run.totals ?? {};
  const produced = run.checkpoint.items;
  return { produced, succeeded: produced - dead - cancelled, dead, cancelled, retried, pending: 0, deadByReason };
}
