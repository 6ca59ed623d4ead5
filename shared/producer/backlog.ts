import type { QueueDepth } from "../aws/queue.ts";
import { largestMaxBacklog } from "../definition/queued-messages.ts";
import type { BacklogSample } from "../ledger/run-record.ts";

/** The shortest pause of a producer whose queue is full. Visibility timeouts are whole seconds. */
const SHORTEST_PAUSE_MILLISECONDS = 1_000;
/** The longest pause of a producer whose queue is full. */
const LONGEST_PAUSE_MILLISECONDS = 60_000;

/**
 * A pause is at most this many times as long as the time between the two samples that give the pace of the consumers.
 * One second says little about consumers that have just started, so a short time between samples leads to a short
 * pause.
 */
const PAUSE_PER_OBSERVATION = 2;

/** How long a lane relies on a sample of the queue's backlog. A producer sends a few thousand messages in a second. */
export const SAMPLE_MILLISECONDS = 2_000;

/**
 * An older sample is ignored, because the run may have been paused after it. The limit is longer than the longest pause
 * and a few slices.
 */
const OLDEST_SAMPLE_MILLISECONDS = 300_000;

/**
 * The backlog that decides whether a producer must pause. Messages of paused runs do not count, because no consumer
 * processes them, and another run must not wait until those runs are resumed. They count only if the queue could
 * otherwise hold more messages than `largestMaxBacklog`.
 *
 * @param backlog Messages in the queue.
 * @param pausedItems Pending items of paused runs.
 */
export const backlogWithoutPausedRuns = (
  backlog: number,
  pausedItems: number,
  { maxBacklog, concurrency }: { readonly maxBacklog: number; readonly concurrency: number },
): number => Math.max(0, backlog - pausedItems, backlog + maxBacklog - largestMaxBacklog(concurrency));

/** All messages in the queue. */
export const backlogOf = ({ visible, inFlight, delayed }: QueueDepth): number => visible + inFlight + delayed;

/**
 * How long the producer pauses when the queue is full: until the consumers have probably processed half of the backlog.
 * A shorter pause would cost one more invocation for a few pages. A longer pause would leave the consumers idle.
 *
 * The pace is the number of messages processed since an earlier sample, and not since the start of the run. So a pause
 * that was too long is corrected: the consumers have processed the whole backlog during that pause, so the next pause
 * is shorter. If the pace were measured since the start of the run, the time for which the consumers were idle would
 * make every later pause too long.
 *
 * @param earlier Earlier samples, the oldest first. The first sample that is recent enough is used.
 * @returns the pause in milliseconds, rounded down to whole seconds.
 */
export function backlogPauseMilliseconds(
  maxBacklog: number,
  sample: BacklogSample,
  earlier: readonly (BacklogSample | undefined)[],
): number {
  const before = earlier.find(
    (candidate) => candidate !== undefined && sample.at - candidate.at <= OLDEST_SAMPLE_MILLISECONDS,
  );
  if (before === undefined) return SHORTEST_PAUSE_MILLISECONDS;
  const observed = sample.at - before.at;
  const processed = sample.produced - sample.backlog - (before.produced - before.backlog);
  const untilHalf =
    processed > 0 ? ((sample.backlog - maxBacklog / 2) * observed) / processed : Number.POSITIVE_INFINITY;
  const pause = Math.min(untilHalf, PAUSE_PER_OBSERVATION * observed, LONGEST_PAUSE_MILLISECONDS);
  return Math.max(SHORTEST_PAUSE_MILLISECONDS, Math.floor(pause / 1_000) * 1_000);
}
