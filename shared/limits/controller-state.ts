/**
 * What the controller remembers from one epoch to the next, and from one run to the next. It is plain JSON, below 1 KB. Only
 * the controller reads it, apart from `version`.
 */
export interface ControllerState {
  /** A controller that finds another version takes over `kind`, `ceiling` and `latency` only. */
  readonly version: 2;
  readonly phase: Phase;
  /** What the service limits, as far as is known: attempts in flight, or starts per second. */
  readonly kind: "rate" | "slots";
  /** The limit in force, in slots or starts per second. It means nothing while no limit is in force. */
  readonly level: number;
  /** The epoch that gave `level`. */
  readonly levelEpoch: number;
  /** The highest level that the service is believed to bear. */
  readonly ceiling: number;
  /** The levels of the present probe, the latest last, and the epochs that gave them. */
  readonly steps: readonly Step[];
  /** When `level` began, in milliseconds since 1970. */
  readonly since: number;
  /** How long each step of a probe lasts at least, in milliseconds: a service may count per minute. */
  readonly patience: number;
  /** Throttles that may be spent on probes. */
  readonly budget: number;
  /** The throttles that a failed probe costs, on average. */
  readonly cost: number;
  /** What was accepted since the latest throttle: its rate is what a service with a rate bears. */
  readonly clean: Sum;
  /** What was accepted in the present probe. */
  readonly probed: Sum;
  /** Whether nothing was refused since the kind was decided: the ceiling may be far too low. */
  readonly isNew: boolean;
  /** Whether the search of a rate was refused in the epoch before: the next epoch shows what the service bears. */
  readonly isRefused: boolean;
  /** Whether the latest cut was large, because the service bears far less than before. */
  readonly isFallen: boolean;
  /** What was accepted in the last seconds. This sum fades. */
  readonly recent: Sum;
  /** The largest level that all members had for the whole time of a report without a throttle. 0: none since the latest cut. */
  readonly proven: number;
  /** The mean duration of an attempt, in milliseconds. */
  readonly latency: number;
  /** The slots that go with a rate. */
  readonly room: number;
  /** How full environments were when attempts started. These sums fade. */
  readonly loads: Loads;
  /** Grows when the controller changes its mind: the next change needs more evidence. It fades to 1. */
  readonly doubt: number;
  /** Grows with each throttle at a number of slots that was proven. */
  readonly surprise: number;
  /** Whether a trial has shown what the service limits, since the present limit was found. */
  readonly isTried: boolean;
  /** The ceiling in slots before the latest trial. Older code has not stored it. */
  readonly slotsBefore?: number | undefined;
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
 * - `hold`: the level is the ceiling.
 * - `probe`: the level is above the ceiling, in steps that grow.
 * - `search`: a probe has come so far that nothing is known any more. The level grows quickly.
 * - `trial`: attempts start at the rate that the service accepted with the slots before, to see whether it limits slots or a rate.
 */
export type Phase = "open" | "measure" | "hold" | "probe" | "search" | "trial";

export interface Step {
  readonly epoch: number;
  readonly level: number;
}

/** Attempts that were accepted, their time in flight, and how long the fleet had its whole limit for that. */
export interface Sum {
  readonly accepted: number;
  readonly inFlightSeconds: number;
  readonly seconds: number;
}

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
  /** A moving average of the mean durations, in milliseconds. Older code has not stored it. */
  readonly mean?: number | undefined;
  /** The successes at the present level so far. `undefined`: none. */
  readonly sum?: SlowSum | undefined;
  /** Successes per second at the level before. 0: not known. */
  readonly throughput: number;
  /** Tested levels since `best` was looked for. */
  readonly age: number;
  /** The level and its mean duration before the latest cuts in a row. Older code has not stored it. */
  readonly fallFrom?: { readonly level: number; readonly mean: number } | undefined;
  /** The age at which `best` is looked for again. Older code has not stored it. */
  readonly refresh?: number | undefined;
}

/** Attempts that succeeded, the sum of their durations, and how long the fleet had its whole limit for that. */
export interface SlowSum {
  readonly count: number;
  readonly milliseconds: number;
  readonly seconds: number;
}

export const NO_LOADS: Loads = { attempts: 0, sum: 0, squares: 0, throttled: 0, throttledSum: 0 };

export const NO_SUM: Sum = { accepted: 0, inFlightSeconds: 0, seconds: 0 };

export const FIRST_STATE: ControllerState = {
  version: 2,
  phase: "open",
  kind: "slots",
  level: 0,
  levelEpoch: 0,
  ceiling: 0,
  steps: [],
  since: 0,
  patience: 0,
  budget: 4,
  cost: 2,
  clean: NO_SUM,
  probed: NO_SUM,
  isNew: false,
  isRefused: false,
  isFallen: false,
  recent: NO_SUM,
  proven: 0,
  latency: 0,
  room: 0,
  loads: NO_LOADS,
  doubt: 1,
  surprise: 0,
  isTried: false,
  cycle: { since: 0, accepted: 0 },
  waitUntil: 0,
  believed: 0,
};

/** Whether the search has set a limit. */
export const isLimiting = ({ phase }: Pick<ControllerState, "phase">): boolean =>
  phase !== "open" && phase !== "measure";

/** A state without the fields that still have their first value, so that the row of a fleet without a limit stays small. */
export function shortened(state: ControllerState): Partial<ControllerState> {
  const changed = Object.entries(state).filter(
    ([field, value]) => JSON.stringify(value) !== JSON.stringify(FIRST_STATE[field as keyof ControllerState]),
  );
  return { ...Object.fromEntries(changed), version: state.version };
}

/** The state of which `shortened` returned a part. The state of another version stays as it is: see `upgrade`. */
export const completed = (stored: Partial<ControllerState>): ControllerState =>
  ({ ...(stored.version === FIRST_STATE.version && FIRST_STATE), ...stored }) as ControllerState;

/** Takes over what another version of the controller has found. */
export function upgrade(stored: ControllerState): ControllerState {
  if (stored.version === FIRST_STATE.version) return stored;
  const { phase, kind, ceiling, latency } = stored as Partial<ControllerState>;
  const isKnown = (kind === "rate" || kind === "slots") && Number.isFinite(ceiling) && (ceiling ?? 0) > 0;
  if (!isKnown || phase === undefined || !isLimiting({ phase })) return FIRST_STATE;
  const level = ceiling ?? 0;
  return { ...FIRST_STATE, phase: "hold", kind: kind ?? "slots", level, ceiling: level, latency: latency ?? 0 };
}
