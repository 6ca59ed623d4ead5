import type { MessageAttributeValue } from "@aws-sdk/client-sqs";
import type { LedgerItem } from "../ledger/ledger.ts";
import type { Envelope } from "../messages/envelope.ts";
import type { TaskContext } from "../task.ts";

/** A message as a consumer gets it, from a Lambda event or from the queue itself. */
export interface ReceivedMessage {
  readonly id: string;
  readonly receiptHandle: string;
  readonly body: string;
  /** When it was sent, in milliseconds since 1970. */
  readonly sentAt?: number | undefined;
  /** This receive included. */
  readonly receiveCount: number;
  readonly attributes: Readonly<Record<string, MessageAttributeValue>>;
  /** Those that its receiver asked for, beside the receive count: `SentTimestamp` (ms), ... */
  readonly systemAttributes?: Readonly<Record<string, string>>;
}

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
