const SHORTEST_MILLISECONDS = 5_000;

/** The last messages of a queue return so soon that this many of them become visible for each accepted one. */
const LAST_SURPLUS = 4;
/** Some messages return so soon: otherwise none would be visible for seconds after the first ones were hidden. */
const EARLIEST_MILLISECONDS = 1_000;
const LONGEST_MILLISECONDS = 300_000;

/** While nothing is known of the service, all of the queue may be needed soon. */
const UNKNOWN_MILLISECONDS = 10_000;

/**
 * The messages that become visible in a second: at least this many times the accepted ones, because environments without a
 * share receive some of them again.
 */
const LEAST_SURPLUS = 2.5;

/** At a low rate more messages become visible, so that there are enough when the limit rises. */
const MOST_SURPLUS = 25;
const PLENTY_PER_SECOND = 250;

/** The part of all batches that may return early, so that messages return at all times. */
const EARLY = 0.2;

/**
 * How long an environment without a share hides its messages, from 1 s to 5 min: until the limit is expected to reach them.
 * All messages of a batch get the same time, so one request receives them together again. The last messages of a queue are
 * hidden for 1 s to 7.5 s, and never all for the same time: the environments with a share must not run out of messages.
 *
 * @param backlog The messages in the queue, with the hidden ones.
 * @param acceptedPerSecond The attempts that the whole fleet is expected to make in a second. `undefined`: not known yet.
 * @param random Returns a number from 0 to 1, evenly distributed.
 */
export function hideMilliseconds(backlog: number, acceptedPerSecond: number | undefined, random: () => number): number {
  if (acceptedPerSecond !== undefined) {
    const toTheEnd = (1_000 * backlog) / (LAST_SURPLUS * Math.max(acceptedPerSecond, Number.MIN_VALUE));
    if (toTheEnd < SHORTEST_MILLISECONDS) return EARLIEST_MILLISECONDS + random() * 1.3 * toTheEnd;
  }
  if (acceptedPerSecond === undefined) {
    return EARLIEST_MILLISECONDS + random() * 2 * (UNKNOWN_MILLISECONDS - EARLIEST_MILLISECONDS);
  }
  const mean = meanMilliseconds(backlog, acceptedPerSecond);
  const latest = Math.max(SHORTEST_MILLISECONDS, Math.min(LONGEST_MILLISECONDS, 2 * mean));
  const earliest =
    random() < EARLY ? EARLIEST_MILLISECONDS : Math.max(EARLIEST_MILLISECONDS, Math.min(latest / 2, 2 * mean - latest));
  return earliest + random() * (latest - earliest);
}

function meanMilliseconds(backlog: number, acceptedPerSecond: number): number {
  const visible = Math.max(
    LEAST_SURPLUS * acceptedPerSecond,
    Math.min(MOST_SURPLUS * acceptedPerSecond, PLENTY_PER_SECOND),
  );
  return (1_000 * backlog) / Math.max(visible, Number.MIN_VALUE);
}
