import { channel } from "node:diagnostics_channel";
import { advertisedLimits } from "./retry-after.ts";

/** The name of the diagnostics channel on which `checkResponse` publishes the rate that a response leaves. */
export const ADVERTISED_CHANNEL = "sluice.advertised";

/**
 * What is left may be used within this time, even if the limit is reset much later. So a quota for a day does not slow down
 * a run that needs a small part of it, and the fleet becomes slower as the quota runs out.
 */
const LONGEST_MILLISECONDS = 60_000;

const advertised = channel(ADVERTISED_CHANNEL);

/**
 * The starts per second that the headers of a response leave: the requests that remain, divided by the time until the limit is
 * reset. If there are several limits, the lowest rate counts. `undefined` if no header says so.
 *
 * @param now The time, in milliseconds since 1970.
 * @example `advertisedPerSecond(new Headers({ ratelimit: '"default";r=50;t=10' }), Date.now())` is `5`.
 */
export function advertisedPerSecond(headers: Headers, now: number): number | undefined {
  const rates = advertisedLimits(headers, now).map(
    // When nothing remains, one request after the reset is allowed.
    ({ remaining, milliseconds }) => (1_000 * Math.max(1, remaining)) / Math.min(milliseconds, LONGEST_MILLISECONDS),
  );
  return rates.length === 0 ? undefined : Math.min(...rates);
}

/** Publishes the rate that a response leaves. It does nothing if there is no subscriber. */
export function publishAdvertised(headers: Headers): void {
  if (!advertised.hasSubscribers) return;
  const perSecond = advertisedPerSecond(headers, Date.now());
  if (perSecond !== undefined) advertised.publish(perSecond);
}
