import { type FleetLimit, type LimitReason, rateInForce } from "../limits/fleet-limit.ts";
import type { LimitState } from "../limits/limit-state.ts";

const REASONS: Readonly<Record<LimitReason, string>> = {
  throttled: "the service throttles",
  advertised: "the service's headers leave no more",
  latency: "the service becomes slow",
  set: "set by hand or by the workflow",
};

/** A rate for people: "19.6/s", "120/s", "0.05/s". */
export function rateText(perSecond: number): string {
  const digits = perSecond >= 100 ? 0 : perSecond >= 1 ? 1 : 3;
  return `${Number(perSecond.toFixed(digits))}/s`;
}

/** Limits for people: "20 in flight, 100/s". Empty if there are none. */
export const limitText = (slots: number | undefined, perSecond: number | undefined): string =>
  [
    ...(slots === undefined ? [] : [`${slots} in flight`]),
    ...(perSecond === undefined ? [] : [rateText(perSecond)]),
  ].join(", ");

/**
 * Why a fleet does not use all its slots: "held at 19.6/s: the service throttles". `undefined` if nothing holds it.
 *
 * Where a rate is in force, it decides, and the slots only follow from it.
 *
 * @param most The slots of the fleet. As many as these are no limit.
 */
export function heldText(inForce: FleetLimit, most?: number): string | undefined {
  const { slots = Number.POSITIVE_INFINITY, reason } = inForce;
  const perSecond = rateInForce(inForce);
  const holdsSlots = perSecond === undefined && slots < (most ?? Number.POSITIVE_INFINITY);
  const limit = limitText(holdsSlots ? slots : undefined, perSecond);
  if (limit === "") return undefined;
  return `held at ${limit}${reason === undefined ? "" : `: ${REASONS[reason]}`}`;
}

/** A fleet that works begins an epoch each second. What is in force for longer was left by a fleet that has stopped. */
const STOPPED_MILLISECONDS = 10_000;

/** Whether no environment has begun an epoch for a while, so that the limit was left by a fleet that has stopped. */
export const hasStopped = ({ epoch, at }: Pick<LimitState, "epoch" | "at">, now: number): boolean =>
  epoch > 0 && now - at >= STOPPED_MILLISECONDS;

/**
 * Why a fleet does not use all its slots now. `undefined` if nothing holds it, or if the fleet has stopped: the limit that it
 * left may have been cleared since.
 */
export const heldNow = (state: Pick<LimitState, "limit" | "epoch" | "at">, most?: number, now = Date.now()) =>
  hasStopped(state, now) ? undefined : heldText(state.limit, most);
