/** The limit of the whole fleet. `undefined` means that there is no limit of this kind. */
export interface FleetLimit {
  /** The most attempts in flight: a whole number of at least 1. */
  readonly slots?: number | undefined;
  /** The most attempts that start in a second. */
  readonly perSecond?: number | undefined;
  /** The part of the limit that the service is known to bear, while a probe is under way. Environments return to it by themselves. */
  readonly safePart?: number | undefined;
  /** No attempt starts before this time, in milliseconds since 1970: the service asked for it. */
  readonly waitUntil?: number | undefined;
  /** The attempts that the service is expected to accept in a second at this limit. */
  readonly acceptedPerSecond?: number | undefined;
  /** Why the limit is as low as it is, for the display. `undefined`: nothing limits the fleet but `concurrency`. */
  readonly reason?: LimitReason | undefined;
}

/**
 * - `throttled`: the service refused attempts.
 * - `advertised`: the service's headers say what is left.
 * - `latency`: the service becomes slow (`adaptive: { latency: true }`).
 * - `set`: `rateLimit` or `sluice limit`.
 */
export type LimitReason = "throttled" | "advertised" | "latency" | "set";

/** The part of the fleet's limit that one environment may use. */
export interface Share {
  readonly slots: number;
  /** How fast attempts may start. `undefined`: no rate is in force. */
  readonly perSecond?: number | undefined;
  /**
   * The starts that `rateLimit` has given to this member so far. Each start uses one; those that are unused when the lease
   * ends are lost. `undefined`: no `rateLimit` is in force.
   */
  readonly tokens?: number | undefined;
}

/** The limits that people set, for the whole fleet. The smallest of all limits wins. */
export interface SetLimit {
  /** At most the deployed `concurrency`. */
  readonly concurrency?: number | undefined;
  /** The most starts in a second, as tokens: invariant 3 holds for this limit. */
  readonly perSecond?: number | undefined;
  /** The most tokens that wait for use while few attempts start. Default: 1. */
  readonly burst?: number | undefined;
}

/** A set rate is kept by its tokens. Starts are spaced a little closer, so that no token is lost. */
export const CLOSER_THAN_SET = 1.1;

/** The rate in force as people know it: a set rate is the one that was set, and not its closer spacing. */
export const rateInForce = ({ perSecond, reason }: FleetLimit): number | undefined =>
  perSecond !== undefined && reason === "set" ? perSecond / CLOSER_THAN_SET : perSecond;
