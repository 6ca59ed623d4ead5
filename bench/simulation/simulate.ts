import { EMPTY_STATE } from "../../shared/limits/advance.ts";
import type { LimitState } from "../../shared/limits/limit-state.ts";
import { Events } from "./events.ts";
import { SimulatedLimitRow } from "./limit-row.ts";
import { Mapping } from "./mapping.ts";
import { Metrics } from "./metrics.ts";
import { SimulatedQueue } from "./queue.ts";
import { Random } from "./random.ts";
import type { Service } from "./services.ts";
import { AimdSide } from "./sides/aimd.ts";
import { FixedSide } from "./sides/fixed.ts";
import { SdkAdaptiveSide } from "./sides/sdk-adaptive.ts";
import { SluiceSide } from "./sides/sluice.ts";

export type SideName = "fixed" | "aimd" | "sdk" | "sluice";

export interface Fleet {
  readonly environments: number;
  readonly slots: number;
}

export interface Setting {
  readonly service: (random: Random, events: Events) => Service;
  readonly fleet: Fleet;
  readonly seconds: number;
  /** The items of the source. Default: never fewer than can be done. */
  readonly items?: number;
  readonly backlog?: number;
  readonly latency?: boolean;
  readonly rowMilliseconds?: readonly [number, number];
  readonly clockSkewMilliseconds?: number;
  /** Environments that die and freeze, each on average once in this many seconds of the whole fleet. */
  readonly accidentSeconds?: number | undefined;
  /** What an earlier run has left. */
  readonly remembered?: LimitState;
  readonly onSecond?: (second: number, state: LimitState, queue: SimulatedQueue) => void;
}

export interface Outcome {
  readonly metrics: Metrics;
  readonly service: Service;
  readonly state: LimitState;
  readonly mostReceives: number;
  readonly settled: number;
  readonly rowWrites: number;
}

export function simulate(setting: Setting, side: SideName, seed: number): Outcome {
  const events = new Events();
  const random = new Random(seed);
  const { fleet, seconds } = setting;
  const concurrency = fleet.environments * fleet.slots;
  const service = setting.service(random, events);
  const metrics = new Metrics();
  const backlog = setting.backlog ?? Math.max(10_000, 20 * concurrency);
  const queue = new SimulatedQueue(events, random, setting.items ?? Number.POSITIVE_INFINITY, backlog);
  const row = new SimulatedLimitRow(setting.remembered ?? EMPTY_STATE);
  const sluice = {
    concurrency,
    tasksPerEnvironment: fleet.slots,
    adaptive: true,
    latency: setting.latency ?? false,
    rowMilliseconds: setting.rowMilliseconds ?? ([5, 100] as const),
  };
  const mapping = new Mapping(
    {
      events,
      random,
      queue,
      service,
      metrics,
      slots: fleet.slots,
      concurrency,
      side: (context) => {
        if (side === "fixed") return new FixedSide(context);
        if (side === "aimd") return new AimdSide(context);
        if (side === "sdk") return new SdkAdaptiveSide(context);
        return new SluiceSide(row, sluice, context);
      },
    },
    fleet.environments,
    setting.clockSkewMilliseconds ?? 200,
  );
  const { accidentSeconds } = setting;
  if (accidentSeconds !== undefined) {
    const next = () => {
      const working = mapping.environments.filter((environment) => !environment.isIdle && !environment.isReserved);
      const victim = working[random.below(Math.max(1, working.length))];
      if (random.next() < 0.5) victim?.kill();
      else victim?.freeze(random.between(1_000, 10_000));
      events.after(random.exponential(1_000 * accidentSeconds), next);
    };
    events.after(random.exponential(1_000 * accidentSeconds), next);
  }
  for (let second = 1; second <= seconds; second++) {
    events.runUntil(second * 1_000);
    setting.onSecond?.(second, row.state, queue);
    if (queue.depth === 0) break;
  }
  for (const environment of mapping.environments)
    if (!environment.isIdle && !environment.isReserved) metrics.billed(environment.begunAt, events.now);
  return {
    metrics,
    service,
    state: row.state,
    mostReceives: queue.mostReceives,
    settled: queue.settled,
    rowWrites: row.writes,
  };
}
