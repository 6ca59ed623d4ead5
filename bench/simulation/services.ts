import type { Random } from "./random.ts";

/** What a service answers to a request that arrives now. */
export type Answer =
  /** `waitedMilliseconds` is the part for which the request waited for others. Default: 0. */
  | { readonly tag: "accepted"; readonly milliseconds: number; readonly waitedMilliseconds?: number }
  | { readonly tag: "refused"; readonly retryAfterMilliseconds?: number | undefined };

/** A service in virtual time. */
export interface Service {
  /** A request arrives. */
  request(now: number): Answer;
  /** What an oracle gets done from `from` to `to` with that many slots, in requests. */
  ideal(from: number, to: number, slots: number): number;
  /** The requests that are in flight when an oracle uses the service, for the billed environments. */
  idealInFlight(now: number): number;
}

export type Latency = () => number;

export const latencies = (random: Random, mean: number) => ({
  constant: () => mean,
  exponential: () => random.exponential(mean),
  lognormal: () => random.lognormal(mean),
});

/** A figure that changes at some times, in milliseconds. */
export interface Steps {
  at(now: number): number;
  readonly times: readonly number[];
}

export function steps(first: number, ...later: readonly (readonly [time: number, value: number])[]): Steps {
  return {
    at: (now) => later.findLast(([time]) => now >= time)?.[1] ?? first,
    times: later.map(([time]) => time),
  };
}

/** The sum of a figure over time, in units of the figure times seconds. */
function integral(figure: (now: number) => number, from: number, to: number): number {
  let sum = 0;
  for (let now = from; now < to; now += 100) sum += (figure(now) * Math.min(100, to - now)) / 1_000;
  return sum;
}

/** A token bucket: `perSecond` on average, and up to `burst` at once. */
export class TokenBucket implements Service {
  readonly #perSecond: Steps;
  readonly #burst: number;
  readonly #latency: Latency;
  readonly #mean: number;
  readonly #retryAfter: number | undefined;
  #tokens: number;
  #at = 0;

  constructor(perSecond: Steps, burst: number, latency: Latency, mean: number, retryAfter?: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#latency = latency;
    this.#mean = mean;
    this.#retryAfter = retryAfter;
    this.#tokens = burst;
  }

  request(now: number): Answer {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) * this.#perSecond.at(now)) / 1_000);
    this.#at = now;
    if (this.#tokens < 1) return { tag: "refused", retryAfterMilliseconds: this.#retryAfter };
    this.#tokens--;
    return { tag: "accepted", milliseconds: this.#latency() };
  }

  ideal(from: number, to: number, slots: number): number {
    return integral((now) => Math.min(this.#perSecond.at(now), (1_000 * slots) / this.#mean), from, to);
  }

  idealInFlight(now: number): number {
    return (this.#perSecond.at(now) * this.#mean) / 1_000;
  }
}

/** At most `slots` requests in flight. */
export class ParallelLimit implements Service {
  readonly #slots: Steps;
  readonly #latency: Latency;
  readonly #mean: number;
  readonly #ends: number[] = [];

  constructor(slots: Steps, latency: Latency, mean: number) {
    this.#slots = slots;
    this.#latency = latency;
    this.#mean = mean;
  }

  request(now: number): Answer {
    for (let place = this.#ends.length - 1; place >= 0; place--) {
      if ((this.#ends[place] ?? 0) > now) continue;
      const last = this.#ends.pop() ?? 0;
      if (place < this.#ends.length) this.#ends[place] = last;
    }
    if (this.#ends.length >= this.#slots.at(now)) return { tag: "refused" };
    const milliseconds = this.#latency();
    this.#ends.push(now + milliseconds);
    return { tag: "accepted", milliseconds };
  }

  ideal(from: number, to: number, slots: number): number {
    return integral((now) => (1_000 * Math.min(this.#slots.at(now), slots)) / this.#mean, from, to);
  }

  idealInFlight(now: number): number {
    return this.#slots.at(now);
  }
}

/** A number of requests in each window. A refused request is told when the next window begins. */
export class FixedWindow implements Service {
  readonly #requests: number;
  readonly #milliseconds: number;
  readonly #latency: Latency;
  readonly #mean: number;
  #window = -1;
  #used = 0;

  constructor(requests: number, milliseconds: number, latency: Latency, mean: number) {
    this.#requests = requests;
    this.#milliseconds = milliseconds;
    this.#latency = latency;
    this.#mean = mean;
  }

  request(now: number): Answer {
    const window = Math.floor(now / this.#milliseconds);
    if (window !== this.#window) this.#used = 0;
    this.#window = window;
    if (this.#used >= this.#requests) {
      const next = (window + 1) * this.#milliseconds;
      return { tag: "refused", retryAfterMilliseconds: Math.ceil((next - now) / 1_000) * 1_000 };
    }
    this.#used++;
    return { tag: "accepted", milliseconds: this.#latency() };
  }

  ideal(from: number, to: number, slots: number): number {
    const perSecond = Math.min((1_000 * this.#requests) / this.#milliseconds, (1_000 * slots) / this.#mean);
    return (perSecond * (to - from)) / 1_000;
  }

  idealInFlight(): number {
    return (this.#requests / this.#milliseconds) * this.#mean;
  }
}

/** A number of servers with one queue. It refuses nothing, but its latency grows with the queue. */
export class QueueingServer implements Service {
  readonly #free: number[];
  readonly #latency: Latency;
  readonly #mean: number;

  constructor(servers: number, latency: Latency, mean: number) {
    this.#free = Array.from({ length: servers }, () => 0);
    this.#latency = latency;
    this.#mean = mean;
  }

  request(now: number): Answer {
    let first = 0;
    for (const [place, free] of this.#free.entries()) if (free < (this.#free[first] ?? 0)) first = place;
    const begin = Math.max(now, this.#free[first] ?? 0);
    const end = begin + this.#latency();
    this.#free[first] = end;
    return { tag: "accepted", milliseconds: end - now, waitedMilliseconds: begin - now };
  }

  ideal(from: number, to: number, slots: number): number {
    return ((to - from) * Math.min(this.#free.length, slots)) / this.#mean;
  }

  idealInFlight(): number {
    return this.#free.length;
  }
}

/** A queue that lets requests pass at even distances, as nginx does with `limit_req`. It refuses those that find it full. */
export class LeakyBucket implements Service {
  readonly #perSecond: number;
  readonly #queue: number;
  readonly #latency: Latency;
  readonly #mean: number;
  #nextAt = 0;

  constructor(perSecond: number, queue: number, latency: Latency, mean: number) {
    this.#perSecond = perSecond;
    this.#queue = queue;
    this.#latency = latency;
    this.#mean = mean;
  }

  request(now: number): Answer {
    const at = Math.max(now, this.#nextAt);
    if (at - now > (1_000 * this.#queue) / this.#perSecond) return { tag: "refused" };
    this.#nextAt = at + 1_000 / this.#perSecond;
    return { tag: "accepted", milliseconds: at - now + this.#latency() };
  }

  ideal(from: number, to: number, slots: number): number {
    return (Math.min(this.#perSecond, (1_000 * slots) / this.#mean) * (to - from)) / 1_000;
  }

  idealInFlight(): number {
    return (this.#perSecond * this.#mean) / 1_000;
  }
}

/** Accepts everything. */
export class HealthyService implements Service {
  readonly #latency: Latency;
  readonly #mean: number;

  constructor(latency: Latency, mean: number) {
    this.#latency = latency;
    this.#mean = mean;
  }

  request(): Answer {
    return { tag: "accepted", milliseconds: this.#latency() };
  }

  ideal(from: number, to: number, slots: number): number {
    return ((to - from) * slots) / this.#mean;
  }

  idealInFlight(): number {
    return Number.POSITIVE_INFINITY;
  }
}

/** A token bucket that another tenant uses, too, for some time: at even distances. */
export class WithTenant implements Service {
  readonly #bucket: TokenBucket;
  readonly #perSecond: number;
  readonly #taken: number;
  readonly #time: readonly [from: number, to: number];
  readonly #mean: number;
  #tenantAt: number;

  constructor(
    perSecond: number,
    burst: number,
    taken: number,
    time: readonly [from: number, to: number],
    latency: Latency,
    mean: number,
  ) {
    this.#bucket = new TokenBucket(steps(perSecond), burst, latency, mean);
    this.#perSecond = perSecond;
    this.#taken = taken;
    this.#time = time;
    this.#mean = mean;
    this.#tenantAt = time[0];
  }

  request(now: number): Answer {
    for (const end = Math.min(now, this.#time[1]); this.#tenantAt < end; this.#tenantAt += 1_000 / this.#taken) {
      this.#bucket.request(this.#tenantAt);
    }
    return this.#bucket.request(now);
  }

  ideal(from: number, to: number, slots: number): number {
    return integral((now) => Math.min(this.#left(now), (1_000 * slots) / this.#mean), from, to);
  }

  idealInFlight(now: number): number {
    return (this.#left(now) * this.#mean) / 1_000;
  }

  #left(now: number): number {
    return now >= this.#time[0] && now < this.#time[1] ? this.#perSecond - this.#taken : this.#perSecond;
  }
}
