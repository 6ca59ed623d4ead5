/**
 * What the controller remembers from one epoch to the next, and from one run to the next. It is plain JSON, below 1 KB. Only
 * the controller reads it, apart from `version`.
 */
export interface ControllerState {
  /** A controller that finds another version starts anew. */
  readonly version: 1;
  readonly phase: Phase;
  /** What the service limits, as far as is known: starts per second, or attempts in flight. */
  readonly kind: "rate" | "slots";
  /** The limit in force, in starts per second or slots. It means nothing while no limit is in force. */
  readonly level: number;
  /** The level before. */
  readonly previous: number;
  /** The epoch that gave `level`. */
  readonly levelEpoch: number;
  /** Whether `level` is lower than the level before. */
  readonly isCut: boolean;
  /** The highest level that the service is believed to bear. */
  readonly ceiling: number;
  /** How far a probe is above the ceiling, as a part of it. */
  readonly step: number;
  /** When the present step of a probe began, in milliseconds since 1970. */
  readonly probedAt: number;
  /** How long each step of a probe lasts at least, in milliseconds: a service may count per minute. */
  readonly patience: number;
  /** Throttles that may be spent on probes. */
  readonly budget: number;
  /** The throttles that a failed probe costs, on average. */
  readonly cost: number;
  /** The attempts of late: those accepted, times the level, and all. These sums fade. */
  readonly recent: { readonly accepted: number; readonly all: number };
  /** The mean duration of an attempt, in milliseconds. */
  readonly latency: number;
  /** The slots that go with a rate. */
  readonly room: number;
  /** How full environments were when attempts started. These sums fade. */
  readonly loads: Loads;
  /** The ceiling of the other kind, when the controller last changed its mind. 0: it never did. */
  readonly otherCeiling: number;
  /** Grows when the controller changes its mind: the next change needs more evidence. It fades to 1. */
  readonly doubt: number;
  /** Grows with each throttle at a level that was believed to be safe. */
  readonly surprise: number;
  /** What was accepted since the latest long wait that the service has asked for. */
  readonly cycle: { readonly since: number; readonly accepted: number };
  /** No attempt starts before this time, in milliseconds since 1970. */
  readonly waitUntil: number;
  /** The longest wait that is believed without an attempt in between, in milliseconds. */
  readonly believed: number;
  /** What the service's headers leave to the fleet. */
  readonly advertised?: { readonly perSecond: number; readonly until: number } | undefined;
  /** Only with `adaptive: { latency: true }`. */
  readonly slow?: SlowState | undefined;
}

/**
 * - `open`: nothing is throttled, and no limit is in force.
 * - `measure`: the first throttles were reported. The reports of the other environments are awaited.
 * - `search`: no limit is known. The level grows quickly until something is throttled.
 * - `recover`: the level returns to the ceiling.
 * - `hold`: the level is the ceiling.
 * - `probe`: the level is above the ceiling, in steps that grow.
 */
export type Phase = "open" | "measure" | "search" | "recover" | "hold" | "probe";

export interface Loads {
  readonly attempts: number;
  readonly sum: number;
  readonly squares: number;
  readonly throttled: number;
  readonly throttledSum: number;
}

/** The state of `slow-service.ts`. */
export interface SlowState {
  readonly phase: "down" | "steady";
  readonly level: number;
  readonly levelEpoch: number;
  /** The lowest mean duration, in milliseconds. */
  readonly best: number;
  /** Successes per second at the level before. */
  readonly throughput: number;
  /** Tested levels since `best` was looked for. */
  readonly age: number;
}

export const NO_LOADS: Loads = { attempts: 0, sum: 0, squares: 0, throttled: 0, throttledSum: 0 };

export const NOTHING_RECENT: ControllerState["recent"] = { accepted: 0, all: 0 };

export const FIRST_STATE: ControllerState = {
  version: 1,
  phase: "open",
  kind: "rate",
  level: 0,
  previous: 0,
  levelEpoch: 0,
  isCut: false,
  ceiling: 0,
  step: 0,
  probedAt: 0,
  patience: 0,
  budget: 4,
  cost: 2,
  recent: NOTHING_RECENT,
  latency: 0,
  room: 0,
  loads: NO_LOADS,
  otherCeiling: 0,
  doubt: 1,
  surprise: 0,
  cycle: { since: 0, accepted: 0 },
  waitUntil: 0,
  believed: 0,
};

/** Whether the search has set a limit. */
export const isLimiting = ({ phase }: Pick<ControllerState, "phase">): boolean =>
  phase !== "open" && phase !== "measure";
