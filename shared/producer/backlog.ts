import type { QueueDepth } from "../aws/queue.ts";
import type { BacklogLook } from "../ledger/run-record.ts";

/** The shortest and the longest pause of a producer whose queue is full: visibility has whole seconds. */
const SHORTEST_PAUSE_MILLISECONDS = 1_000;
const LONGEST_PAUSE_MILLISECONDS = 60_000;

/**
 * A pause is at most so many times as long as its pace was observed for. Of consumers that have just started, a second
 * tells little: pauses grow while they tell more.
 */
const PAUSE_PER_OBSERVATION = 2;

/** A look that is older than the longest pause and a few slices may be of a time in which the run stood still. */
const OLDEST_LOOK_MILLISECONDS = 300_000;

/**
 * Messages of all runs in the queue at most. SQS counts received messages, which those of paused runs are, as in flight,
 * and gives no more of them out at about 120,000.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
 */
const MOST_MESSAGES = 100_000;

/**
 * The backlog that counts for a producer whose queue is full: without the messages of paused runs, which no consumer works on,
 * so that another run is not held up by them until they are resumed.
 *
 * @param resting Pending items of paused runs.
 */
export const backlogBeside = (backlog: number, resting: number, maxBacklog: number): number =>
  Math.max(0, backlog - resting, backlog + maxBacklog - Math.max(MOST_MESSAGES, maxBacklog));

export const backlogOf = ({ visible, inFlight, delayed }: QueueDepth): number => visible + inFlight + delayed;

/**
 * How long the producer pauses when the backlog is at its bound: until half of it should be worked off. Sooner would be
 * one more invocation for a few pages, later would leave the consumers idle.
 *
 * The pace is what was worked off since an earlier look, and not since the run began: a pause that was too long, and
 * left the consumers idle, would else count as slowness of theirs for the rest of the run. Now it is at least made
 * shorter by the next, as all that was there was worked off in it.
 *
 * @param earlier Looks before this one, the oldest first; the first that is recent enough is taken.
 * @returns Milliseconds, whole seconds of them, rounded down.
 */
export function backlogPauseMilliseconds(
  maxBacklog: number,
  look: BacklogLook,
  earlier: readonly (BacklogLook | undefined)[],
): number {
  const before = earlier.find(
    (candidate) => candidate !== undefined && look.at - candidate.at <= OLDEST_LOOK_MILLISECONDS,
  );
  if (before === undefined) return SHORTEST_PAUSE_MILLISECONDS;
  const observed = look.at - before.at;
  const workedOff = look.produced - look.backlog - (before.produced - before.backlog);
  const untilHalf = workedOff > 0 ? ((look.backlog - maxBacklog / 2) * observed) / workedOff : Number.POSITIVE_INFINITY;
  const pause = Math.min(untilHalf, PAUSE_PER_OBSERVATION * observed, LONGEST_PAUSE_MILLISECONDS);
  return Math.max(SHORTEST_PAUSE_MILLISECONDS, Math.floor(pause / 1_000) * 1_000);
}
