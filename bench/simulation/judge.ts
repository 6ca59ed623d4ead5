import { sum } from "./metrics.ts";
import { FLEETS, LATENCIES, MEAN_MILLISECONDS, type NamedSetting, SECONDS, settingOf } from "./settings.ts";
import { type Fleet, type Outcome, type SideName, simulate } from "./simulate.ts";

/** The first seconds of a run on an unknown service are reported on their own. */
const UNKNOWN_SECONDS = 10;

/** What one simulation has shown. Parts are from 0 to 1. */
export interface Figures {
  readonly goodput: number;
  readonly refused: number;
  /** Refused attempts in the first 10 s, as a multiple of the fleet's slots. */
  readonly refusedFirst: number;
  readonly environments: number;
  readonly deaths: number;
  readonly timeouts: number;
  /** The mean latency, as a multiple of the service's own. */
  readonly latency: number;
  readonly mostReceives: number;
  /** Seconds after a step until the service refuses less than 5 %, or until 90 % of its new limit is reached. */
  readonly downSeconds: number | undefined;
  readonly upSeconds: number | undefined;
}

export interface Row {
  readonly setting: string;
  readonly title: string;
  readonly side: SideName;
  readonly fleet: string;
  readonly seeds: number;
  /** The median of the seeds for goodput, environments, latency and seconds; the worst for the others. */
  readonly figures: Figures;
  /** The most environments that the marks allow, on average. */
  readonly mostEnvironments: number;
  readonly missed: readonly string[];
}

export const fleetName = ({ environments, slots }: Fleet): string => `${environments} × ${slots}`;

/** Simulates a setting on one fleet: the latencies take turns with the seeds. */
export function measureRow(setting: NamedSetting, side: SideName, fleet: Fleet, seeds: number): Row {
  const all: Figures[] = [];
  let mostEnvironments = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const latency = LATENCIES[seed % LATENCIES.length] ?? "constant";
    const outcome = simulate(settingOf(setting, fleet, latency), side, seed);
    const fixed = setting.marks.versusFixed ? simulate(settingOf(setting, fleet, latency), "fixed", seed) : undefined;
    all.push(figuresOf(outcome, fleet, fixed));
    mostEnvironments = environmentsAllowed(outcome, fleet);
  }
  const figures = summary(all);
  const row = {
    setting: setting.name,
    title: setting.title,
    side,
    fleet: fleetName(fleet),
    seeds,
    figures,
    mostEnvironments,
  };
  return { ...row, missed: side === "sluice" ? missedMarks(setting, figures, mostEnvironments) : [] };
}

export const fleetsOf = (setting: NamedSetting): readonly Fleet[] => setting.fleets ?? FLEETS;

function figuresOf({ metrics, service, mostReceives }: Outcome, fleet: Fleet, fixed: Outcome | undefined): Figures {
  const slots = fleet.environments * fleet.slots;
  const accepted = sum(metrics.acceptedBySecond, 0, SECONDS);
  const acceptedLater = sum(metrics.acceptedBySecond, UNKNOWN_SECONDS, SECONDS);
  const refusedLater = sum(metrics.refusedBySecond, UNKNOWN_SECONDS, SECONDS);
  const ideal =
    fixed === undefined ? service.ideal(0, SECONDS * 1_000, slots) : sum(fixed.metrics.acceptedBySecond, 0, SECONDS);
  return {
    goodput: accepted / ideal,
    refused: refusedLater / Math.max(1, acceptedLater + refusedLater),
    refusedFirst: sum(metrics.refusedBySecond, 0, UNKNOWN_SECONDS) / slots,
    environments: sum(metrics.billedBySecond, 0, SECONDS) / SECONDS,
    deaths: metrics.deaths,
    timeouts: metrics.timeouts,
    latency: sum(metrics.latencyBySecond, UNKNOWN_SECONDS, SECONDS) / Math.max(1, acceptedLater) / MEAN_MILLISECONDS,
    mostReceives,
    ...reactionTimes({ metrics, service }, slots),
  };
}

/** How fast the fleet follows the largest steps of the limit. */
function reactionTimes({ metrics, service }: Pick<Outcome, "metrics" | "service">, slots: number) {
  const idealAt = (second: number) => service.ideal(second * 1_000, (second + 1) * 1_000, slots);
  let downSeconds: number | undefined;
  let upSeconds: number | undefined;
  for (let second = 1; second < SECONDS; second++) {
    if (idealAt(second) < 0.6 * idealAt(second - 1)) {
      downSeconds = firstSecond(second, (from) => {
        const refused = sum(metrics.refusedBySecond, from, from + 2);
        return refused < 0.05 * (refused + sum(metrics.acceptedBySecond, from, from + 2));
      });
    }
    if (idealAt(second) > 1.6 * idealAt(second - 1)) {
      upSeconds = firstSecond(second, (from) => sum(metrics.acceptedBySecond, from, from + 2) >= 1.8 * idealAt(from));
    }
  }
  return { downSeconds, upSeconds };
}

function firstSecond(step: number, isReached: (second: number) => boolean): number {
  for (let second = step; second < SECONDS - 1; second++) if (isReached(second)) return second - step;
  return SECONDS;
}

/** ⌈limit ÷ slots⌉ + 1 environments, on average over the time. */
export function environmentsAllowed({ service }: Outcome, fleet: Fleet): number {
  let allowed = 0;
  for (let second = 0; second < SECONDS; second++) {
    const needed = Math.ceil(service.idealInFlight(second * 1_000) / fleet.slots - 1e-9);
    allowed += Math.min(fleet.environments, needed + 1);
  }
  return allowed / SECONDS;
}

function summary(all: readonly Figures[]): Figures {
  const of = (figure: (each: Figures) => number) => all.map(figure).sort((a, b) => a - b);
  const median = (values: readonly number[]) => values[Math.floor(values.length / 2)] ?? Number.NaN;
  const worst = (values: readonly number[]) => values.at(-1) ?? Number.NaN;
  const medianOf = (figure: (each: Figures) => number | undefined) => {
    const known = all.map(figure).filter((value) => value !== undefined);
    return known.length === 0 ? undefined : median(known.sort((a, b) => a - b));
  };
  return {
    goodput: median(of(({ goodput }) => goodput)),
    refused: worst(of(({ refused }) => refused)),
    refusedFirst: worst(of(({ refusedFirst }) => refusedFirst)),
    environments: median(of(({ environments }) => environments)),
    deaths: worst(of(({ deaths }) => deaths)),
    timeouts: worst(of(({ timeouts }) => timeouts)),
    latency: median(of(({ latency }) => latency)),
    mostReceives: worst(of(({ mostReceives }) => mostReceives)),
    downSeconds: medianOf(({ downSeconds }) => downSeconds),
    upSeconds: medianOf(({ upSeconds }) => upSeconds),
  };
}

function missedMarks({ marks }: NamedSetting, figures: Figures, mostEnvironments: number): readonly string[] {
  const checks: readonly (readonly [name: string, isMissed: boolean])[] = [
    ["goodput", marks.goodput !== undefined && figures.goodput < marks.goodput],
    ["refused", marks.refused !== undefined && figures.refused > marks.refused],
    ["first 10 s", figures.refusedFirst > 2],
    ["step down", marks.downSeconds !== undefined && (figures.downSeconds ?? 0) > marks.downSeconds],
    ["step up", marks.upSeconds !== undefined && (figures.upSeconds ?? 0) > marks.upSeconds],
    ["latency", marks.latency !== undefined && (figures.latency > marks.latency || figures.timeouts > 0)],
    ["environments", marks.environments === true && figures.environments > mostEnvironments],
    ["deaths", figures.deaths > 0],
  ];
  return checks.filter(([, isMissed]) => isMissed).map(([name]) => name);
}
