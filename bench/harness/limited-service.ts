/** How many requests a service has served, and how many it has refused. */
export interface ServedCounts {
  readonly served: number;
  readonly refused: number;
}

/** A running HTTP service that bears a limited number of requests. */
export interface LimitedService {
  readonly url: string;
  /** Ends the service. */
  end(): Promise<ServedCounts>;
}
