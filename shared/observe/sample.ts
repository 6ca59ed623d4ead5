import type { RunRecord } from "../ledger/run-record.ts";
import { type DurationCounts, durationQuantiles } from "./durations.ts";
import type { LiveProgress } from "./live-progress.ts";

/** One moment of a run: a point of the charts. Plain JSON, one line of a run's history. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly status: string;
  readonly produced: number;
  /** How many pages of the ledger the run has, and whether the source was read to its end. */
  readonly pages?: number | undefined;
  readonly ended?: boolean | undefined;
  /** How many items the run will have. Absent while that is not known. */
  readonly total?: number | undefined;
  readonly succeeded: number;
  readonly dead: number;
  readonly retried: number;
  /** Attempts that the service refused: of the run in its history, of the command in a sample that it has just made. */
  readonly throttled: number;
  readonly inFlight: number;
  /** Settled items per second. */
  readonly rate: number;
  readonly secondsLeft?: number | undefined;
  /** The most tasks in flight that the workflow allows. */
  readonly ceiling?: number | undefined;
  /** The slots that the fleet found or was given. Absent while nothing limits it but the ceiling. */
  readonly slots?: number | undefined;
  readonly held?: string | undefined;
  /** Durations of the attempts that ended since the sample before, in milliseconds. Absent if none ended. */
  readonly p50?: number | undefined;
  readonly p95?: number | undefined;
  readonly p99?: number | undefined;
  /** The mean duration, where the quantiles are not known: in a deployed stack. */
  readonly mean?: number | undefined;
}

/** The sample of a run that an engine on this machine works on. */
export function liveSample(
  progress: LiveProgress,
  more: {
    readonly at: number;
    readonly record: Pick<RunRecord, "status" | "checkpoint">;
    readonly ceiling?: number | undefined;
    readonly slots?: number | undefined;
    readonly durations: DurationCounts;
  },
): Sample {
  const { produced, total, succeeded, dead, retried, throttled, inFlight, rate, secondsLeft, held } = progress;
  const { at, record, ceiling, slots, durations } = more;
  const { status, checkpoint } = record;
  const [p50, p95, p99] = durationQuantiles(durations, [0.5, 0.95, 0.99]) ?? [];
  const round = (value: number | undefined) => (value === undefined ? undefined : Math.round(value * 10) / 10);
  return {
    at,
    status,
    produced,
    pages: checkpoint.pages,
    ended: checkpoint.ended,
    total,
    succeeded,
    dead,
    retried,
    throttled,
    inFlight,
    rate: round(rate) ?? 0,
    secondsLeft: round(secondsLeft),
    ceiling,
    slots,
    held,
    p50,
    p95,
    p99,
  };
}

/** A history begins with a sample each second. */
const SHORTEST_MILLISECONDS = 1_000;
/** The number of samples after which they become rarer. */
const DENSE = 1_800;

/**
 * The time from one sample to the next. A run of up to half an hour has one each second. After that, samples become rarer in
 * the measure in which the run becomes longer, so that a run of a week has fewer than 15,000.
 */
export const sampleInterval = (elapsedMilliseconds: number): number =>
  Math.max(SHORTEST_MILLISECONDS, elapsedMilliseconds / DENSE);
