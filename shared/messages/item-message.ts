import type { ReceivedMessage } from "../aws/received-message.ts";
import type { Envelope } from "./envelope.ts";

/** A message with its envelope. */
export interface ItemMessage {
  readonly message: ReceivedMessage;
  readonly envelope: Envelope;
}

/** How often the item's messages were received: this message, and the earlier messages that it replaced. */
export const receiveOf = ({ message, envelope }: ItemMessage): number =>
  (envelope.receives ?? 0) + message.receiveCount;
