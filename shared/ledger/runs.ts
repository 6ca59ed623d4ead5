import type { LedgerStore } from "../aws/table.ts";
import { Lanes } from "./lanes.ts";
import type { Pages } from "./pages.ts";
import { Resends } from "./resends.ts";
import type { RollUp } from "./roll-up.ts";
import { RunProgress } from "./run-progress.ts";
import { RunStates } from "./run-states.ts";
import { RunStopping } from "./run-stopping.ts";

/** The runs of a workflow, and how the producer reads their source. A `Ledger` makes one. */
export class Runs extends RunStates {
  /** How far the producer has come. */
  readonly progress: RunProgress;
  /** What the producer does with a run that is being stopped. */
  readonly stopping: RunStopping;
  /** Reading the source again for lost messages. */
  readonly resends: Resends;
  /** Which lane reads which partition. */
  readonly lanes: Lanes;

  constructor(store: LedgerStore, now: () => number, rollUp: RollUp, pages: Pages) {
    super(store, now, rollUp);
    this.lanes = new Lanes(store);
    this.progress = new RunProgress(store, now, rollUp, this);
    this.stopping = new RunStopping(store, pages, this, this.progress);
    this.resends = new Resends(store);
  }
}
