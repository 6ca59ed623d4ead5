/**
 * What an environment counted since its last report. Every figure is a sum, so the limit row adds the reports of all
 * environments up. The figures grow only.
 */
export interface Report {
  /** Attempts that started. */
  readonly started: number;
  /** Attempts that succeeded. */
  readonly succeeded: number;
  /** Attempts that ended in any other way, but were not refused because of load: errors, timeouts, `RetryLater`. */
  readonly failed: number;
  /** Attempts that the service refused because of load. */
  readonly throttled: number;
  /** The part of `throttled` that only tried whether a wait that the service had asked for was over. */
  readonly throttledInWait: number;
  /**
   * The throttles that a limit of slots does not explain: since the previous throttle, the service had accepted an attempt while
   * as many others were in flight in this environment. Attempts that belong to a probe do not count.
   */
  readonly contradictions: number;
  /** The time in flight of all attempts, also of those that still run. Divided by time, it is the mean in flight. */
  readonly inFlightMilliseconds: number;
  /** The part of `inFlightMilliseconds` that belongs to throttled attempts. */
  readonly throttledMilliseconds: number;
  /** The durations of the attempts that succeeded. Divided by `succeeded`, it is the mean latency. */
  readonly succeededMilliseconds: number;
  /** The slots that the environment might use, times the time for which it might use them. */
  readonly slotMilliseconds: number;
  /** The part of the fleet's limit that the environment had, times the time for which it had it. 0 while no limit is in force. */
  readonly heldMilliseconds: number;
  /** The starts that the environment's share of the rate allowed. 0 while no rate is in force. */
  readonly allowedStarts: number;
  /**
   * How full the environment was when the attempts that have ended had started: the sum of `load`, its attempts in flight divided by
   * its slots. A service that limits slots refuses attempts that start when `load` is high. A service that limits a rate refuses
   * at any load.
   */
  readonly load: number;
  /** The sum of the squares of `load`. */
  readonly loadSquared: number;
  /** The sum of `load` for throttled attempts only. */
  readonly throttledLoad: number;
  /** The time that the report covers, on the environment's own clock. */
  readonly elapsedMilliseconds: number;
}

/** A report of nothing. */
export const NO_REPORT: Report = {
  started: 0,
  succeeded: 0,
  failed: 0,
  throttled: 0,
  throttledInWait: 0,
  contradictions: 0,
  inFlightMilliseconds: 0,
  throttledMilliseconds: 0,
  succeededMilliseconds: 0,
  slotMilliseconds: 0,
  heldMilliseconds: 0,
  allowedStarts: 0,
  load: 0,
  loadSquared: 0,
  throttledLoad: 0,
  elapsedMilliseconds: 0,
};

/** The names of all figures. The limit row has one number attribute for each of them. */
export const REPORT_FIGURES = Object.keys(NO_REPORT) as readonly (keyof Report)[];

const combine = (a: Report, b: Report, of: (a: number, b: number) => number): Report =>
  Object.fromEntries(REPORT_FIGURES.map((figure) => [figure, of(a[figure], b[figure])])) as unknown as Report;

/** The sum of two reports. */
export const addReports = (a: Report, b: Report): Report => combine(a, b, (x, y) => x + y);

/** What was counted between two sums: `later - earlier`. */
export const reportSince = (later: Report, earlier: Report): Report => combine(later, earlier, (x, y) => x - y);

/** Figures that grow in place: they change with each attempt. */
export type Counting = { -readonly [figure in keyof Report]: number };
