/** How long a request may take to get a connection, beyond which its peer is taken to be gone. */
export const CONNECTION_TIMEOUT_MILLISECONDS = 2_000;

/** How long a request may take from its start to the last byte of its answer, apart from a long poll's wait. */
export const REQUEST_TIMEOUT_MILLISECONDS = 5_000;

/**
 * No retry of a request begins later than this after the request's first attempt. There is time for one retry after an
 * attempt that timed out, which goes over a new connection, and for several after attempts that were refused.
 */
export const LAST_RETRY_MILLISECONDS = 6_000;

/** Attempts of one request at most, where each is refused at once. */
export const MOST_ATTEMPTS = 4;

/**
 * How long a client of the SDK takes at most to answer or to throw: the last retry begins as late as it may, and times
 * out.
 */
export const LONGEST_SDK_REQUEST_MILLISECONDS = LAST_RETRY_MILLISECONDS + REQUEST_TIMEOUT_MILLISECONDS;

/** The same for a request that the fast path makes once before the SDK makes it. */
export const LONGEST_REQUEST_MILLISECONDS = REQUEST_TIMEOUT_MILLISECONDS + LONGEST_SDK_REQUEST_MILLISECONDS;

/**
 * The timeout of a command's requests. A long poll is answered when its wait is over, and has the same time beyond it.
 *
 * @param input The command's input.
 * @example requestTimeoutOf({ QueueUrl: url, WaitTimeSeconds: 20 }) // 25,000
 */
export function requestTimeoutOf(input: { readonly WaitTimeSeconds?: unknown }): number {
  const { WaitTimeSeconds: waitSeconds } = input;
  return REQUEST_TIMEOUT_MILLISECONDS + (typeof waitSeconds === "number" ? waitSeconds * 1_000 : 0);
}
