/**
 * How the service answers requests for a city. It depends only on the id and a seed, so the outcome of a run is known
 * before it starts.
 */
export type Behaviour =
  | { readonly kind: "answers" }
  /** The first `failures` requests fail with 500. The later ones succeed. */
  | { readonly kind: "heals"; readonly failures: 1 | 2 }
  /** Every request fails with 500. */
  | { readonly kind: "fails" }
  /** No request is ever answered. */
  | { readonly kind: "hangs" }
  /** The status is 200, but the body does not match the schema. */
  | { readonly kind: "malformed"; readonly how: "latitude missing" | "longitude as text" }
  /** The city no longer exists. */
  | { readonly kind: "gone"; readonly status: 404 | 410 };

/**
 * With this seed, the first 5,000 cities have each kind exactly as often as `SHARES` says, except 48 that heal, not 50.
 */
export const DEFAULT_SEED = 3398;

/** The share of each kind among the cities. All other cities are answered. */
export const SHARES = {
  fails: 0.001,
  hangs: 0.0006,
  malformed: 0.0008,
  gone: 0.0006,
  heals: 0.01,
} as const satisfies Partial<Record<Behaviour["kind"], number>>;

/**
 * Only the first two requests for a city can be refused because of the limit, or fail before the city heals. So the
 * third request succeeds for every city that can succeed. Five attempts suffice under any load, even if the service
 * restarts once and forgets its counts.
 */
export const UNSETTLED_REQUESTS = 2;

/** Latency has a lognormal distribution: median 25 ms, mean 46 ms, p95 150 ms, p99 320 ms, at most 1 s. */
export const LATENCY = { medianMilliseconds: 25, sigma: 1.1, maximumMilliseconds: 1_000 } as const;

/** The behaviour of the city with this id. */
export function behaviourOf(id: number, seed: number = DEFAULT_SEED): Behaviour {
  const kind = pickKind(uniform(seed, id, 0));
  const first = uniform(seed, id, 1) < 0.5;
  switch (kind) {
    case "heals":
      return { kind, failures: first ? 1 : 2 };
    case "malformed":
      return { kind, how: first ? "latitude missing" : "longitude as text" };
    case "gone":
      return { kind, status: first ? 404 : 410 };
    default:
      return { kind };
  }
}

/** The behaviour of a city after the service is repaired. Faults in the data stay. */
export const repaired = (behaviour: Behaviour): Behaviour =>
  behaviour.kind === "fails" || behaviour.kind === "hangs" ? { kind: "answers" } : behaviour;

function pickKind(draw: number): Behaviour["kind"] {
  let below = 0;
  for (const [kind, share] of Object.entries(SHARES)) {
    below += share;
    if (draw < below) return kind as keyof typeof SHARES;
  }
  return "answers";
}

/** The latency of the n-th request (from 1) for the city with this id. */
export function latencyMilliseconds(id: number, request: number, seed: number = DEFAULT_SEED): number {
  // Box-Muller; 1 - u keeps the logarithm's argument above 0.
  const radius = Math.sqrt(-2 * Math.log(1 - uniform(seed, id, 2 * request)));
  const normal = radius * Math.cos(2 * Math.PI * uniform(seed, id, 2 * request + 1));
  return Math.min(LATENCY.medianMilliseconds * Math.exp(LATENCY.sigma * normal), LATENCY.maximumMilliseconds);
}

/** A pseudo-random number in [0, 1). Each id has many independent streams of numbers. */
function uniform(seed: number, id: number, stream: number): number {
  return mix(mix(mix(seed) ^ id) ^ stream) / 2 ** 32;
}

/** The finaliser of MurmurHash3: each bit of the input affects each bit of the result. */
function mix(value: number): number {
  let hash = (value + 0x9e3779b9) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
