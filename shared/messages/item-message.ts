import type { ReceivedMessage } from "../aws/received-message.ts";
import type { TaskContext } from "../base/task.ts";
import type { Envelope, LedgerItem } from "./envelope.ts";

/** A message with its envelope. */
export interface ItemMessage {
  readonly message: ReceivedMessage;
  readonly envelope: Envelope;
}

/** How often the item of an envelope was redriven: the body of a redriven message is its dead letter. */
export const redrivesOf = (envelope: Envelope): number =>
  envelope.dead === undefined ? 0 : envelope.dead.redrives + 1;

/** How often the messages of an item were received: this one, and those whose place it took. */
export const receiveOf = ({ message, envelope }: ItemMessage): number =>
  (envelope.receives ?? 0) + message.receiveCount;

/** What a task knows of an item's identity. */
export function identityOf(envelope: Envelope): Pick<TaskContext, "id" | "redrives" | "idempotencyKey"> {
  const { run, page, index, edited } = envelope;
  const id = `${run}/${page}/${index}`;
  return { id, redrives: redrivesOf(envelope), idempotencyKey: edited === undefined ? id : `${id}/${edited}` };
}

export function ledgerItem(envelope: Envelope): LedgerItem {
  const { run, page, index, epoch } = envelope;
  return { run, page, index, epoch, redrives: redrivesOf(envelope) };
}
