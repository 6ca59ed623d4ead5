import type { MessageAttributeValue } from "@aws-sdk/client-sqs";

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
