import type { Queue } from "../../shared/aws/queue.ts";
import type { RunRecord } from "../../shared/ledger/run-record.ts";
import { continueEntry } from "../../shared/messages/control.ts";

/**
 * Sends a run's producer the message to continue the run. The message may be sent again if the command that sent it died:
 * SQS drops a duplicate that still waits, and a producer that receives a second one finds nothing to do.
 */
export async function continueRun(controlQueue: Queue, { id, workflow, hop }: RunRecord): Promise<void> {
  await controlQueue.sendControl(continueEntry({ run: id, workflow, hop: hop + 1 }));
}
