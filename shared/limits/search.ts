import type { ControllerOptions, EpochTotals } from "./controller.ts";
import { type ControllerState, isLimiting, NO_LOADS, NOTHING_RECENT } from "./controller-state.ts";
import { addLoads, isOtherKind } from "./limit-kind.ts";
import { type Measured, measure } from "./measured.ts";

/** The throttles that failed probes may cost: this part of the accepted attempts, */
const BUDGET = 0.015;
/** or this many in a second, if that is more: a slow service must be probed, too. */
const BUDGET_PER_SECOND = 0.3;
/** But never more than this part of the accepted attempts. */
const MOST_BUDGET = 0.03;

/** The growth while nothing is known. */
const SEARCH_GROWTH = 2;

/** After a throttle a rate begins this far below its ceiling, so that a token bucket fills again. */
const BACK = 0.97;

/** The part of the way back to the ceiling that one epoch takes: quickly at first, slowly near it. */
const RECOVERY = 0.5;

const FIRST_STEP = 0.05;
const STEP_GROWTH = 4;
/** A probe that has come this far becomes a search: the service bears far more than before. */
const LARGE_STEP = 0.5;

/** The least and the most that one cut takes from a ceiling that was believed to be safe. */
const LEAST_CUT = 0.003;
const MOST_CUT = 0.3;

/** The part of the attempts that is refused when the service bears far less than before. */
const HEAVY = 0.3;
const FEWEST_HEAVY = 3;

/** The use of a level below which it says nothing. */
const LEAST_USE = 0.7;

const LONG_WAIT_MILLISECONDS = 1_500;

/** How long the fleet waits at first. If nothing is accepted then, it waits for twice this time, and so on. */
const LONGEST_WAIT_MILLISECONDS = 10_000;
const MOST_PATIENCE_MILLISECONDS = 120_000;

/** An epoch of this length had no environment for most of it. */
const PAUSE_MILLISECONDS = 3_000;

const LOWEST_RATE = 0.1;

/** After this many attempts, a cut of a rate that was believed to be safe is a surprise. */
const SURPRISING_ATTEMPTS = 70;

/** Each change of mind about what the service limits makes the next one harder. This fades by a part in each epoch. */
const DOUBT = 1.6;
const MOST_DOUBT = 6;
const DOUBT_FADE = 0.003;

type State = { -readonly [key in keyof ControllerState]: ControllerState[key] };

/** One step of the search: what an epoch has shown changes the level. */
export function search(before: ControllerState, totals: EpochTotals, options: ControllerOptions): ControllerState {
  const measured = measure(before, totals, options.concurrency);
  const { accepted, throttled } = measured;
  const state: State = { ...before, recent: measured.recent };
  noteLatency(state, totals);
  noteCycle(state, totals, accepted);
  if (accepted + throttled === 0) return state;
  state.loads = addLoads(before, totals);
  state.doubt = Math.max(1, state.doubt * (1 - DOUBT_FADE));
  const earned = Math.min(MOST_BUDGET * accepted, Math.max(BUDGET * accepted, BUDGET_PER_SECOND * measured.seconds));
  state.budget = Math.min(2 * state.cost + 2, state.budget + earned) - throttled;
  if (state.waitUntil > totals.from) return state;
  if (isLongWait(totals)) afterLongWait(state, totals, measured);
  else if (throttled > 0) afterThrottles(state, measured, totals);
  else afterCleanEpoch(state, measured, totals, options);
  state.budget = Math.max(state.budget, -0.5 * state.cost);
  if (isLimiting(state) && isOtherKind(state)) changeKind(state, options);
  const lowest = state.kind === "slots" ? 1 : LOWEST_RATE;
  state.level = Math.max(lowest, state.level);
  state.ceiling = Math.max(lowest, state.ceiling);
  if (state.level !== before.level || state.kind !== before.kind) {
    const isSameUnit = state.kind === before.kind && isLimiting(before);
    state.previous = isSameUnit ? before.level : state.level;
    state.levelEpoch = totals.epoch + 1;
    state.isCut = !isSameUnit || state.level < before.level;
  }
  return state;
}

function noteLatency(state: State, { counted }: EpochTotals): void {
  if (counted.succeeded === 0) return;
  const latency = counted.succeededMilliseconds / counted.succeeded;
  const weight = Math.min(0.3, counted.succeeded / 100);
  state.latency = state.latency === 0 ? latency : state.latency + weight * (latency - state.latency);
}

function noteCycle(state: State, { from, to }: EpochTotals, accepted: number): void {
  const { cycle } = state;
  state.cycle = { since: cycle.since === 0 ? from || to : cycle.since, accepted: cycle.accepted + accepted };
}

const isLongWait = ({ waitUntil, to }: EpochTotals) =>
  waitUntil !== undefined && waitUntil - to > LONG_WAIT_MILLISECONDS;

/** The service told the fleet to wait for long, so it counts over a window. What it accepted until the window's end is what it bears. */
function afterLongWait(state: State, { waitUntil = 0, to }: EpochTotals, { bearsNow }: Measured): void {
  const { since, accepted } = state.cycle;
  // An item whose own wait is long must not stop the fleet for long.
  const believed = accepted > 0 ? LONGEST_WAIT_MILLISECONDS : 2 * state.believed;
  state.believed = believed;
  state.waitUntil = Math.min(waitUntil, to + believed);
  const milliseconds = Math.max(1_000, waitUntil - since);
  if (waitUntil > since && accepted > 0) {
    state.ceiling = (1_000 * accepted) / milliseconds;
    state.patience = Math.min(MOST_PATIENCE_MILLISECONDS, milliseconds);
    state.cycle = { since: waitUntil, accepted: 0 };
  } else if (!isLimiting(state)) state.ceiling = bearsNow;
  state.kind = "rate";
  state.level = state.ceiling;
  state.phase = "hold";
  state.probedAt = to;
}

function afterCleanEpoch(
  state: State,
  { bearsNow, used, isFull, isTested, isSeen, seconds }: Measured,
  totals: EpochTotals,
  { concurrency }: ControllerOptions,
): void {
  const { to } = totals;
  if (state.surprise > 0)
    state.surprise = Math.max(0, state.surprise - (state.kind === "rate" ? 0.05 : 0.03) * seconds);
  if (state.phase === "open") return;
  if (state.phase === "measure") {
    beginSearch(state, afterPause(state, totals, bearsNow));
    return;
  }
  if (isFull) {
    openWhenFar(state, concurrency);
    return;
  }
  const isFast = state.phase === "search" && state.ceiling < state.level;
  if (!(isFast ? isSeen : isTested) || used < LEAST_USE) return;
  switch (state.phase) {
    case "search":
      state.ceiling = state.level;
      state.level = whole(state, state.level * SEARCH_GROWTH, Math.ceil);
      return;
    case "recover":
      state.level += whole(state, RECOVERY * (state.ceiling - state.level), Math.ceil);
      if (state.level < 0.99 * state.ceiling) return;
      state.level = state.ceiling;
      state.phase = "hold";
      return;
    case "hold":
      if (state.budget < state.cost || to - state.probedAt < state.patience) return;
      state.phase = "probe";
      state.step = 0;
      nextStep(state, to);
      return;
    case "probe":
      if (to - state.probedAt < state.patience) return;
      // More in flight than before without a throttle is proof. More starts may still come from a bucket.
      if (state.kind === "slots") state.ceiling = state.level;
      if (state.step >= LARGE_STEP) {
        state.phase = "search";
        state.ceiling = state.level;
        state.level = whole(state, state.level * SEARCH_GROWTH, Math.ceil);
      } else nextStep(state, to);
      return;
  }
}

/** All environments were gone for long, as the service had asked for: it bears what it accepted in the whole time. */
function afterPause({ cycle, kind }: State, { from, to }: EpochTotals, bears: number): number {
  if (kind !== "rate" || from === 0 || to - from < PAUSE_MILLISECONDS) return bears;
  return Math.min(bears, (1_000 * cycle.accepted) / (to - cycle.since));
}

function beginSearch(state: State, bears: number): void {
  state.ceiling = whole(state, bears, Math.round);
  state.level = state.ceiling;
  state.phase = "search";
  state.recent = NOTHING_RECENT;
}

/** Only `concurrency` limits the fleet. The level grows out of the way, and is given up when it is far away. */
function openWhenFar(state: State, concurrency: number): void {
  state.level *= 1.5;
  state.ceiling = Math.max(state.ceiling, state.level);
  const far = state.kind === "rate" ? (4_000 * concurrency) / Math.max(1, state.latency) : concurrency;
  if (state.level >= far) state.phase = "open";
}

function nextStep(state: State, to: number): void {
  state.probedAt = to;
  state.step = state.step * STEP_GROWTH + FIRST_STEP;
  const more = state.ceiling * state.step;
  state.level = state.ceiling + (state.kind === "rate" ? more : Math.max(1, Math.round(more)));
}

function afterThrottles(state: State, measured: Measured, totals: EpochTotals): void {
  const { to } = totals;
  const { accepted, throttled, bears, bearsNow, byClock, isTested } = measured;
  if (state.phase === "open") {
    // Some environments have not reported yet. Each has cut itself already.
    state.phase = "measure";
    return;
  }
  if (state.phase === "measure") {
    if (accepted > 0) beginSearch(state, afterPause(state, totals, bearsNow));
    return;
  }
  const isHeavy = throttled >= FEWEST_HEAVY && throttled > HEAVY * (accepted + throttled);
  // After a cut, some throttles still belong to the level before.
  const isStale = state.isCut && !isTested;
  // The level is what was just measured.
  if (state.phase === "search" && state.level <= state.ceiling && !(isTested && isHeavy)) return;
  if (isStale && !(isHeavy && bearsNow < (1 - MOST_CUT) * state.level)) return;
  const before = state.phase;
  // A service that limits slots accepts one attempt at a time.
  if (state.kind === "slots" && state.ceiling <= 1 && isTested) state.surprise = Math.max(state.surprise, 0) + 1;
  state.phase = "recover";
  state.probedAt = to;
  if (isHeavy && bearsNow < (1 - MOST_CUT) * state.ceiling) {
    state.ceiling = whole(state, bearsNow, Math.round);
    state.budget = Math.max(0, state.budget);
    // What was accepted in so short a time is not exact, so some more cuts are to be expected.
    if (state.ceiling > 1 || state.kind === "rate") state.surprise = Math.min(state.surprise, -2);
    state.recent = NOTHING_RECENT;
  } else if (before === "probe" || before === "search") {
    if (before === "search") state.budget = state.cost;
    else state.cost += 0.3 * (Math.min(throttled, 20) - state.cost);
    const least = before === "search" ? Math.min(state.level, byClock) : Math.min(state.previous, bears);
    state.ceiling = Math.max(state.ceiling, whole(state, least, Math.floor));
    state.recent = NOTHING_RECENT;
    state.patience *= 0.7;
  } else {
    // The fewer attempts there were, the less the cut says: the ceiling may have been too high by chance.
    const weight = Math.min(1, state.recent.all / SURPRISING_ATTEMPTS);
    if (state.kind === "rate") state.surprise += weight;
    else if (before === "hold") state.surprise++;
    const lowest = state.ceiling * (1 - MOST_CUT);
    state.ceiling =
      state.kind === "rate"
        ? Math.min(state.ceiling * (1 - LEAST_CUT), Math.max(bears, lowest))
        : Math.max(1, Math.min(state.ceiling - 1, Math.round(Math.max(bears, lowest))));
  }
  state.level = state.kind === "rate" ? BACK * state.ceiling : state.ceiling;
}

const whole = ({ kind }: State, value: number, round: (value: number) => number): number =>
  kind === "rate" ? value : Math.max(1, round(value));

/**
 * Takes the ceiling that was found for the other kind, or converts the ceiling with the mean duration. It is probed at once, because
 * it is not exact.
 */
function changeKind(state: State, { concurrency }: ControllerOptions): void {
  const { ceiling, otherCeiling, latency } = state;
  if (state.kind === "rate") {
    state.kind = "slots";
    state.ceiling = Math.max(1, Math.floor((ceiling * latency) / 1_000), otherCeiling);
  } else {
    state.kind = "rate";
    state.ceiling = Math.max((1_000 * Math.min(concurrency, ceiling)) / latency, otherCeiling);
  }
  state.otherCeiling = ceiling;
  state.doubt = Math.min(MOST_DOUBT, state.doubt * DOUBT);
  state.level = state.ceiling;
  state.phase = "hold";
  state.budget = Math.max(state.budget, state.cost);
  state.surprise = 0;
  state.loads = NO_LOADS;
  state.recent = NOTHING_RECENT;
}
