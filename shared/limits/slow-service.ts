import type { EpochTotals } from "./controller.ts";
import type { SlowState } from "./controller-state.ts";

/** A mean duration above this multiple of the best one means that attempts wait in the service. */
const TOLERANCE = 1.5;

/** The most that one epoch lowers the level. */
const MOST_CUT = 0.5;

/** While half of the slots get this part of the successes, the other half only waits. */
const SAME_THROUGHPUT = 0.85;

/** After this many tested levels, the best duration is looked for again: the service may have changed. */
const REFRESH = 120;

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
  const mean = Math.max(1, counted.succeededMilliseconds / succeeded);
  // Attempts in flight ÷ duration: this throughput needs no clock that all share.
  const throughput = succeeded / Math.max(0.25, (to - from) / 1_000);
  const change = (level: number, rest: Partial<SlowState>): SlowState => ({
    phase: "steady",
    best: mean,
    throughput,
    age: 0,
    ...before,
    ...rest,
    level: Math.max(1, Math.min(concurrency, Math.round(level))),
    levelEpoch: epoch + 1,
  });
  if (before === undefined) return change(concurrency / 2, { phase: "down", best: mean, throughput });
  if (mostTriedEpoch === undefined || mostTriedEpoch < before.levelEpoch) return before;
  const best = Math.min(before.best, mean);
  if (before.phase === "down") {
    if (throughput >= SAME_THROUGHPUT * before.throughput && before.level > 1 && mean < 0.9 * before.best) {
      return change(before.level / 2, { best, throughput: Math.max(throughput, 0.95 * before.throughput) });
    }
    return change(before.level * 1.5, { phase: "steady", best, age: 0 });
  }
  const age = before.age + 1;
  if (age > REFRESH) return change(before.level / 2, { phase: "down", best: mean, throughput, age: 0 });
  const isUsed = counted.inFlightMilliseconds > 0.7 * counted.slotMilliseconds;
  const gradient = Math.max(MOST_CUT, Math.min(1, (TOLERANCE * best) / mean));
  const room = gradient === 1 && isUsed ? Math.max(1, 0.25 * Math.sqrt(before.level)) : 0;
  return change(before.level * gradient + room, { best, age });
}
