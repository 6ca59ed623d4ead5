import type { EpochTotals } from "./controller.ts";
import { type ControllerState, isLimiting } from "./controller-state.ts";

/** What an epoch says about the level in force. */
export interface Measured {
  /** Attempts that the service accepted. */
  readonly accepted: number;
  /**
   * Attempts that started in this epoch and were not refused. A service refuses an attempt at once, but an accepted attempt ends
   * only after its duration. So after a change of the rate, `accepted` still shows the rate before the change.
   */
  readonly admitted: number;
  readonly throttled: number;
  /** The time in flight of the accepted attempts, in seconds. */
  readonly inFlightSeconds: number;
  /** For how long the fleet had its whole limit. While no limit is in force: how long the epoch lasted. */
  readonly seconds: number;
  /** The part of what was allowed that was used. */
  readonly used: number;
  /** What the service accepted in this epoch, in the unit of the level. */
  readonly bears: number;
  /** The largest level of the present probe that all environments had during the whole time of their latest reports. */
  readonly tested: number;
  /** Whether all environments have had the present level for the whole time of their latest reports. */
  readonly isTested: boolean;
  /** Whether all environments have the present level by now. */
  readonly isSeen: boolean;
  /** Whether all slots of the fleet were taken, so that nothing but `concurrency` limits it. */
  readonly isFull: boolean;
}

const FULL = 0.9;

/** Reports of older code do not say for how long the fleet had its limit. */
const LEAST_HELD = 0.3;

/**
 * Compares what was accepted with the time for which the fleet had its limit: each environment measures both with its own clock. So
 * clocks may differ, and it does no harm that reports arrive in another epoch than they tell of.
 */
export function measure(state: ControllerState, totals: EpochTotals, concurrency: number): Measured {
  const { counted, members, from, to, seenEpoch, triedEpoch } = totals;
  const byClock = Math.min(10, Math.max(0.25, (to - from) / 1_000));
  const held = counted.heldMilliseconds / 1_000;
  const isHeld = isLimiting(state) && held > LEAST_HELD * byClock;
  // Not all environments have reported in this epoch.
  const byMembers = members === 0 ? 0 : counted.elapsedMilliseconds / members / 1_000;
  const seconds = isHeld ? held : isLimiting(state) || byMembers < LEAST_HELD ? byClock : byMembers;
  const accepted = counted.succeeded + counted.failed;
  const admitted = Math.max(0, counted.started - counted.throttled);
  const inFlightSeconds = Math.max(0, counted.inFlightMilliseconds - counted.throttledMilliseconds) / 1_000;
  const isRate = state.kind === "rate";
  const allowed = isRate ? counted.allowedStarts : counted.slotMilliseconds;
  const tested = state.steps.findLast(({ epoch }) => triedEpoch !== undefined && epoch <= triedEpoch);
  return {
    accepted,
    admitted,
    throttled: counted.throttled - counted.throttledInWait,
    inFlightSeconds,
    seconds,
    used: !isLimiting(state)
      ? 1
      : allowed > 0
        ? (isRate ? counted.started : counted.inFlightMilliseconds) / allowed
        : 0,
    bears: (isRate ? admitted : inFlightSeconds) / seconds,
    tested: tested?.level ?? 0,
    isTested: triedEpoch !== undefined && triedEpoch >= state.levelEpoch,
    isSeen: seenEpoch !== undefined && seenEpoch >= state.levelEpoch,
    isFull: counted.inFlightMilliseconds > FULL * 1_000 * concurrency * Math.max(byClock, byMembers),
  };
}
