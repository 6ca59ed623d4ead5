import type { ControllerState } from "./controller.ts";
import type { FleetLimit, SetLimit, Share } from "./fleet-limit.ts";
import type { Report } from "./report.ts";

/**
 * What the limit row of a workflow holds. `ledger/limit-row.ts` reads and writes the row; `advance` computes the next
 * epoch. Times are in milliseconds since 1970.
 */
export interface LimitState {
  /** Counts the epochs. Each new one is written on the condition that this number is still the one that was read. */
  readonly epoch: number;
  /** When the epoch began, by the clock of the environment that wrote it. */
  readonly at: number;
  /** The first environment that reports at or after this time writes the next epoch. */
  readonly dueAt: number;
  /** The sum of all reports ever. */
  readonly counted: Report;
  /** `counted`, as the environment that began the epoch read it. The difference is what the epoch has counted so far. */
  readonly countedBefore: Report;
  /** `undefined` until the first epoch has ended. */
  readonly controller: ControllerState | undefined;
  /** The limit in force. */
  readonly limit: FleetLimit;
  /** The shares that the latest epochs gave to each member, by its id. Empty while no limit is in force. */
  readonly shares: Readonly<Record<string, readonly GivenShare[]>>;
  /** The environments, by their ids. Each writes its own note only. */
  readonly members: Readonly<Record<string, MemberNote>>;
  /** Tokens of `rateLimit` that no member has been given yet: a fraction, or up to `burst` of them. */
  readonly tokensLeft: number;
  /** What `sluice limit` has set. It stays until `--clear`. `advance` combines it with the deployed options. */
  readonly set: SetLimit;
}

/** A share, and the epoch that gave it. The last one of a member's list is in force. */
export interface GivenShare extends Share {
  readonly epoch: number;
}

/** What an environment says of itself with each report. The row holds the latest note only. */
export interface MemberNote {
  /** Grows by 1 with each report. Others see by this number that the member lives. */
  readonly renewal: number;
  /** The epoch that the environment knew when it sent the report. It has used no share of an epoch before this one since. */
  readonly epoch: number;
  /** The epoch whose share the environment had during the whole time of the report. */
  readonly tried: number;
  /** How many slots the environment can use now: at most `tasksPerEnvironment`, fewer if it has few messages. */
  readonly wanted: number;
  /** The invocation ends: the environment starts nothing more, and uses at most `wanted` slots, for the attempts in flight. */
  readonly isLeaving?: true | undefined;
  /** The invocation ends soon: another member may take the share, and the environment uses it until then. */
  readonly isEnding?: true | undefined;
  /** The attempts in flight, if these are more than the share: others cannot use these slots yet. */
  readonly inFlight?: number | undefined;
  /** The attempts in flight that the service accepted from this environment when it refused another one. */
  readonly found?: number | undefined;
  /** Until when the service asked this environment to wait. */
  readonly waitUntil?: number | undefined;
  /** Whether the service asked several attempts in a row to wait. What it tells a single attempt may concern that item only. */
  readonly isWaitSure?: true | undefined;
  /** The starts per second that the service's headers leave to the fleet, if its latest response had such headers. */
  readonly advertised?: number | undefined;
}
