import type { QueueDepth } from "../queue.ts";

/** The shortest and the longest pause of a producer whose queue is full. SQS counts visibility in whole seconds. */
const SHORTEST_PAUSE_MILLISECONDS = 1_000;
const LONGEST_PAUSE_MILLISECONDS = 60_000;

export const backlogOf = ({ visible, inFlight, delayed }: QueueDepth): number => visible + inFlight + delayed;

/**
 * How long the producer pauses when the backlog is at its bound: until half of it should be worked off, at the pace of
 * the run so far. Sooner would be one more invocation for a few pages, later would leave the consumers idle.
 */
export function backlogPauseMilliseconds(state: {
  readonly backlog: number;
  readonly maxBacklog: number;
  /** Items sent since the run began. */
  readonly produced: number;
  readonly elapsedMilliseconds: number;
}): number {
  const { backlog, maxBacklog, produced, elapsedMilliseconds } = state;
  const settled = produced - backlog;
  // Without a pace to go by, as long again as it took so far.
  const pause = settled > 0 ? ((backlog - maxBacklog / 2) * elapsedMilliseconds) / settled : elapsedMilliseconds;
  return Math.min(LONGEST_PAUSE_MILLISECONDS, Math.max(SHORTEST_PAUSE_MILLISECONDS, pause));
}
