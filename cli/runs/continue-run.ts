import type { Queue } from "../../shared/aws/queue.ts";
import type { RunRecord } from "../../shared/ledger/run-record.ts";
import { continueEntry } from "../../shared/messages/control.ts";

/**
 * Has a run's producer look at the run. It may be asked for again, should the command that did so have died: the queue
 * drops a continuation that waits already, and one that comes a second time finds nothing to do.
 */
export async function continueRun(controlQueue: Queue, { id, workflow, hop }: RunRecord): Promise<void> {
  await controlQueue.sendControl(continueEntry({ run: id, workflow, hop: hop + 1 }));
}
