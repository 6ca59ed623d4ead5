import type { ControllerState } from "./controller-state.ts";
import type { Measured } from "./measured.ts";

/** The first step of a probe above the ceiling, as a part of the ceiling. */
const FIRST_STEP = 0.04;
/** The smallest first step of a rate, in starts per second. */
const FIRST_STEP_PER_SECOND = 1;
/** Each step of a rate is this many times as large as the step before. */
const STEP_GROWTH = 3;
/** The same for steps of slots. */
const SLOT_STEP_GROWTH = 2;
/** A probe that has come this far becomes a search: the service bears far more than before. */
const LARGE_STEP = 0.5;
/** The growth while nothing is known. */
const SEARCH_GROWTH = 2;
/**
 * The same for a rate: it may grow by so many starts per second, up to the factor. If the service bears less, this is what one
 * second of the search costs.
 */
const SEARCH_GROWTH_PER_SECOND = 150;
const MOST_SEARCH_GROWTH = 4;
/** A lower rate only doubles: with so few attempts, the tokens of a bucket may pay for all of them. */
const LEAST_QUICK_SEARCH = 15;
/** The same while the ceiling is an estimate. */
const FIRST_GROWTH = 1.4;

/** A service may accept this many attempts at once, above its rate: a token bucket. */
export const BURST = 10;

type State = { -readonly [key in keyof ControllerState]: ControllerState[key] };

/** Slots are whole numbers. */
export const whole = ({ kind }: State, value: number, round: (value: number) => number): number =>
  kind === "rate" ? value : Math.max(1, round(value));

/** Raises the level of a probe or of a search. */
export function nextStep(state: State, { bears, seconds }: Measured): void {
  const { ceiling, level, kind } = state;
  const base = kind === "rate" ? ceiling : Math.max(ceiling, state.proven);
  // A service that counts over a window accepts no burst, so a small step is enough.
  const least = kind === "slots" ? 1 : state.patience > 0 ? 0 : FIRST_STEP_PER_SECOND;
  const first = Math.max(FIRST_STEP, least / base);
  const before = level / (state.phase === "hold" ? base : (state.steps[0]?.level ?? base)) - 1;
  const step = before > first / 2 ? before * (kind === "rate" ? STEP_GROWTH : SLOT_STEP_GROWTH) : first;
  if (before >= LARGE_STEP || state.phase === "search") {
    state.phase = "search";
    // Environments that are refused return to this rate.
    if (kind === "rate" && !state.isNew) state.ceiling = Math.max(ceiling, Math.min(level, bears - BURST / seconds));
    state.level = whole(state, level * searchGrowth(state), Math.ceil);
  } else state.level = Math.max(level + (kind === "rate" ? 0 : 1), whole(state, base * (1 + step), Math.round));
}

function searchGrowth({ isNew, kind, level }: State): number {
  if (isNew) return FIRST_GROWTH;
  if (kind === "slots" || level < LEAST_QUICK_SEARCH) return SEARCH_GROWTH;
  return Math.max(SEARCH_GROWTH, Math.min(MOST_SEARCH_GROWTH, 1 + SEARCH_GROWTH_PER_SECOND / level));
}
