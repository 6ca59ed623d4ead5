import type { AdvanceOptions } from "../../limits/advance.ts";
import type { FleetLimit } from "../../limits/fleet-limit.ts";
import type { LimitState } from "../../limits/limit-state.ts";

/** Whether a limit is in force besides `concurrency`. */
export const isLimited = ({ slots, perSecond }: FleetLimit): boolean => slots !== undefined || perSecond !== undefined;

/**
 * The limit of the latest epoch, together with the limits that people have set since: these are in force at once, and the next
 * epoch divides them.
 */
export function limitInForce(
  { limit, set }: Pick<LimitState, "limit" | "set">,
  { concurrency, set: deployed }: Pick<AdvanceOptions, "concurrency" | "set">,
): FleetLimit {
  const slots = least(limit.slots, set.concurrency, deployed?.concurrency);
  return {
    ...limit,
    // As many slots as the fleet has are no limit.
    slots: (slots ?? concurrency) < concurrency ? slots : undefined,
    perSecond: least(limit.perSecond, set.perSecond, deployed?.perSecond),
  };
}

function least(...values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
