import type { MessageAttributeValue } from "@aws-sdk/client-sqs";

/** A received message. It comes from a Lambda event, or Sluice received it from the queue itself. */
export interface ReceivedMessage {
  readonly id: string;
  readonly receiptHandle: string;
  readonly body: string;
  /** When the message was sent, in milliseconds since 1970. */
  readonly sentAt?: number | undefined;
  /** How often the message was received, including this time. */
  readonly receiveCount: number;
  readonly attributes: Readonly<Record<string, MessageAttributeValue>>;
  /** The system attributes that the receiver requested in addition to the receive count, such as `SentTimestamp`. */
  readonly systemAttributes?: Readonly<Record<string, string>>;
}
