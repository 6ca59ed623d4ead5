import type { EpochTotals } from "./controller.ts";
import type { SlowState, SlowSum } from "./controller-state.ts";

/** A mean duration above this multiple of the best one means that attempts wait in the service. */
const TOLERANCE = 1.5;

/** The most that one epoch lowers the level. */
const MOST_CUT = 0.5;

/** While half of the slots get this part of the successes, the other half only waits. */
const SAME_THROUGHPUT = 0.85;

/** A mean duration below this multiple of the best one means that no attempt waits. */
const NO_WAIT = 1.1;

/** How much the level grows while no attempt waits. */
const GROWTH = 1.5;

/** The fewest attempts that show how the service works at a level. */
const FEWEST = 20;
/** The shortest time at a level, as a multiple of the mean duration of an attempt. */
const DURATIONS = 2;
/** After this time, fewer attempts and a shorter time than these are enough: the service is slow. */
const MOST_SECONDS = 10;
const NOTHING: SlowSum = { count: 0, milliseconds: 0, seconds: 0 };

/** If the mean duration with half of the slots is below this part of the best one, it is a better one. */
const SHORTER = 0.9;

/** If the slots fall to this part and a mean duration stays above that part, attempts do not wait in the service. */
const FUTILE_FALL = 0.5;
const STILL_AS_LONG = 0.75;

/** The level grows only while this part of the slots is in use. */
const LEAST_USE = 0.7;

/** In the moving average, the newest mean has the weight 1 if it is of this many attempts, and less if it is of fewer. */
const SMOOTH_COUNT = 200;
/** The largest weight of the newest mean. */
const MOST_WEIGHT = 0.3;

/** About how long an epoch lasts. */
const EPOCH_MILLISECONDS = 1_000;

/** If the reports of an epoch are about less than this part of its time, its own length is used instead. */
const LEAST_HELD = 0.3;

/**
 * After this many tested levels, the controller looks for the best duration again: chance may have ended the first search too
 * early. Each search that finds nothing better doubles the number.
 */
const FIRST_REFRESH = 15;
/** The largest such number. The controller never stops looking, because the service may change. */
const LAST_REFRESH = 120;

/**
 * Finds the slots at which a service works without a queue: `adaptive: { latency: true }`. At first it halves the level while that
 * costs no throughput, which shows the best mean duration. From then on the level follows the gradient, best ÷ present duration.
 */
export function slowService(
  before: SlowState | undefined,
  { counted, mostTriedEpoch, epoch, from, to }: EpochTotals,
  concurrency: number,
): SlowState | undefined {
  const { succeeded } = counted;
  if (succeeded === 0) return before;
  const byClock = Math.max(250, to - from);
  // While a fleet starts, nothing is steady. So it begins with the slots that it uses, and these are compared with nothing.
  if (before === undefined) {
    const level = rounded(counted.inFlightMilliseconds / byClock, concurrency);
    const mean = counted.succeededMilliseconds / succeeded;
    return { phase: "down", level, levelEpoch: epoch + 1, best: mean, mean, throughput: 0, age: 0 };
  }
  // What ends just after a cut had started before it, and had waited for longer.
  const settling = before.phase === "down" ? Math.ceil(before.best / EPOCH_MILLISECONDS) : 0;
  if (mostTriedEpoch === undefined || mostTriedEpoch < before.levelEpoch + settling) return before;
  const held = counted.heldMilliseconds;
  const { count, milliseconds, seconds } = before.sum ?? NOTHING;
  const sum = {
    count: count + succeeded,
    milliseconds: milliseconds + counted.succeededMilliseconds,
    // One environment reports once in some epochs, and twice in others.
    seconds: seconds + (held > LEAST_HELD * byClock ? held : byClock) / 1_000,
  };
  // Attempts that started together end together, so a short time shows too much or too little.
  const isShort = sum.count < FEWEST || 1_000 * sum.seconds < (DURATIONS * sum.milliseconds) / sum.count;
  if (isShort && sum.seconds < MOST_SECONDS) return { ...before, sum };
  const isUsed = counted.inFlightMilliseconds > LEAST_USE * counted.slotMilliseconds;
  const { level, ...rest } = next(before, sum, isUsed);
  return { ...before, ...rest, level: rounded(level, concurrency), levelEpoch: epoch + 1, sum: undefined };
}

const rounded = (level: number, concurrency: number): number => Math.max(1, Math.min(concurrency, Math.round(level)));

/** The next level, after the attempts of `sum` at the present one. */
function next(before: SlowState, sum: SlowSum, isUsed: boolean): Partial<SlowState> & Pick<SlowState, "level"> {
  const mean = Math.max(1, sum.milliseconds / sum.count);
  const throughput = sum.count / sum.seconds;
  const { level, refresh = FIRST_REFRESH } = before;
  if (before.phase === "down") {
    const isFirst = before.throughput === 0;
    const isSame = throughput >= SAME_THROUGHPUT * before.throughput && mean < SHORTER * before.best;
    const best = isFirst ? mean : Math.min(before.best, mean);
    if (level > 1 && (isFirst || isSame)) {
      const most = Math.max(throughput, 0.95 * before.throughput);
      return { level: level / 2, best, mean, throughput: most, refresh: FIRST_REFRESH };
    }
    return { phase: "steady", level: 2 * level, best, mean, age: 0, fallFrom: undefined };
  }
  if (before.age >= refresh) {
    const later = Math.min(LAST_REFRESH, 2 * refresh);
    return { phase: "down", level: level / 2, best: mean, mean, throughput, age: 0, refresh: later };
  }
  // The least of many means of few attempts would be far too low.
  const weight = Math.min(MOST_WEIGHT, sum.count / SMOOTH_COUNT);
  const smooth = before.mean === undefined ? mean : before.mean + weight * (mean - before.mean);
  const best = Math.min(before.best, smooth);
  const gradient = Math.max(MOST_CUT, Math.min(1, (TOLERANCE * best) / mean));
  const steady = { mean: smooth, age: before.age + 1 };
  if (gradient < 1) {
    const { fallFrom = { level, mean } } = before;
    // With so few slots, attempts that had waited before would be shorter by now. So they had not, and `best` was chance.
    const isFutile = level <= FUTILE_FALL * fallFrom.level && mean > STILL_AS_LONG * fallFrom.mean;
    if (isFutile) return { ...steady, level, best: mean, fallFrom: undefined };
    return { ...steady, level: level * gradient, best, fallFrom };
  }
  const step = mean < NO_WAIT * best ? (GROWTH - 1) * level : 0.25 * Math.sqrt(level);
  return { ...steady, level: level + (isUsed ? Math.max(1, step) : 0), best, fallFrom: undefined };
}
