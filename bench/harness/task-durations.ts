/** Task durations of a known distribution. The same seed gives the same list, so that all sides do the same work. */

export const DISTRIBUTIONS = ["constant", "uniform", "exponential", "lognormal", "1 % ten times as long"] as const;
export type Distribution = (typeof DISTRIBUTIONS)[number];

const LOGNORMAL_SIGMA = 1;
const SEED = 20_261;

/** Durations with this mean, in milliseconds. */
export function durations(distribution: Distribution, count: number, meanMilliseconds: number): readonly number[] {
  const random = mulberry32(SEED);
  const draw = draws[distribution];
  return Array.from({ length: count }, (_, index) => meanMilliseconds * draw(random, index));
}

/** Each has the mean 1. */
const draws: Readonly<Record<Distribution, (random: () => number, index: number) => number>> = {
  constant: () => 1,
  uniform: (random) => 2 * random(),
  exponential: (random) => -Math.log(1 - random()),
  lognormal: (random) => Math.exp(LOGNORMAL_SIGMA * normal(random) - LOGNORMAL_SIGMA ** 2 / 2),
  // Every hundredth of them, at an even distance: which ones is no luck.
  "1 % ten times as long": (_, index) => (index % 100 === 50 ? 10 : 1) / 1.09,
};

/** Box and Muller's. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** A small generator of uniform numbers in [0, 1). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
