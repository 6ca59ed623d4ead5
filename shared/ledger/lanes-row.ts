import type { Row } from "../aws/table.ts";
import type { RunRecord } from "./run-record.ts";

/** What the row of a run's lanes says. */
export interface LanesRow {
  /** The number of partitions. Absent until the list of partitions is sealed. */
  readonly count: number | undefined;
  /** The number of the list that was sealed. */
  readonly plan: number;
  /** The first partition that no lane has taken. */
  readonly next: number;
  /** No lane takes a further partition: the run was stopped, or it has reached its limit of items. */
  readonly stopped: boolean;
  /** The number of the continuation that started the lanes latest. */
  readonly round: number;
  /** For each lane, the partition that it reads. 0: none. */
  readonly reading: readonly number[];
  /** The partitions that could not be read, and why. They are read again when the run is resumed. */
  readonly failed: ReadonlyMap<number, string>;
  /** Partitions that failed before the run was resumed, and that no lane has taken since. */
  readonly again: readonly number[];
  /** When this many partitions have failed, no lane takes a further partition of the list. */
  readonly mostFailed: number;
}

// The names of attributes in stored rows. They must not change.
const LANE = "lane ";
const FAILED = "failed ";
const AGAIN = "again ";

export const laneAttribute = (lane: number): string => `${LANE}${lane}`;
export const hopAttribute = (lane: number): string => `hop ${lane}`;
export const failedAttribute = (partition: number): string => `${FAILED}${partition}`;
export const againAttribute = (partition: number): string => `${AGAIN}${partition}`;

/** @param run The run that the row belongs to. */
export function readLanesRow(row: Row, { lanes = 0, limit }: Pick<RunRecord, "lanes" | "limit">): LanesRow {
  const numbersAfter = (prefix: string): readonly number[] =>
    Object.keys(row)
      .filter((name) => name.startsWith(prefix))
      .map((name) => Number(name.slice(prefix.length)))
      .sort((a, b) => a - b);
  return {
    count: row.count as number | undefined,
    plan: Number(row.plan ?? 0),
    next: Number(row.next ?? 1),
    stopped: row.stopped === true,
    round: Number(row.round ?? 0),
    reading: Array.from({ length: lanes }, (_, lane) => Number(row[laneAttribute(lane)] ?? 0)),
    failed: new Map(numbersAfter(FAILED).map((partition) => [partition, String(row[failedAttribute(partition)])])),
    again: numbersAfter(AGAIN),
    // A run with a limit must not take items of a later partition before those of a partition that failed.
    mostFailed: limit === undefined ? MOST_FAILED : 1,
  };
}

/** The partitions that were taken, and whose production may not have ended. */
export const openPartitions = ({ reading, failed, again }: LanesRow): readonly number[] =>
  [...new Set([...reading.filter((partition) => partition > 0), ...failed.keys(), ...again])].sort((a, b) => a - b);

/** Whether no lane reads a partition, and none is left for a lane to take. */
export const isAtRest = (row: LanesRow): boolean => row.reading.every((partition) => partition === 0) && !hasNext(row);

/** Whether a lane can take another partition. */
export const hasNext = ({ again, stopped, next, count = 0, failed, mostFailed }: LanesRow): boolean =>
  again.length > 0 || (!stopped && next <= count && failed.size < mostFailed);

/** When this many partitions have failed, the source counts as broken. */
const MOST_FAILED = 100;
