import type { ControllerOptions, EpochTotals } from "./controller.ts";
import { type ControllerState, FIRST_STATE, isLimiting, NO_LOADS, NO_SUM, type Sum } from "./controller-state.ts";
import { beginTrial, canBeTried, isTrialDue, triedKind } from "./kind-trial.ts";
import { addLoads, isOtherKind } from "./limit-kind.ts";
import { type Measured, measure } from "./measured.ts";
import { BURST, nextStep, whole } from "./probe-steps.ts";

/** The throttles that failed probes may cost, as a part of the accepted attempts. */
const BUDGET = 0.012;
/** The same in throttles per second. The larger of the two counts, so that a slow service is probed, too. */
const BUDGET_PER_SECOND = 0.3;
/** The upper bound of both, as a part of the accepted attempts. */
const MOST_BUDGET = 0.03;

/** While no probe is under way, a rate is this part of its ceiling, so that tokens collect in the service's bucket. */
const BACK = 0.99;

/** The steps of a probe that wait until all environments have seen them. */
const SEEN_STEPS = 2;
/** An epoch with fewer attempts does not show what the service bears. */
const FEWEST_ADMITTED = 20;

/** The least and the most that one cut takes from a ceiling. */
const LEAST_CUT = 0.003;
const MOST_CUT = 0.3;

/** If the service refuses more than this part of the attempts, it may bear far less than before. */
const HEAVY = 0.3;
/** The same for a rate: environments that are refused pace their starts, so less is refused. */
const HEAVY_RATE = 0.2;
/** If the service refuses more than this part, a cut of a rate also considers what the environments have started. */
const MUCH = 0.1;
/** Fewer throttles than this are never many. */
const FEWEST_HEAVY = 5;

/** If less than this part of a level is used, the level shows nothing. */
const LEAST_USE = 0.7;
/** If this part of the slots is used without a throttle, the service bears so many. */
const FULL_USE = 0.9;

/** The shortest time from a cut to the next probe. */
const LEAST_HOLD_MILLISECONDS = 1_500;
/** The shortest time of a step. */
const LEAST_STEP_MILLISECONDS = 700;

/** If the service asks for a longer wait than this, it probably counts over a window. */
const LONG_WAIT_MILLISECONDS = 1_500;

/** How long the fleet waits at first. If nothing is accepted then, it waits for twice this time, and so on. */
const LONGEST_WAIT_MILLISECONDS = 10_000;
const MOST_PATIENCE_MILLISECONDS = 120_000;

/** In an epoch of this length, no environment worked for most of the time. */
const PAUSE_MILLISECONDS = 3_000;

const LOWEST_RATE = 0.1;

/** The sum of `recent` contains about this many seconds. */
const RECENT_SECONDS = 4;

/** The levels of a probe that are remembered. */
const MOST_STEPS = 8;

/** Each change of `kind` multiplies the evidence that the next change needs. The factor fades in each epoch. */
const DOUBT = 1.6;
const MOST_DOUBT = 6;
const DOUBT_FADE = 0.003;

/** How much of the surprise fades in a second. */
const SURPRISE_FADE = 0.02;
const SURPRISE_FADE_OF_SEVERAL = 0.05;

/** After this time without a throttle at the same slots, their rate is known well enough for a trial. */
const TRIAL_AFTER_SECONDS = 2;

type State = { -readonly [key in keyof ControllerState]: ControllerState[key] };

/** One step of the search: what an epoch has shown changes the level. */
export function search(before: ControllerState, totals: EpochTotals, options: ControllerOptions): ControllerState {
  const measured = measure(before, totals, options.concurrency);
  const { accepted, throttled } = measured;
  const state: State = { ...before };
  noteLatency(state, totals);
  noteCycle(state, totals, accepted);
  if (accepted + throttled === 0) return state;
  // What ends just after a probe started while more was in flight, and the service's bucket was empty.
  if (measured.isTested) state.loads = addLoads(before, totals);
  state.doubt = Math.max(1, state.doubt * (1 - DOUBT_FADE));
  const earned = Math.min(MOST_BUDGET * accepted, Math.max(BUDGET * accepted, BUDGET_PER_SECOND * measured.seconds));
  state.budget = Math.min(2 * state.cost + 2, state.budget + earned) - throttled;
  if (state.waitUntil > totals.from) return state;
  if (isLimiting(state)) {
    state.clean = add(state.clean, measured);
    state.recent = add(fade(state.recent), measured);
    if (state.phase !== "hold") state.probed = add(state.probed, measured);
  }
  if (isLongWait(totals)) afterLongWait(state, totals, measured);
  else if (state.phase === "trial") afterTrialEpoch(state, measured, totals);
  else if (throttled > 0) afterThrottles(state, measured, totals, options);
  else afterCleanEpoch(state, measured, totals, options);
  state.budget = Math.max(state.budget, -0.5 * state.cost);
  const lowest = state.kind === "slots" ? 1 : LOWEST_RATE;
  state.level = Math.max(lowest, state.level);
  state.ceiling = Math.max(lowest, state.ceiling);
  if (isLimiting(state) && (state.level !== before.level || state.kind !== before.kind || !isLimiting(before))) {
    state.levelEpoch = totals.epoch + 1;
    state.since = totals.to;
    const isRising =
      isLimiting(before) &&
      state.kind === before.kind &&
      (state.phase === "probe" || state.phase === "search") &&
      state.level > before.level;
    const step = { epoch: state.levelEpoch, level: state.level };
    state.steps = [...(isRising ? state.steps : []), step].slice(-MOST_STEPS);
  }
  return state;
}

const add = (sum: Sum, { admitted, inFlightSeconds, seconds }: Measured): Sum => ({
  accepted: sum.accepted + admitted,
  inFlightSeconds: sum.inFlightSeconds + inFlightSeconds,
  seconds: sum.seconds + seconds,
});

function fade(sum: Sum): Sum {
  const part = Math.max(0, 1 - 1 / RECENT_SECONDS);
  return {
    accepted: part * sum.accepted,
    inFlightSeconds: part * sum.inFlightSeconds,
    seconds: part * sum.seconds,
  };
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

/** The service asked the fleet for a long wait, so it counts over a window. It bears what it accepted in the window. */
function afterLongWait(state: State, { waitUntil = 0, to }: EpochTotals, { accepted: now, seconds }: Measured): void {
  const { since, accepted } = state.cycle;
  // The wait may concern a single item, which must not stop the fleet for long.
  const believed = accepted > 0 ? LONGEST_WAIT_MILLISECONDS : 2 * state.believed;
  state.believed = believed;
  state.waitUntil = Math.min(waitUntil, to + believed);
  const milliseconds = Math.max(1_000, waitUntil - since);
  const isKnown = isLimiting(state) && state.kind === "rate";
  if (waitUntil > since && accepted > 0) {
    state.ceiling = (1_000 * accepted) / milliseconds;
    state.patience = Math.min(MOST_PATIENCE_MILLISECONDS, milliseconds);
    state.cycle = { since: waitUntil, accepted: 0 };
  } else if (!isKnown) state.ceiling = now / seconds;
  state.kind = "rate";
  state.level = state.ceiling;
  state.phase = "hold";
  state.since = to;
  state.clean = NO_SUM;
}

function afterCleanEpoch(
  state: State,
  measured: Measured,
  totals: EpochTotals,
  { concurrency }: ControllerOptions,
): void {
  const { used, isFull, tested, isTested, isSeen, seconds } = measured;
  const { to } = totals;
  if (isSeen) state.isFallen = false;
  // Contradictions of several holders may have been a change of the limit.
  const fadePerSecond = totals.holders === 1 ? SURPRISE_FADE : SURPRISE_FADE_OF_SEVERAL;
  state.surprise = Math.max(0, state.surprise - fadePerSecond * seconds);
  if (state.phase === "open") return;
  if (state.phase === "measure") {
    beginSearch(state, measured, totals);
    return;
  }
  if (state.isRefused) {
    endSearch(state, measured);
    hold(state, totals);
    return;
  }
  if (isFull) {
    openWhenFar(state, concurrency);
    return;
  }
  if (used < LEAST_USE) return;
  // More in flight than before without a throttle is proof. More starts may still come from a bucket.
  if (state.kind === "slots" && used > FULL_USE) {
    state.proven = Math.max(state.proven, tested);
    if (state.phase !== "hold") state.ceiling = Math.max(state.ceiling, tested);
  }
  const sinceLevel = to - state.since;
  switch (state.phase) {
    case "hold":
      if (!isTested) return;
      if (isTrialDue(state) && state.clean.seconds >= TRIAL_AFTER_SECONDS) beginTrial(state, measured);
      if (state.phase !== "hold" || state.budget < state.cost) return;
      if (sinceLevel < Math.max(LEAST_HOLD_MILLISECONDS, state.patience)) return;
      state.phase = "probe";
      state.probed = NO_SUM;
      nextStep(state, measured);
      return;
    case "probe":
      // Starts that are refused show in the same epoch. So after two steps without a throttle, a rate need not wait for all reports.
      if (!isSeen && (state.kind === "slots" || state.level < FEWEST_ADMITTED || state.steps.length <= SEEN_STEPS))
        return;
      if (sinceLevel < Math.max(LEAST_STEP_MILLISECONDS, state.patience)) return;
      nextStep(state, measured);
      return;
    case "search":
      if (sinceLevel < LEAST_STEP_MILLISECONDS || (state.isNew && !isSeen)) return;
      nextStep(state, measured);
      return;
  }
}

/** After a pause that the service asked for, the service bears what it accepted in the whole time with the pause. */
function afterPause({ cycle, kind }: State, { from, to }: EpochTotals, bears: number): number {
  if (kind !== "rate" || from === 0 || to - from < PAUSE_MILLISECONDS) return bears;
  return Math.min(bears, (1_000 * cycle.accepted) / (to - cycle.since));
}

/** Begins with what the environments have lowered their own limits to: they use what the service has just accepted. */
function beginSearch(state: State, { bears }: Measured, totals: EpochTotals): void {
  const found = state.kind === "slots" ? totals.found : undefined;
  state.ceiling = whole(state, Math.max(found ?? 0, afterPause(state, totals, bears)), Math.round);
  state.level = state.ceiling;
  // Not all environments have reported, so the service may bear more.
  state.phase = "search";
  state.isNew = true;
  state.isTried = false;
  state.probed = NO_SUM;
  state.budget = state.cost;
  state.clean = NO_SUM;
  state.recent = NO_SUM;
  state.proven = 0;
}

/** Raises the level while only `concurrency` limits the fleet. Once the level is far above, no limit is in force any more. */
function openWhenFar(state: State, concurrency: number): void {
  state.level *= 1.5;
  state.ceiling = Math.max(state.ceiling, state.level);
  const far = state.kind === "rate" ? (4_000 * concurrency) / Math.max(1, state.latency) : concurrency;
  if (state.level >= far) state.phase = "open";
}

function afterThrottles(state: State, measured: Measured, totals: EpochTotals, options: ControllerOptions): void {
  const { accepted, admitted, throttled, bears, isTested, isSeen, seconds } = measured;
  if (state.phase === "open") {
    // Some environments have not reported yet. Each has cut itself already.
    state.phase = "measure";
    return;
  }
  if (state.phase === "measure") {
    if (accepted > 0) beginSearch(state, measured, totals);
    return;
  }
  const isRate = state.kind === "rate";
  const heavy = (isRate ? HEAVY_RATE : HEAVY) * (accepted + throttled);
  const isHeavy = throttled >= FEWEST_HEAVY && throttled > heavy;
  const isFar = isHeavy && bears < (1 - MOST_CUT) * state.ceiling && !state.isFallen;
  // Neither a small step of a rate nor a first estimate explains that so much is refused.
  const isFall = isRate && isFar && (state.phase === "probe" || state.isNew);
  const isProbing = !isFall && (state.phase === "probe" || state.phase === "search");
  // After a cut, some throttles still belong to the level before. They show nothing about the new level.
  const isLate = !isSeen && (state.phase === "hold" || (state.isNew && state.steps.length <= 1));
  const isStale = isLate && !(isFar && state.phase === "hold");
  const byClean = state.clean.seconds > 0 ? state.clean.accepted / state.clean.seconds : 0;
  if (isStale) {
    // Throttles of the level before a cut do not count against the budget.
    if (state.isFallen) state.budget += throttled;
    return;
  }
  state.isFallen = false;
  const { contradictions } = totals.counted;
  if (!isRate && contradictions > 0) {
    // With one holder, nobody else can have taken the slots.
    const isAlone = totals.holders === 1 && isTested;
    if (isHeavy && !(isAlone && contradictions > 1)) state.surprise = Math.max(0, state.surprise - 0.5);
    else if (isAlone) state.surprise += Math.min(2, contradictions);
    else if (!isProbing && isTested) state.surprise += state.proven >= state.ceiling ? 0.7 : 0.4;
  }
  if (state.isRefused) endSearch(state, measured);
  else if (isProbing) {
    if (isRate) {
      const withoutBurst = (admitted - BURST) / seconds;
      const { probed } = state;
      // The step before was clean, but a bucket may have paid for it.
      const stepBefore = state.steps.at(-2)?.level ?? 0;
      const halfway = state.isNew ? 0 : (state.ceiling + stepBefore) / 2;
      const byProbe = probed.seconds > 0 ? (probed.accepted - BURST) / probed.seconds : 0;
      state.ceiling = Math.min(state.level, Math.max(byClean, byProbe, withoutBurst, 0.9 * state.ceiling, halfway));
    } else state.ceiling = Math.max(state.proven, state.ceiling, Math.min(state.level - 1, totals.found ?? 0));
    if (state.phase === "search") state.budget = Math.max(state.budget, 0);
    else state.cost += 0.3 * (Math.min(throttled, 20) - state.cost);
    state.patience *= 0.7;
    if (isRate && state.phase === "search" && admitted >= FEWEST_ADMITTED) {
      state.isRefused = true;
      return;
    }
  } else if (isHeavy && (accepted > 0 || state.patience === 0) && bears < (1 - MOST_CUT) * state.ceiling) {
    // Environments pause after throttles, so a little more than they start is borne. What has ended belongs to the rate before.
    const borne = isRate ? (2 * bears + accepted / seconds) / 3 : isLate ? Math.max(bears, state.ceiling / 2) : bears;
    state.ceiling = whole(state, borne, Math.round);
    // The ceiling is an estimate, so it is probed soon. What was refused because the service changed is not the price of a probe.
    state.cost = Math.min(state.cost, FIRST_STATE.cost);
    state.budget = state.cost;
    state.isFallen = true;
    state.proven = 0;
  } else if (isRate && (accepted === 0 || !isTested)) {
    // Attempts that try whether a wait is over say nothing about the rate, and those of a probe belong to another level.
    return;
  } else if (isRate) {
    // Environments that were refused have cut themselves, so the part that was refused says more than what was accepted.
    const lowest = (1 - MOST_CUT) * state.ceiling;
    const byLevel = (state.level * accepted) / (accepted + throttled);
    // If much is refused, the level is far from what the environments have started since their cuts.
    const isMuch = throttled > 1 && throttled > MUCH * (accepted + throttled);
    const accepts = isMuch ? (byLevel + bears) / 2 : byLevel;
    state.ceiling = Math.min(
      state.ceiling * (1 - LEAST_CUT),
      Math.max(accepts, state.clean.seconds > 3 ? byClean : 0, lowest),
    );
  } else {
    const lowest = Math.max(
      Math.round(bears),
      Math.round((1 - MOST_CUT) * state.ceiling),
      totals.found ?? 0,
      state.proven - 1,
    );
    state.ceiling = Math.max(1, Math.min(state.ceiling - 1, lowest));
    state.proven = Math.min(state.proven, state.ceiling);
  }
  const isTrial = !isProbing && isTested && isTrialDue(state);
  hold(state, totals);
  const isOther = isOtherKind(state);
  if (isTrial || (isOther && canBeTried(state))) beginTrial(state, measured);
  else if (isOther) changeKind(state, options);
  state.clean = NO_SUM;
}

function afterTrialEpoch(state: State, measured: Measured, totals: EpochTotals): void {
  // A trial is no probe, so it costs nothing of the budget.
  state.budget += measured.throttled;
  const kind = triedKind(state, measured);
  if (kind === undefined) return;
  if (kind === "slots") {
    state.kind = kind;
    state.ceiling = state.slotsBefore ?? 1;
    state.doubt = Math.min(MOST_DOUBT, state.doubt * DOUBT);
  }
  forgetEvidence(state);
  state.clean = NO_SUM;
  hold(state, totals);
  if (kind === "slots") return;
  // The rate of the trial may be far too low.
  state.phase = "search";
  state.isNew = true;
  state.probed = NO_SUM;
  nextStep(state, measured);
}

/** The second epoch at a level that is refused: the service's bucket was empty before, so it bears what it accepted. */
function endSearch(state: State, { bears }: Measured): void {
  state.ceiling = Math.min(state.level, Math.max(state.ceiling, bears));
  // The ceiling is an estimate, so it is probed soon.
  state.budget = Math.max(state.budget, state.cost);
}

function hold(state: State, { to }: EpochTotals): void {
  // What is in flight at another level says nothing about this one.
  if (state.phase === "search" || state.isFallen) state.loads = NO_LOADS;
  state.phase = "hold";
  state.isNew = false;
  state.isRefused = false;
  state.level = state.kind === "rate" ? BACK * state.ceiling : state.ceiling;
  state.since = to;
}

/** Begins with what was accepted in the last seconds. */
function changeKind(state: State, { concurrency }: ControllerOptions): void {
  const { accepted, inFlightSeconds, seconds } = state.recent;
  const isRate = state.kind === "rate";
  state.kind = isRate ? "slots" : "rate";
  state.ceiling = isRate
    ? Math.max(1, Math.min(concurrency, Math.round(inFlightSeconds / seconds)))
    : accepted / seconds;
  state.doubt = Math.min(MOST_DOUBT, state.doubt * DOUBT);
  state.level = state.ceiling;
  state.phase = "search";
  state.isNew = true;
  state.probed = NO_SUM;
  state.steps = [];
  forgetEvidence(state);
}

/** What the service limits was decided just now: the evidence for another kind begins anew, and so do probes. */
function forgetEvidence(state: State): void {
  state.budget = Math.max(state.budget, state.cost);
  state.surprise = 0;
  state.proven = 0;
  state.loads = NO_LOADS;
}
