/** How long outcomes wait at least for others of their pages while attempts run. */
export const SHORTEST_WAIT_MILLISECONDS = 250;

/** The longest such wait. The visibility timeout of a message covers it (see `definition/topology.ts`). */
const LONGEST_WAIT_MILLISECONDS = 5_000;

/** In this many tasks' time, an environment has more outcomes than may wait, unless tasks are very long. */
const TASKS_PER_WAIT = 8;

/** The share of the unrecorded outcomes that may wait. The rest is for outcomes that are being written. */
const WAITING_SHARE = 0.75;

/**
 * The most outcomes that a consumer has not recorded, by its slots. With so many, it receives no more messages: if the
 * process ends, the items of all of them are processed again.
 *
 * @example mostUnrecorded(10) // 40
 */
export const mostUnrecorded = (slots: number): number => Math.max(10, 4 * slots);

/** The most outcomes that wait for others of their pages. */
export const mostWaiting = (slots: number): number => WAITING_SHARE * mostUnrecorded(slots);

/**
 * How long an outcome may wait for others of its page while attempts run. Where tasks are long, few outcomes come in a
 * short time.
 *
 * @param taskMilliseconds How long a task takes on average.
 */
export const longestWait = (taskMilliseconds: number): number =>
  Math.min(LONGEST_WAIT_MILLISECONDS, Math.max(SHORTEST_WAIT_MILLISECONDS, TASKS_PER_WAIT * taskMilliseconds));
