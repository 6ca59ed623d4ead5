import type { MessageAttributeValue } from "@aws-sdk/client-sqs";

/** A message that was received, from a Lambda event or from the queue itself. */
export interface ReceivedMessage {
  readonly id: string;
  readonly receiptHandle: string;
  readonly body: string;
  /** When the message was sent, in milliseconds since 1970. */
  readonly sentAt?: number | undefined;
  /** How often the message was received, including this time. */
  readonly receiveCount: number;
  readonly attributes: Readonly<Record<string, MessageAttributeValue>>;
  /** The system attributes that the receiver requested, in addition to the receive count: `SentTimestamp` (ms), ... */
  readonly systemAttributes?: Readonly<Record<string, string>>;
}
