import type { Cursor } from "../sources/source.ts";
import type { Totals } from "./rows.ts";
import type { Row } from "./store.ts";

/**
 * Where a run stands.
 *
 * - `running`: the producer pages, or consumers work.
 * - `completed`: the source has ended and every item is done or dead. Final.
 * - `failed`: the source could not be read, again and again. What was sent is worked off; `resume` goes on from the
 *   cursor.
 */
export const RUN_STATUSES = ["running", "completed", "failed"] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

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
  /** Items at the most. */
  readonly limit?: number | undefined;
  readonly checkpoint: Checkpoint;
  /** The hop of the latest continuation: an earlier one that comes late is dropped. */
  readonly hop: number;
  /** Slices in a row that failed, or died, without a checkpoint. */
  readonly failedSlices: number;
  /** Why the latest of them failed. */
  readonly sliceError?: string | undefined;
  /** Exact once the run has completed; absent until then. */
  readonly totals?: Totals | undefined;
}

/** How far the producer has come. */
export interface Checkpoint {
  /** Counts the checkpoints: of two producers that write the same one, the second is told to stop. */
  readonly count: number;
  /** Where the source goes on. */
  readonly cursor: Cursor | undefined;
  /** Items of the source's page at `cursor` that are sent already. */
  readonly skip: number;
  /** Ledger pages. */
  readonly pages: number;
  readonly items: number;
  /** Whether the source, or the limit, has been reached. */
  readonly ended: boolean;
}

export function readRunRow(row: Row): RunRecord {
  return {
    id: String(row.id),
    workflow: String(row.workflow),
    status: row.status as RunStatus,
    failure: row.failure as string | undefined,
    requestedAt: String(row.requestedAt),
    completedAt: row.completedAt as string | undefined,
    limit: row.limit as number | undefined,
    checkpoint: {
      count: Number(row.checkpoints),
      // JSON text, because DynamoDB's own types would lose the difference between absent and null.
      cursor: row.cursor === undefined ? undefined : JSON.parse(String(row.cursor)),
      skip: Number(row.skip),
      pages: Number(row.pages),
      items: Number(row.items),
      ended: row.ended === true,
    },
    hop: Number(row.hop),
    failedSlices: Number(row.failedSlices),
    sliceError: row.sliceError as string | undefined,
    totals: row.totals as Totals | undefined,
  };
}

/** A run's counts, at one moment. */
export interface Counts {
  readonly produced: number;
  readonly succeeded: number;
  readonly dead: number;
  /** Failed attempts that were followed by another, of items that are settled. */
  readonly retried: number;
  /** Produced, and neither done nor dead. */
  readonly owed: number;
  readonly deadByReason: Totals["deadByReason"];
}

/** The counts of a completed run. */
export function finalCounts(run: RunRecord): Counts {
  const { dead = 0, retried = 0, deadByReason = {} } = run.totals ?? {};
  const produced = run.checkpoint.items;
  return { produced, succeeded: produced - dead, dead, retried, owed: 0, deadByReason };
}
