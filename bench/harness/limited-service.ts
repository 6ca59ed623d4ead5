/** How many requests a service has served, and how many it has refused. */
export interface ServedCounts {
  readonly served: number;
  readonly refused: number;
  /** The parts of both that are from the first 10 s after the first request: a run on an unknown service learns in this time. */
  readonly servedFirst: number;
  readonly refusedFirst: number;
}

const FIRST_SECONDS = 10;

/** A response: when it was sent, in seconds, and whether the request was refused. */
export interface Response {
  readonly at: number;
  readonly isRefused: boolean;
}

/** Counts the responses of a service, in their order. */
export function servedCounts(responses: readonly Response[]): ServedCounts {
  const until = (responses[0]?.at ?? 0) + FIRST_SECONDS;
  const count = (isRefused: boolean, before: number) =>
    responses.filter((response) => response.isRefused === isRefused && response.at < before).length;
  return {
    served: count(false, Number.POSITIVE_INFINITY),
    refused: count(true, Number.POSITIVE_INFINITY),
    servedFirst: count(false, until),
    refusedFirst: count(true, until),
  };
}

/** A running HTTP service that bears a limited number of requests. */
export interface LimitedService {
  readonly url: string;
  /** Ends the service. */
  end(): Promise<ServedCounts>;
}
