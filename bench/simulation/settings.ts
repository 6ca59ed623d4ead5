import type { Events } from "./events.ts";
import type { Random } from "./random.ts";
import {
  FixedWindow,
  HealthyService,
  type Latency,
  LeakyBucket,
  latencies,
  ParallelLimit,
  QueueingServer,
  type Service,
  steps,
  TokenBucket,
  WithTenant,
} from "./services.ts";
import type { Fleet, Setting, SideName } from "./simulate.ts";

/** The mean time that a service needs for a request. */
export const MEAN_MILLISECONDS = 300;

export const SECONDS = 300;

export const FLEETS: readonly Fleet[] = [
  { environments: 2, slots: 50 },
  { environments: 10, slots: 10 },
  { environments: 100, slots: 10 },
];

export type LatencyName = "constant" | "exponential" | "lognormal";

export const LATENCIES: readonly LatencyName[] = ["constant", "exponential", "lognormal"];

/** What a setting must reach. `undefined`: it is shown, but not judged. */
export interface Marks {
  /** The least goodput, as a part of the oracle's. */
  readonly goodput?: number;
  /** The most refused attempts after the first 10 s, as a part of all. */
  readonly refused?: number;
  /** The most seconds after a step down until less than 5 % is refused. */
  readonly downSeconds?: number;
  /** The most seconds after a step up until 90 % of the new limit is reached. */
  readonly upSeconds?: number;
  /** The largest mean latency, as a multiple of the service's own. */
  readonly latency?: number;
  /** Goodput is compared with fixed slots instead of the oracle. */
  readonly versusFixed?: boolean;
  readonly environments?: boolean;
}

export interface NamedSetting {
  readonly name: string;
  readonly title: string;
  readonly service: (latency: Latency) => Service;
  readonly marks: Marks;
  /** The sides that are compared. Default: Sluice only. */
  readonly sides?: readonly SideName[];
  readonly with?: Partial<Setting>;
  readonly fleets?: readonly Fleet[];
}

const ALL_SIDES: readonly SideName[] = ["fixed", "aimd", "sdk", "sluice"];
const LARGE: Marks = { goodput: 0.95, refused: 0.02, environments: true };
const SMALL: Marks = { goodput: 0.9, refused: 0.05, environments: true };
const mean = MEAN_MILLISECONDS;

export const SETTINGS: readonly NamedSetting[] = [
  {
    name: "bucket",
    title: "token bucket, 100/s, burst 10",
    service: (latency) => new TokenBucket(steps(100), 10, latency, mean),
    marks: LARGE,
    sides: ALL_SIDES,
  },
  {
    name: "parallel",
    title: "12 in parallel",
    service: (latency) => new ParallelLimit(steps(12), latency, mean),
    marks: LARGE,
    sides: ALL_SIDES,
  },
  {
    name: "window",
    title: "600 a minute, with `Retry-After`",
    service: (latency) => new FixedWindow(600, 60_000, latency, mean),
    marks: LARGE,
  },
  {
    name: "rate-steps",
    title: "token bucket, 100 → 20 → 200/s",
    service: (latency) => new TokenBucket(steps(100, [100_000, 20], [200_000, 200]), 10, latency, mean),
    marks: { ...LARGE, downSeconds: 5, upSeconds: 15 },
    sides: ALL_SIDES,
  },
  {
    name: "parallel-steps",
    title: "30 → 6 → 40 in parallel",
    service: (latency) => new ParallelLimit(steps(30, [100_000, 6], [200_000, 40]), latency, mean),
    marks: { goodput: 0.88, refused: 0.06, downSeconds: 5, upSeconds: 15, environments: true },
  },
  {
    name: "slow-bucket",
    title: "token bucket, 5/s, burst 5",
    service: (latency) => new TokenBucket(steps(5), 5, latency, mean),
    marks: SMALL,
  },
  {
    name: "few-parallel",
    title: "3 in parallel",
    service: (latency) => new ParallelLimit(steps(3), latency, mean),
    marks: SMALL,
  },
  {
    name: "strict",
    title: "token bucket, 100/s, burst 1",
    service: (latency) => new TokenBucket(steps(100), 1, latency, mean),
    marks: {},
  },
  {
    name: "tenant",
    title: "100/s, of which another tenant takes half from 100 s to 200 s",
    service: (latency) => new WithTenant(100, 10, 50, [100_000, 200_000], latency, mean),
    marks: { goodput: 0.9, refused: 0.04 },
  },
  {
    name: "queueing",
    title: "queueing server with 20 workers, `latency: true`",
    service: (latency) => new QueueingServer(20, latency, mean),
    marks: { goodput: 0.95, refused: 0, latency: 2 },
    with: { latency: true },
  },
  {
    name: "healthy",
    title: "healthy service",
    service: (latency) => new HealthyService(latency, mean),
    marks: { goodput: 0.995, refused: 0, versusFixed: true },
    fleets: FLEETS.slice(0, 2),
  },
  {
    name: "accidents",
    title: "token bucket, 100/s, burst 10; every 20 s an environment dies or freezes",
    service: (latency) => new TokenBucket(steps(100), 10, latency, mean),
    marks: {},
    with: { accidentSeconds: 20 },
  },
  // Services that the controller was not developed with.
  {
    name: "other-bucket",
    title: "token bucket, 47/s, burst 60, with `Retry-After: 1`",
    service: (latency) => new TokenBucket(steps(47), 60, latency, mean, 1_000),
    marks: {},
  },
  {
    name: "other-window",
    title: "90 in 3 s, with `Retry-After`",
    service: (latency) => new FixedWindow(90, 3_000, latency, mean),
    marks: {},
  },
  {
    name: "other-parallel",
    title: "17 in parallel, then 9",
    service: (latency) => new ParallelLimit(steps(17, [150_000, 9]), latency, mean),
    marks: {},
  },
  {
    name: "other-steps",
    title: "token bucket, 35 → 140 → 70/s, burst 20",
    service: (latency) => new TokenBucket(steps(35, [80_000, 140], [190_000, 70]), 20, latency, mean),
    marks: {},
  },
  {
    name: "other-queue",
    title: "60/s at even distances, with a queue of 12",
    service: (latency) => new LeakyBucket(60, 12, latency, mean),
    marks: {},
  },
  {
    name: "other-queueing",
    title: "queueing server with 7 workers, `latency: true`",
    service: (latency) => new QueueingServer(7, latency, mean),
    marks: {},
    with: { latency: true },
  },
  {
    name: "other-healthy",
    title: "healthy service, `latency: true`",
    service: (latency) => new HealthyService(latency, mean),
    marks: { versusFixed: true },
    with: { latency: true },
    fleets: FLEETS.slice(0, 2),
  },
];

/** A setting on one fleet with one latency. */
export const settingOf = (setting: NamedSetting, fleet: Fleet, latency: LatencyName): Setting => ({
  ...setting.with,
  fleet,
  seconds: SECONDS,
  service: (random: Random, _events: Events) => setting.service(latencies(random, mean)[latency]),
});
