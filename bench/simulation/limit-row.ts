import { EMPTY_STATE, type NextEpoch } from "../../shared/limits/advance.ts";
import type { OwnReport } from "../../shared/limits/environment-limit.ts";
import type { LimitState } from "../../shared/limits/limit-state.ts";
import { addReports } from "../../shared/limits/report.ts";

/** The limit row in memory, with the updates that the ledger makes. */
export class SimulatedLimitRow {
  state: LimitState;
  writes = 0;

  constructor(state: LimitState = EMPTY_STATE) {
    this.state = state;
  }

  /** One update: it adds the report, and writes or removes the member's note. */
  report(member: string, { report, note }: OwnReport, isLast: boolean): LimitState {
    this.writes++;
    const members = { ...this.state.members };
    if (isLast) delete members[member];
    else if (note !== undefined) members[member] = note;
    this.state = { ...this.state, counted: addReports(this.state.counted, report), members };
    return this.state;
  }

  /** The conditional write that begins an epoch. */
  begin({ gone, ...next }: NextEpoch): LimitState | undefined {
    if (this.state.epoch !== next.epoch - 1) return undefined;
    this.writes++;
    const members = { ...this.state.members };
    for (const member of gone) delete members[member];
    this.state = { ...this.state, ...next, counted: this.state.counted, set: this.state.set, members };
    return this.state;
  }
}
