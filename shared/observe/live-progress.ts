/** What the live display shows of a run. */
export interface LiveProgress {
  readonly produced: number;
  /** How many items the run will have. Known once the source has ended, or if the run has a limit. */
  readonly total: number | undefined;
  readonly inFlight: number;
  readonly succeeded: number;
  readonly retried: number;
  /** Attempts that the service refused because of load, since this command began. */
  readonly throttled: number;
  /** Why the fleet does not use all its slots, such as "held at 19.6/s: the service throttles". */
  readonly held?: string;
  readonly dead: number;
  /** Settled items per second, over the last few seconds. */
  readonly rate: number;
  readonly secondsLeft: number | undefined;
  /** Set if no task has been in flight for a while although items are pending. */
  readonly waiting?: WaitingItems;
  /** How long a page of the source has been read. Set if the read is slow. */
  readonly readingSeconds?: number;
  /** Seconds until the source may be read again. Set if the source's service asked to wait. */
  readonly sourceWaitSeconds?: number;
}

/** Items whose messages are not visible yet: they wait for another attempt, or for the timeout of a consumer that died. */
export interface WaitingItems {
  readonly items: number;
  /** Seconds until the first message becomes visible. */
  readonly nextInSeconds: number;
}
