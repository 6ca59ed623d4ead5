import type { Queue } from "../../shared/aws/queue.ts";
import type { RunRecord } from "../../shared/ledger/run-record.ts";
import { continueEntry } from "../../shared/messages/control.ts";

/**
 * Sends the message with which a producer continues a run. Sending the message again is harmless: SQS drops a duplicate
 * within five minutes, and a producer that receives a later duplicate finds nothing to do. `hop` numbers a run's
 * continuations.
 */
export async function continueRun(controlQueue: Queue, { id, workflow, hop }: RunRecord): Promise<void> {
  await controlQueue.sendControl(continueEntry({ run: id, workflow, hop: hop + 1 }));
}
