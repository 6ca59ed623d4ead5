import type { ReceivedMessage } from "../aws/received-message.ts";
import type { Envelope } from "./envelope.ts";

/** A message with its envelope. */
export interface ItemMessage {
  readonly message: ReceivedMessage;
  readonly envelope: Envelope;
}

/** How often the messages of an item were received: this one, and those whose place it took. */
export const receiveOf = ({ message, envelope }: ItemMessage): number =>
  (envelope.receives ?? 0) + message.receiveCount;
