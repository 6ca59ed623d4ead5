import type { FleetLimit, SetLimit } from "./fleet-limit.ts";
import type { Report } from "./report.ts";

/** What the controller knows of the fleet and of the options. All of it is constant during a run. */
export interface ControllerOptions {
  /** The slots of the whole fleet. */
  readonly concurrency: number;
  /** `adaptive: false` turns the search off: only the limits that people set are in force. */
  readonly adaptive: boolean;
  /** `adaptive: { latency: true }`: a service that becomes slow lowers the limit, too. */
  readonly latency: boolean;
}

/** What the fleet reported in an epoch. */
export interface EpochTotals {
  readonly counted: Report;
  /** When the epoch began and ended, in milliseconds since 1970. The clocks of two environments may differ. */
  readonly from: number;
  readonly to: number;
  /** The latest time until which the service asked the fleet to wait. */
  readonly waitUntil?: number | undefined;
  /** The starts per second that the service's headers leave to the fleet. */
  readonly advertised?: number | undefined;
}

/** What the controller remembers from one epoch to the next, and from one run to the next. It is plain JSON, below 1 KB. */
export interface ControllerState {
  /** Code that reads a larger number than its own leaves the controller's state and the limit as they are. */
  readonly version: 1;
  // The other fields belong to the controller alone.
}

export interface Decision {
  readonly state: ControllerState;
  readonly limit: FleetLimit;
}

/** An epoch's totals in, the fleet's next limit out. Pure. */
export type NextLimit = (
  state: ControllerState | undefined,
  totals: EpochTotals,
  set: SetLimit,
  options: ControllerOptions,
) => Decision;
