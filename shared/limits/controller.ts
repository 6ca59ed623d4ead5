import type { FleetLimit, SetLimit } from "./fleet-limit.ts";
import type { Report } from "./report.ts";

/** What the controller knows of the fleet and of the options. All of it is constant during a run. */
export interface ControllerOptions {
  /** The slots of the whole fleet. */
  readonly concurrency: number;
  /** The slots of an environment. */
  readonly tasksPerEnvironment: number;
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
  /** A controller that finds another version starts anew. */
  readonly version: 1;
  readonly phase: "open" | "search" | "recover" | "hold" | "probe";
  /** What the service limits, as far as is known. */
  readonly kind: "rate" | "slots";
  /** The limit in force: starts per second, or slots. It means nothing while `phase` is `open`. */
  readonly level: number;
  /** The level before. Reports that arrive in an epoch come from environments that had not seen the latest level yet. */
  readonly previous: number;
  /** The limit that the service is known to bear. */
  readonly ceiling: number;
  /** How far the probe is above the ceiling. */
  readonly step: number;
  /** Throttles that may be spent on probes. */
  readonly budget: number;
  /** The throttles that a failed probe costs, on average. */
  readonly cost: number;
  /** What the service accepted lately: sums that fade. */
  readonly recent: { readonly accepted: number; readonly slotMilliseconds: number; readonly milliseconds: number };
  /** Epochs in which a few throttles still come from an earlier limit. */
  readonly grace: number;
  /** The mean duration of an attempt. */
  readonly latency: number;
  /** The lowest mean duration of late. */
  readonly bestLatency: number;
  /** How full environments were when attempts started: sums that fade. */
  readonly loads: {
    readonly n: number;
    readonly sum: number;
    readonly squares: number;
    readonly tn: number;
    readonly tsum: number;
  };
  /** Throttles at a level that was believed to be safe. */
  readonly surprise: number;
  /** What was accepted since the latest long wait. */
  readonly cycle: { readonly since: number; readonly accepted: number };
  /** How long a probe must last to show something, in milliseconds: the service may count per minute. */
  readonly patience: number;
  /** When the present step of a probe began. */
  readonly probedAt: number;
}

export interface Decision {
  readonly state: ControllerState;
  readonly limit: FleetLimit;
}

type Mutable<T> = { -readonly [key in keyof T]: T[key] };

const START: ControllerState = {
  version: 1,
  phase: "open",
  kind: "rate",
  level: 0,
  previous: 0,
  ceiling: 0,
  step: 0,
  budget: 4,
  cost: 2,
  recent: { accepted: 0, slotMilliseconds: 0, milliseconds: 0 },
  grace: 0,
  latency: 0,
  bestLatency: 0,
  loads: { n: 0, sum: 0, squares: 0, tn: 0, tsum: 0 },
  surprise: 0,
  cycle: { since: 0, accepted: 0 },
  patience: 1_000,
  probedAt: 0,
};

/** The part of the accepted attempts that may be spent on throttles of probes. */
const BUDGET = 0.01;
const SEARCH = 1.7;
const BACK = 0.95;
const FIRST_STEP = 0.02;
const STEP_GROWTH = 2.5;
const LEAST_CUT = 0.997;

/** An epoch's totals in, the fleet's next limit out. Pure. */
export function nextLimit(
  before: ControllerState | undefined,
  totals: EpochTotals,
  set: SetLimit,
  options: ControllerOptions,
): Decision {
  const state: Mutable<ControllerState> = { ...(before?.version === 1 ? before : START) };
  if (options.adaptive) adapt(state, totals, options);
  return { state, limit: limitOf(state, totals, set, options) };
}

function limitOf(
  state: ControllerState,
  { waitUntil, to }: EpochTotals,
  set: SetLimit,
  options: ControllerOptions,
): FleetLimit {
  const { concurrency } = options;
  const isOpen = state.phase === "open" || !options.adaptive;
  let slots: number | undefined;
  let perSecond: number | undefined;
  if (!isOpen && state.kind === "slots") slots = state.level;
  if (!isOpen && state.kind === "rate") {
    perSecond = state.level;
    slots = slotsFor(perSecond, state.latency, options);
  }
  const throttled = !isOpen;
  if (set.concurrency !== undefined) slots = Math.min(set.concurrency, slots ?? concurrency);
  if (set.perSecond !== undefined) {
    perSecond = Math.min(perSecond ?? Number.POSITIVE_INFINITY, set.perSecond * 1.1);
    slots ??= concurrency;
  }
  return {
    slots: slots === undefined ? undefined : Math.max(1, Math.min(concurrency, Math.round(slots))),
    perSecond,
    acceptedPerSecond:
      isOpen || state.phase === "search" || state.latency === 0
        ? undefined
        : (perSecond ?? (1_000 * Math.min(concurrency, slots ?? concurrency)) / state.latency),
    waitUntil: waitUntil !== undefined && waitUntil > to ? waitUntil : undefined,
    reason: throttled ? "throttled" : set.concurrency !== undefined || set.perSecond !== undefined ? "set" : undefined,
  };
}

/** The slots that a rate needs, with room for attempts that take longer than others, in whole environments. */
function slotsFor(perSecond: number, latency: number, { concurrency, tasksPerEnvironment }: ControllerOptions): number {
  const mean = (perSecond * latency) / 1_000;
  const needed = mean + Math.sqrt(mean);
  return Math.min(concurrency, Math.ceil(needed / tasksPerEnvironment) * tasksPerEnvironment);
}

/** What was measured in an epoch. */
interface Measured {
  readonly accepted: number;
  readonly throttled: number;
  readonly seconds: number;
  /** The part of the level that was used. */
  readonly used: number;
  /** What the service accepted, in the unit of the level. */
  readonly bears: number;
  readonly isFull: boolean;
}

function measure(
  state: Mutable<ControllerState>,
  { counted, from, to }: EpochTotals,
  { concurrency }: ControllerOptions,
): Measured {
  const seconds = Math.min(10, Math.max(0.25, (to - from) / 1_000));
  const accepted = counted.succeeded + counted.failed;
  const { throttled } = counted;
  const acceptedInFlight = Math.max(0, counted.inFlightMilliseconds - counted.throttledMilliseconds);
  const isFull = counted.inFlightMilliseconds > 900 * concurrency * seconds;
  const fade = state.phase === "open" ? 0 : 0.6;
  const { recent } = state;
  state.recent = {
    accepted: fade * recent.accepted + accepted,
    slotMilliseconds: fade * recent.slotMilliseconds + acceptedInFlight,
    milliseconds: fade * recent.milliseconds + 1_000 * seconds,
  };
  const { milliseconds } = state.recent;
  const isRate = state.kind === "rate";
  const bears = isRate ? (1_000 * state.recent.accepted) / milliseconds : state.recent.slotMilliseconds / milliseconds;
  const use = isRate
    ? counted.started / counted.allowedStarts
    : counted.inFlightMilliseconds / counted.slotMilliseconds;
  return { accepted, throttled, seconds, used: Number.isFinite(use) ? use : 0, bears, isFull };
}

function adapt(state: Mutable<ControllerState>, totals: EpochTotals, options: ControllerOptions): void {
  const measured = measure(state, totals, options);
  const { level } = state;
  const { counted, to } = totals;
  if (counted.succeeded > 0) {
    const latency = counted.succeededMilliseconds / counted.succeeded;
    const weight = Math.min(0.5, counted.succeeded / 50);
    state.latency = state.latency === 0 ? latency : state.latency + weight * (latency - state.latency);
  }
  const { accepted, throttled } = measured;
  if (state.cycle.since === 0) state.cycle = { since: totals.from === 0 ? to : totals.from, accepted: 0 };
  state.cycle = { ...state.cycle, accepted: state.cycle.accepted + accepted };
  if (accepted + throttled === 0) return;
  noteLoads(state, totals);
  const cap = 3 * state.cost + 3;
  state.budget = Math.min(cap, state.budget + BUDGET * accepted) - throttled;
  if (isWait(totals)) {
    afterWait(state, totals, measured);
    return;
  }
  if (throttled > 0) afterThrottles(state, measured, to);
  else afterCleanEpoch(state, measured, options, to);
  state.budget = Math.max(state.budget, -2 * state.cost);
  changeKind(state, measured, options);
  const minimum = state.kind === "slots" ? 1 : 0.1;
  state.previous = level;
  state.level = Math.max(minimum, state.level);
  state.ceiling = Math.max(minimum, state.ceiling);
}

const LONG_WAIT_MILLISECONDS = 1_500;
const isWait = ({ waitUntil, to }: EpochTotals) => waitUntil !== undefined && waitUntil - to > LONG_WAIT_MILLISECONDS;

/** The service told the fleet to wait for long: it counts over a window. What it accepts in a window is what it bears. */
function afterWait(state: Mutable<ControllerState>, { waitUntil = 0, to }: EpochTotals, { bears }: Measured): void {
  const { since, accepted } = state.cycle;
  const milliseconds = Math.max(1_000, waitUntil - since);
  if (accepted > 0) {
    const rate = (1_000 * accepted) / milliseconds;
    state.kind = "rate";
    state.level = rate;
    state.ceiling = rate;
  } else if (state.phase === "open") {
    state.level = state.ceiling = Math.max(0.1, bears);
  }
  state.phase = "hold";
  state.patience = Math.min(120_000, milliseconds);
  state.cycle = { since: waitUntil, accepted: 0 };
  state.grace = 2;
  state.probedAt = to;
}

function noteLoads(state: Mutable<ControllerState>, { counted }: EpochTotals): void {
  if (state.phase === "open") return;
  const fade = 0.97;
  const { n, sum, squares, tn, tsum } = state.loads;
  const ended = counted.succeeded + counted.failed + counted.throttled;
  state.loads = {
    n: n * fade + ended,
    sum: sum * fade + counted.load,
    squares: squares * fade + counted.loadSquared,
    tn: tn * fade + counted.throttled,
    tsum: tsum * fade + counted.throttledLoad,
  };
}

/** By how many standard errors throttled attempts started at a higher load than the others. */
function loadEvidence({ loads: { n, sum, squares, tn, tsum } }: ControllerState): number {
  if (tn < 4 || n < 20) return 0;
  const mean = sum / n;
  const deviation = Math.sqrt(Math.max(1e-9, squares / n - mean * mean));
  const difference = (tsum / tn - mean) / deviation;
  return difference < 0.8 ? 0 : difference * Math.sqrt(tn);
}

function changeKind(state: Mutable<ControllerState>, measured: Measured, { concurrency }: ControllerOptions): void {
  if (state.phase === "open") return;
  if (state.kind === "rate" && measured.throttled > 0 && loadEvidence(state) > 3) {
    const slots = Math.max(1, Math.round((state.ceiling * state.latency) / 1_000));
    Object.assign(state, { kind: "slots", level: slots, ceiling: slots, phase: "recover", surprise: 0, grace: 2 });
    state.loads = START.loads;
  } else if (state.kind === "slots" && state.surprise >= 3 && state.latency > 0) {
    const rate = (1_000 * Math.min(concurrency, state.ceiling)) / state.latency;
    Object.assign(state, { kind: "rate", level: rate, ceiling: rate, phase: "recover", surprise: 0, grace: 2 });
    state.loads = START.loads;
  }
}

function afterCleanEpoch(
  state: Mutable<ControllerState>,
  { used, isFull, seconds }: Measured,
  { concurrency }: ControllerOptions,
  to: number,
): void {
  state.grace = Math.max(0, state.grace - 1);
  state.surprise = Math.max(0, state.surprise - 0.1 * seconds);
  if (state.phase === "open") return;
  if (isFull) {
    // Nothing but `concurrency` limits the fleet.
    state.level *= 1.5;
    state.ceiling = Math.max(state.ceiling, state.level);
    if (state.kind === "rate" ? state.level > (4_000 * concurrency) / state.latency : state.level >= concurrency) {
      state.phase = "open";
    }
    return;
  }
  if (used < 0.7) return;
  const isRate = state.kind === "rate";
  switch (state.phase) {
    case "search":
      state.ceiling = Math.max(state.ceiling, state.previous);
      state.level = isRate ? state.level * SEARCH : Math.ceil(state.level * SEARCH);
      return;
    case "recover": {
      const missing = state.ceiling - state.level;
      state.level = isRate ? state.level + 0.5 * missing : state.level + Math.ceil(0.5 * missing);
      if (state.level >= 0.99 * state.ceiling) {
        state.level = state.ceiling;
        state.phase = "hold";
      }
      return;
    }
    case "hold":
      if (state.budget < state.cost || state.grace > 0) return;
      state.phase = "probe";
      state.step = 0;
      nextStep(state, to);
      return;
    case "probe":
      if (to - state.probedAt < Math.max(900, state.patience)) return;
      if (!isRate) state.ceiling = Math.max(state.ceiling, state.previous);
      nextStep(state, to);
      return;
  }
}

function nextStep(state: Mutable<ControllerState>, to: number): void {
  state.probedAt = to;
  state.step = state.step * STEP_GROWTH + FIRST_STEP;
  if (state.kind === "rate") state.level = state.ceiling * (1 + state.step);
  else state.level = state.ceiling + Math.max(1, Math.round(state.ceiling * state.step));
}

function afterThrottles(state: Mutable<ControllerState>, measured: Measured, to: number): void {
  const { accepted, throttled, bears } = measured;
  const isRate = state.kind === "rate";
  const part = throttled / (accepted + throttled);
  const isHeavy = part > 0.3 && throttled >= 3;
  const reset = () => {
    state.grace = 2;
    state.probedAt = to;
  };
  if (state.phase === "open" || (isHeavy && state.grace === 0) || (isHeavy && part > 0.6)) {
    const wasOpen = state.phase === "open";
    state.ceiling = isRate ? bears : Math.max(1, Math.round(bears));
    state.level = wasOpen ? state.ceiling : isRate ? BACK * state.ceiling : state.ceiling;
    state.phase = "search";
    state.budget = Math.max(0, state.budget);
    reset();
    return;
  }
  if (state.grace > 0) {
    state.grace--;
    return;
  }
  if (state.phase === "probe" || state.phase === "search") {
    state.cost += 0.3 * (Math.min(throttled, 50) - state.cost);
    state.ceiling = Math.max(state.ceiling, Math.min(state.previous, isRate ? bears : Math.floor(bears)));
    state.level = isRate ? BACK * state.ceiling : state.ceiling;
    state.phase = "recover";
    state.patience = Math.max(1_000, state.patience * 0.7);
    reset();
    return;
  }
  // Throttles at a level that was believed to be safe.
  state.surprise += 1;
  state.ceiling = isRate
    ? Math.min(state.ceiling * LEAST_CUT, Math.max(bears, state.ceiling * 0.7))
    : Math.max(1, Math.min(state.ceiling - 1, Math.round(bears)));
  state.level = isRate ? BACK * state.ceiling : state.ceiling;
  state.phase = "recover";
  reset();
}
