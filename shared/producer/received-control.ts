/** A control message as the producer received it. */
export interface ReceivedControl {
  /** The message id. */
  readonly id: string;
  readonly body: string;
  /** The message group. While a producer holds a message, SQS delivers no other message of the same group. */
  readonly group: string | undefined;
  /** How often SQS has delivered the message, including this time. */
  readonly receiveCount: number;
  /** When the message was sent, in milliseconds since 1970. */
  readonly sentAt: number;
}

/**
 * After this many receives, the producer replaces a message with a new one. The number is well below the receive limit
 * of the control queue.
 */
const MOST_RECEIVES = 50;

/** Whether a message may be hidden and received once more. If not, the producer sends a new message in its place. */
export const mayReceiveAgain = ({ receiveCount }: Pick<ReceivedControl, "receiveCount">): boolean =>
  receiveCount < MOST_RECEIVES;
