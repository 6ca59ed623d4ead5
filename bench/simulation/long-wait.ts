import { latencies, steps, TokenBucket } from "./services.ts";
import { type Outcome, simulate } from "./simulate.ts";

/** 10,000 items at 1/s, for 3 hours of virtual time: most messages are received again and again by environments without a share. */
export function threeHoursAtOnePerSecond(seed: number, hours = 3): Outcome {
  return simulate(
    {
      service: (random) => new TokenBucket(steps(1), 1, latencies(random, 300).exponential, 300),
      fleet: { environments: 10, slots: 10 },
      seconds: 3_600 * hours,
      items: 10_000,
      backlog: 10_000,
    },
    "sluice",
    seed,
  );
}
