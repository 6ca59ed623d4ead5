/**
 * How long the messages of a paused run stay hidden: a quarter of the time for which the run has been paused. A run
 * that is resumed after a short pause continues soon, and a long pause costs few receives.
 */
const PAUSE = { share: 0.25, shortestMilliseconds: 5_000, longestMilliseconds: 600_000 } as const;

/**
 * How long a message stays hidden while the ledger does not answer. An outage of hours must not use up the receives after
 * which SQS itself moves the message to the dead-letter queue.
 */
const OUTAGE = { shortestMilliseconds: 2_000, longestMilliseconds: 300_000 } as const;

/**
 * How long a message stays hidden if an environment was too busy to begin its attempt. Its receives are recorded, and
 * it is replaced before they reach the queue's limit. The delay stays short, because many receives may have other
 * reasons.
 */
const BUSY = { shortestMilliseconds: 2_000, longestMilliseconds: 30_000 } as const;

/** @param pausedMilliseconds How long the run has been paused. */
export function pauseDelay(pausedMilliseconds: number): number {
  const { share, shortestMilliseconds, longestMilliseconds } = PAUSE;
  return Math.min(longestMilliseconds, Math.max(shortestMilliseconds, share * pausedMilliseconds));
}

/**
 * For a message whose attempt could not begin in time: no delay at its first receive, because another consumer may have
 * a free slot. Later receives show that no consumer has one, so the delay saves receives.
 */
export const tooLateDelay = (receive: number): number => (receive === 1 ? 0 : doubled(BUSY, receive - 1));

/** For a message whose isolated attempt could not be started here. */
export const notStartedDelay = (receive: number): number => doubled(BUSY, receive);

/**
 * For a suspect item without a place for an isolated attempt: at least a second, and at random up to one attempt's timeout
 * more.
 */
export const noPlaceDelay = (timeoutMilliseconds: number, random: number): number =>
  1_000 + random * timeoutMilliseconds;

/** For a message that could not be looked up. The random part spreads the messages that an outage returned together. */
export const outageDelay = (receive: number, random: number): number => doubled(OUTAGE, receive) * (1 - random / 2);

/** The delay doubles with each receive. */
function doubled({ shortestMilliseconds, longestMilliseconds }: typeof OUTAGE | typeof BUSY, receive: number): number {
  return Math.min(longestMilliseconds, shortestMilliseconds * 2 ** (receive - 1));
}
