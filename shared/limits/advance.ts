import type { ControllerState } from "./controller.ts";
import type { FleetLimit } from "./fleet-limit.ts";
import type { LimitState } from "./limit-state.ts";
import type { Report } from "./report.ts";

/**
 * The attributes of the limit row that begin an epoch. They are written together, on the condition that the row's `epoch` is
 * still `epoch - 1`.
 */
export interface NextEpoch {
  readonly epoch: number;
  readonly at: number;
  readonly dueAt: number;
  readonly countedBefore: Report;
  readonly controller: ControllerState;
  readonly limit: FleetLimit;
  readonly shares: LimitState["shares"];
  readonly tokensLeft: number;
  /** Members that do not live any more. The same write removes their notes. */
  readonly gone: readonly string[];
}
