import type { FleetLimit, LimitReason, SetLimit } from "../../shared/limits/fleet-limit.ts";

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

export const setLimitText = ({ concurrency, perSecond }: SetLimit): string => limitText(concurrency, perSecond);

/**
 * Why a fleet does not use all its slots: "held at 19.6/s: the service throttles". `undefined` if nothing holds it.
 *
 * Where a rate is in force, it decides, and the slots only follow from it.
 *
 * @param most The slots of the fleet. As many as these are no limit.
 */
export function heldText(
  { slots = Number.POSITIVE_INFINITY, perSecond, reason }: FleetLimit,
  most?: number,
): string | undefined {
  const holdsSlots = perSecond === undefined && slots < (most ?? Number.POSITIVE_INFINITY);
  const limit = limitText(holdsSlots ? slots : undefined, perSecond);
  if (limit === "") return undefined;
  return `held at ${limit}${reason === undefined ? "" : `: ${REASONS[reason]}`}`;
}
