import { type ControllerState, FIRST_STATE, isLimiting, upgrade } from "./controller-state.ts";
import { CLOSER_THAN_SET, type FleetLimit, type LimitReason, rateInForce, type SetLimit } from "./fleet-limit.ts";
import type { Report } from "./report.ts";
import { search } from "./search.ts";
import { slowService } from "./slow-service.ts";

export type { ControllerState } from "./controller-state.ts";

/** What the controller knows of the fleet and of the options. All of it is constant during a run. */
export interface ControllerOptions {
  /** The slots of the whole fleet. */
  readonly concurrency: number;
  /** The slots of an environment. */
  readonly tasksPerEnvironment: number;
  /** `adaptive: false` turns the search off: only the limits that people set are in force. */
  readonly adaptive: boolean;
  /** `adaptive: { latency: true }`: a service that becomes slow lowers the limit, too. */
  readonly latency: boolean;
}

/** What the fleet reported in an epoch. */
export interface EpochTotals {
  /** The number of the epoch. */
  readonly epoch: number;
  readonly counted: Report;
  /** When the epoch began and ended, in milliseconds since 1970. The clocks of two environments may differ. */
  readonly from: number;
  readonly to: number;
  /** The epoch that all members with a share had seen when they sent their latest reports. `undefined`: no member has a share. */
  readonly seenEpoch?: number | undefined;
  /** The epoch whose shares all of them had during the whole time of their latest reports. */
  readonly triedEpoch?: number | undefined;
  /** The same for the holders of most slots. While a fleet starts, a member with a share joins every second. */
  readonly mostTriedEpoch?: number | undefined;
  /** The members that the row names. */
  readonly members: number;
  /** The members that may start attempts. */
  readonly holders: number;
  /** The attempts in flight that the service accepted when it refused another one. `undefined`: it has refused none. */
  readonly found?: number | undefined;
  /** Until when the service asked the whole fleet to wait. */
  readonly waitUntil?: number | undefined;
  /** The starts per second that the service's headers leave to the fleet. */
  readonly advertised?: number | undefined;
}

export interface Decision {
  readonly state: ControllerState;
  readonly limit: FleetLimit;
}

/** How long headers are believed after the latest response that had them. */
const ADVERTISED_MILLISECONDS = 10_000;

/**
 * An epoch's totals in, the fleet's next limit out. Pure.
 *
 * @param before `undefined`: nothing is known of the service.
 */
export function nextLimit(
  before: ControllerState | undefined,
  totals: EpochTotals,
  set: SetLimit,
  options: ControllerOptions,
): Decision {
  let state = before === undefined ? FIRST_STATE : upgrade(before);
  if (options.adaptive) {
    const { advertised, to } = totals;
    state = search(state, totals, options);
    if (advertised !== undefined) {
      state = { ...state, advertised: { perSecond: advertised, until: to + ADVERTISED_MILLISECONDS } };
    }
    if (options.latency) state = { ...state, slow: slowService(state.slow, totals, options.concurrency) };
  }
  const [perSecond, rateReason] = smallest(rateLimits(state, totals, set, options));
  state = { ...state, room: perSecond === undefined ? options.concurrency : roomFor(state, perSecond, options) };
  const [slots, slotReason] = smallest(slotLimits(state, set, options));
  const inForce = perSecond === undefined ? slots : Math.min(state.room, slots ?? state.room);
  const limit: FleetLimit = {
    slots: inForce === undefined ? undefined : Math.max(1, Math.min(options.concurrency, Math.round(inForce))),
    perSecond,
    acceptedPerSecond: expected(state, slots, rateInForce({ perSecond, reason: rateReason })),
    safePart:
      state.phase === "probe" || state.phase === "search" ? Math.min(1, state.ceiling / state.level) : undefined,
    waitUntil: state.waitUntil > totals.to ? state.waitUntil : undefined,
    reason: rateReason ?? slotReason,
  };
  return { state, limit };
}

type Candidate = readonly [limit: number | undefined, reason: LimitReason | undefined];

function slotLimits(
  state: ControllerState,
  { concurrency }: SetLimit,
  { adaptive, latency }: ControllerOptions,
): readonly Candidate[] {
  const isFound = adaptive && isLimiting(state) && state.kind === "slots";
  return [
    [isFound ? state.level : undefined, "throttled"],
    [adaptive && latency ? state.slow?.level : undefined, "latency"],
    [concurrency, "set"],
  ];
}

function rateLimits(
  state: ControllerState,
  { to }: EpochTotals,
  { perSecond }: SetLimit,
  { adaptive }: ControllerOptions,
): readonly Candidate[] {
  const isFound = adaptive && isLimiting(state) && state.kind === "rate";
  const isAdvertised = adaptive && state.advertised !== undefined && to < state.advertised.until;
  return [
    [isFound ? state.level : undefined, "throttled"],
    [isAdvertised ? state.advertised?.perSecond : undefined, "advertised"],
    [perSecond === undefined ? undefined : CLOSER_THAN_SET * perSecond, "set"],
  ];
}

function smallest(candidates: readonly Candidate[]): Candidate {
  let least: Candidate = [undefined, undefined];
  for (const [limit, reason] of candidates) {
    if (limit !== undefined && (least[0] === undefined || limit < least[0])) least = [limit, reason];
  }
  return least;
}

/** The attempts that the fleet will make in a second. `undefined` while the search may raise the limit much. */
function expected(
  { phase, latency }: ControllerState,
  slots: number | undefined,
  perSecond: number | undefined,
): number | undefined {
  if (phase === "search" || phase === "measure") return undefined;
  const bySlots = slots === undefined || latency === 0 ? undefined : (1_000 * slots) / latency;
  return smallest([
    [bySlots, undefined],
    [perSecond, undefined],
  ])[0];
}

/**
 * The slots that a rate needs, with room for attempts that take longer than others, in whole environments. It follows the
 * mean duration slowly, because each change moves an environment.
 */
function roomFor(
  { latency, room }: ControllerState,
  perSecond: number,
  { concurrency, tasksPerEnvironment }: ControllerOptions,
): number {
  if (latency === 0) return concurrency;
  const mean = (perSecond * latency) / 1_000;
  const inEnvironments = (slots: number) =>
    Math.min(concurrency, Math.max(1, Math.ceil(slots / tasksPerEnvironment)) * tasksPerEnvironment);
  const needed = mean + Math.sqrt(mean);
  if (inEnvironments(needed) > room) return inEnvironments(needed);
  return Math.min(room, inEnvironments(1.05 * needed));
}
