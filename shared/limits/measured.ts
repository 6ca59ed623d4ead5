import type { EpochTotals } from "./controller.ts";
import { type ControllerState, isLimiting } from "./controller-state.ts";

/** What an epoch says about the level in force. */
export interface Measured {
  /** Attempts that the service accepted. */
  readonly accepted: number;
  readonly throttled: number;
  /** How long the epoch lasted. Clocks differ, so a single epoch's length is not exact. */
  readonly seconds: number;
  /** The part of what was allowed that was used. */
  readonly used: number;
  /** The level, less the part that was refused lately. Slots that found no message do not count. */
  readonly bears: number;
  /** What the service accepted in this epoch, in the unit of the level. */
  readonly bearsNow: number;
  /** Whether all environments had the present level during the whole time of their latest reports. */
  readonly isTested: boolean;
  /** Whether all environments have the present level by now. */
  readonly isSeen: boolean;
  /** What the service accepted in this epoch, by the clock. It is less exact, but needs no level in force. */
  readonly byClock: number;
  /** Whether all slots of the fleet were taken, so that nothing but `concurrency` limits it. */
  readonly isFull: boolean;
  readonly recent: ControllerState["recent"];
}

/** The sums of `recent` contain about this many attempts at a low rate, so that chance does not decide. */
const ENOUGH_ATTEMPTS = 30;

const FULL = 0.9;

/**
 * Compares what was accepted with what was allowed, not with the time: each environment measures both with its own clock, over the
 * same time.
 */
export function measure(state: ControllerState, totals: EpochTotals, concurrency: number): Measured {
  const { counted, from, to, seenEpoch, triedEpoch } = totals;
  const seconds = Math.min(10, Math.max(0.25, (to - from) / 1_000));
  const accepted = counted.succeeded + counted.failed;
  const throttled = counted.throttled - counted.throttledInWait;
  const acceptedInFlight = Math.max(0, counted.inFlightMilliseconds - counted.throttledMilliseconds);
  const isRate = state.kind === "rate";
  const common = {
    accepted,
    throttled,
    seconds,
    isTested: triedEpoch !== undefined && triedEpoch >= state.levelEpoch,
    isSeen: seenEpoch !== undefined && seenEpoch >= state.levelEpoch,
    byClock: isRate ? accepted / seconds : acceptedInFlight / 1_000 / seconds,
    isFull: counted.inFlightMilliseconds > FULL * 1_000 * concurrency * seconds,
  };
  if (!isLimiting(state)) {
    return { ...common, used: 1, bears: common.byClock, bearsNow: common.byClock, recent: state.recent };
  }
  const allowed = isRate ? counted.allowedStarts : counted.slotMilliseconds;
  const done = isRate ? accepted : acceptedInFlight;
  const level = common.isTested ? state.level : state.previous;
  const fade = Math.max(0.5, 1 - accepted / ENOUGH_ATTEMPTS);
  const all = accepted + throttled;
  const recent = {
    accepted: fade * state.recent.accepted + level * accepted,
    all: fade * state.recent.all + all,
  };
  return {
    ...common,
    used: allowed > 0 ? (isRate ? counted.started : counted.inFlightMilliseconds) / allowed : 0,
    bears: recent.all > 0 ? recent.accepted / recent.all : 0,
    bearsNow: allowed > 0 ? (level * done) / allowed : 0,
    recent,
  };
}
