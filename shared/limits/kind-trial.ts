import { type ControllerState, NO_SUM } from "./controller-state.ts";
import type { Measured } from "./measured.ts";

/** A service that bears the rate of a trial refuses almost nothing: at most this part of the attempts. */
const MOST_REFUSED = 0.009;
/** The attempts that a trial needs at least. */
const FEWEST_ATTEMPTS = 40;
/** How long a trial lasts at least. */
const LEAST_SECONDS = 3.5;
/** A trial at fewer attempts per second would last too long, and the few tokens of a bucket would decide it. */
const LEAST_PER_SECOND = 12;
/** In one epoch, the service may accept a little more than it bears. */
const OF_ONE_EPOCH = 0.9;

type State = { -readonly [key in keyof ControllerState]: ControllerState[key] };

/** Whether slots are in force, and the service accepts so many attempts that a trial can show something. */
export const canBeTried = ({ kind, recent }: ControllerState): boolean =>
  kind === "slots" && recent.accepted > LEAST_PER_SECOND * recent.seconds;

/** Whether nothing has shown yet what the service limits. */
export const isTrialDue = (state: ControllerState): boolean => !state.isTried && canBeTried(state);

/**
 * Begins a trial: attempts start at even distances, as fast as the service has accepted them with the present slots.
 *
 * A service that limits a rate bears this. One that limits slots refuses some of the attempts, because durations vary: at times
 * more attempts are in flight than on average. If all attempts last equally long, nothing is refused, and the two kinds are
 * the same.
 */
export function beginTrial(state: State, { admitted, seconds }: Measured): void {
  const { recent, ceiling } = state;
  state.phase = "trial";
  state.kind = "rate";
  state.isTried = true;
  state.slotsBefore = ceiling;
  state.level = Math.max(recent.accepted / recent.seconds, (OF_ONE_EPOCH * admitted) / seconds);
  state.ceiling = state.level;
  state.clean = NO_SUM;
}

/** What the service limits, after one more epoch of the trial. `undefined` while this is not known. */
export function triedKind({ clean }: State, { throttled, isTested }: Measured): "rate" | "slots" | undefined {
  // Before all environments had the rate for a whole report, some throttles belong to the slots before.
  if (!isTested) return undefined;
  if (throttled > MOST_REFUSED * (clean.accepted + throttled)) return "slots";
  return clean.accepted >= FEWEST_ATTEMPTS && clean.seconds >= LEAST_SECONDS ? "rate" : undefined;
}
