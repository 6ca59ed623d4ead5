import {
  type ControllerOptions,
  type ControllerState,
  type EpochTotals,
  nextLimit,
} from "../../shared/limits/controller.ts";
import type { FleetLimit, SetLimit } from "../../shared/limits/fleet-limit.ts";
import { NO_REPORT, type Report } from "../../shared/limits/report.ts";

export const OPTIONS: ControllerOptions = { concurrency: 100, tasksPerEnvironment: 10, adaptive: true, latency: false };
const LATENCY = 300;

/**
 * Runs the controller against a service that accepts up to `accepts` starts in a second, an epoch a second. Such a service refuses
 * attempts though it has accepted as many in flight a moment before.
 */
export class ControllerRun {
  state: ControllerState | undefined;
  limit: FleetLimit = {};
  #epoch = 0;
  #set: SetLimit = {};
  readonly #options: ControllerOptions;

  constructor(options = OPTIONS, set: SetLimit = {}) {
    this.#options = options;
    this.#set = set;
  }

  epoch(accepts: number, rest: Partial<EpochTotals> = {}, figures: Partial<Report> = {}): FleetLimit {
    const { concurrency } = this.#options;
    const slots = this.limit.slots ?? concurrency;
    const offered = Math.min(this.limit.perSecond ?? Number.POSITIVE_INFINITY, (1_000 * slots) / LATENCY);
    const succeeded = Math.min(offered, accepts);
    const counted: Report = {
      ...NO_REPORT,
      started: offered,
      succeeded,
      throttled: Math.round(offered - succeeded),
      contradictions: Math.min(2, Math.round(offered - succeeded)),
      inFlightMilliseconds: succeeded * LATENCY,
      succeededMilliseconds: succeeded * LATENCY,
      slotMilliseconds: 1_000 * slots,
      heldMilliseconds: 1_000,
      allowedStarts: this.limit.perSecond ?? 0,
      elapsedMilliseconds: 1_000,
      ...figures,
    };
    const epoch = this.#epoch++;
    const totals: EpochTotals = {
      epoch,
      members: 1,
      holders: 1,
      counted,
      from: 1_000 * epoch,
      to: 1_000 * (epoch + 1),
      seenEpoch: epoch,
      triedEpoch: epoch,
      ...rest,
    };
    const decision = nextLimit(this.state, totals, this.#set, this.#options);
    this.state = decision.state;
    this.limit = decision.limit;
    return decision.limit;
  }

  epochs(count: number, accepts: number): FleetLimit {
    for (let epoch = 0; epoch < count; epoch++) this.epoch(accepts);
    return this.limit;
  }
}
