/** How long a request may wait for a connection. After this time Sluice assumes that the server is not reachable. */
export const CONNECTION_TIMEOUT_MILLISECONDS = 2_000;

/**
 * How long a request may take from its start to the last byte of its response. A long poll may take its wait time in
 * addition.
 */
export const REQUEST_TIMEOUT_MILLISECONDS = 5_000;

/**
 * No retry of a request begins later than this after the request's first attempt. The limit leaves time for one retry
 * after an attempt that timed out, or for several retries after attempts that the service refused at once.
 */
export const LAST_RETRY_MILLISECONDS = 6_000;

/**
 * The most attempts of one request. There is time for four attempts only if the service refuses the first ones at once.
 */
export const MOST_ATTEMPTS = 4;

/**
 * The longest time until a client of the SDK returns or throws. It takes this long if the last retry begins as late as
 * possible and times out.
 */
export const LONGEST_SDK_REQUEST_MILLISECONDS = LAST_RETRY_MILLISECONDS + REQUEST_TIMEOUT_MILLISECONDS;

/** The longest time of a request that the fast path makes once and the SDK then repeats. */
export const LONGEST_REQUEST_MILLISECONDS = REQUEST_TIMEOUT_MILLISECONDS + LONGEST_SDK_REQUEST_MILLISECONDS;

/**
 * The timeout of a command's requests, in milliseconds. The wait time of a long poll is added to the timeout.
 *
 * @param input The input of the command.
 * @example requestTimeoutOf({ QueueUrl: url, WaitTimeSeconds: 20 }) // 25,000
 */
export function requestTimeoutOf(input: { readonly WaitTimeSeconds?: unknown }): number {
  const { WaitTimeSeconds: waitSeconds } = input;
  return REQUEST_TIMEOUT_MILLISECONDS + (typeof waitSeconds === "number" ? waitSeconds * 1_000 : 0);
}
