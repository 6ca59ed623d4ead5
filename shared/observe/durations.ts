/**
 * Durations as a histogram: the numbers of durations by bucket. A bucket ends 10 % above the one before it, so a quantile is
 * exact to 10 %, and adding a duration takes constant time and no memory.
 */
export type DurationCounts = Readonly<Record<number, number>>;

const STEP = Math.log(1.1);

/** The bucket of a duration. Bucket 0 is for durations up to 1 ms. */
const bucketOf = (milliseconds: number): number =>
  milliseconds <= 1 ? 0 : Math.ceil(Math.log(milliseconds) / STEP - 1e-9);

/** Adds a duration to a histogram. */
export function countDuration(counts: Record<number, number>, milliseconds: number): void {
  const bucket = bucketOf(milliseconds);
  counts[bucket] = (counts[bucket] ?? 0) + 1;
}

/** Adds the durations of a second histogram to the first one. */
export function addDurations(counts: Record<number, number>, more: DurationCounts): void {
  for (const [bucket, number] of Object.entries(more)) counts[Number(bucket)] = (counts[Number(bucket)] ?? 0) + number;
}

/**
 * Returns quantiles of a histogram in milliseconds: the upper end of the bucket in which each quantile lies. Returns
 * `undefined` if the histogram is empty.
 *
 * @param shares Which quantiles, in ascending order: 0.5 is the median.
 * @example durationQuantiles(counts, [0.5, 0.95, 0.99])
 */
export function durationQuantiles(counts: DurationCounts, shares: readonly number[]): readonly number[] | undefined {
  // The keys of an object that are whole numbers are in ascending order.
  const buckets = Object.entries(counts);
  const all = buckets.reduce((sum, [, number]) => sum + number, 0);
  if (all === 0) return undefined;
  return shares.map((share) => {
    let seen = 0;
    for (const [bucket, number] of buckets) {
      seen += number;
      if (seen >= share * all) return Math.round(Math.exp(Number(bucket) * STEP));
    }
    return 0;
  });
}
