/**
 * How the service treats a city, as a pure function of its id and a seed: a run's outcome is known before it starts.
 */
export type Behaviour =
  | { readonly kind: "answers" }
  /** 500 to the first `failures` requests, then an answer. */
  | { readonly kind: "heals"; readonly failures: 1 | 2 }
  /** 500 to every request. */
  | { readonly kind: "fails" }
  /** No answer, for as long as the client waits. */
  | { readonly kind: "hangs" }
  /** 200, but not what the schema says. */
  | { readonly kind: "malformed"; readonly how: "latitude missing" | "longitude as text" }
  | { readonly kind: "gone"; readonly status: 404 | 410 };

/** With this seed the first 5,000 cities hold each kind as often as `SHARES` says (48 that heal, not 50). */
export const DEFAULT_SEED = 3398;

/** The share of the cities of each kind; the others answer. */
export const SHARES = {
  fails: 0.001,
  hangs: 0.0006,
  malformed: 0.0008,
  gone: 0.0006,
  heals: 0.01,
} as const satisfies Partial<Record<Behaviour["kind"], number>>;

/**
 * Only the first two requests for a city can be refused by the limit or fail before they heal, so a city that can be
 * had is had by the third: five attempts suffice whatever the load, even if the service restarts once and forgets.
 */
export const UNSETTLED_REQUESTS = 2;

/** Latency is lognormal: 25 ms in the median, 46 ms on average, 150 ms at p95, 320 ms at p99, never over 1 s. */
export const LATENCY = { medianMilliseconds: 25, sigma: 1.1, maximumMilliseconds: 1_000 } as const;

/** How the service treats the city of this id. */
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

/** How a city is treated once the service is repaired: what is wrong with the data stays. */
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

/** How long the service takes for the n-th request (from 1) for the city of this id. */
export function latencyMilliseconds(id: number, request: number, seed: number = DEFAULT_SEED): number {
  // Box-Muller; 1 - u keeps the logarithm's argument above 0.
  const radius = Math.sqrt(-2 * Math.log(1 - uniform(seed, id, 2 * request)));
  const normal = radius * Math.cos(2 * Math.PI * uniform(seed, id, 2 * request + 1));
  return Math.min(LATENCY.medianMilliseconds * Math.exp(LATENCY.sigma * normal), LATENCY.maximumMilliseconds);
}

/** A draw from [0, 1): each stream of each id gives another. */
function uniform(seed: number, id: number, stream: number): number {
  return mix(mix(mix(seed) ^ id) ^ stream) / 2 ** 32;
}

/** The finaliser of MurmurHash3: every bit of the input moves every bit of the result. */
function mix(value: number): number {
  let hash = (value + 0x9e3779b9) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
