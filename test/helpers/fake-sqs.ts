import {
  ChangeMessageVisibilityBatchCommand,
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  type MessageAttributeValue,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { mockClient } from "aws-sdk-client-mock";
import { Queue } from "../../shared/aws/queue.ts";

export interface Sent {
  readonly queue: string;
  readonly body: string;
  readonly attributes: Record<string, MessageAttributeValue>;
  readonly delaySeconds?: number;
}

type Action = "send" | "sendControl" | "changeVisibility" | "changeVisibilities" | "receive" | "delete" | "depth";

/** A fake SQS behind a mocked client. It records all requests, and fails if the test wants it to. */
export class FakeSqs {
  readonly sent: Sent[] = [];
  readonly control: (Sent & { readonly group: string; readonly deduplicationId: string })[] = [];
  readonly visibilities: { readonly receiptHandle: string; readonly seconds: number }[] = [];
  /** Changes of many messages in one request, as a consumer makes them for its batch. */
  readonly batchVisibilities: { readonly receiptHandle: string; readonly seconds: number }[] = [];
  readonly deleted: string[] = [];
  readonly received: { readonly max: number; readonly visibilitySeconds: number }[] = [];
  /** The answers to the next receives. When none are left, receives return nothing. */
  readonly arrivals: Message[][] = [];
  depth = { visible: 0, inFlight: 0, delayed: 0 };
  /** Called before each action. The client throws what this function throws. */
  before: (action: Action) => void | Promise<void> = () => {};
  /** Tells which entries of a batch are refused, by their body or their receipt handle. */
  refuses: (bodyOrHandle: string) => boolean = () => false;
  readonly #client: SQSClient;

  constructor() {
    const client = new SQSClient({ region: "us-east-1", credentials: { accessKeyId: "a", secretAccessKey: "b" } });
    this.#client = client;
    const mock = mockClient(client);
    mock.on(SendMessageBatchCommand).callsFake(async ({ QueueUrl, Entries }) => {
      await this.before("send");
      const Failed = [];
      for (const { Id, MessageBody, MessageAttributes, DelaySeconds } of Entries) {
        if (this.refuses(MessageBody))
          Failed.push({ Id, Code: "InternalError", Message: "try again", SenderFault: false });
        else {
          const delay = DelaySeconds === undefined ? {} : { delaySeconds: DelaySeconds };
          this.sent.push({ queue: QueueUrl, body: MessageBody, attributes: MessageAttributes ?? {}, ...delay });
        }
      }
      return { Failed };
    });
    mock.on(SendMessageCommand).callsFake(async (input) => {
      const { QueueUrl, MessageBody, MessageAttributes, MessageGroupId, MessageDeduplicationId } = input;
      await this.before("sendControl");
      this.control.push({
        queue: QueueUrl,
        body: MessageBody,
        attributes: MessageAttributes ?? {},
        group: MessageGroupId,
        deduplicationId: MessageDeduplicationId,
      });
      return {};
    });
    mock.on(ChangeMessageVisibilityCommand).callsFake(async ({ ReceiptHandle, VisibilityTimeout }) => {
      await this.before("changeVisibility");
      this.visibilities.push({ receiptHandle: ReceiptHandle, seconds: VisibilityTimeout });
      return {};
    });
    mock.on(ChangeMessageVisibilityBatchCommand).callsFake(async ({ Entries }) => {
      await this.before("changeVisibilities");
      for (const { ReceiptHandle, VisibilityTimeout } of Entries) {
        this.batchVisibilities.push({ receiptHandle: ReceiptHandle, seconds: VisibilityTimeout });
      }
      return {};
    });
    mock.on(ReceiveMessageCommand).callsFake(async ({ MaxNumberOfMessages, VisibilityTimeout }) => {
      await this.before("receive");
      this.received.push({ max: MaxNumberOfMessages, visibilitySeconds: VisibilityTimeout });
      return { Messages: this.arrivals.shift() ?? [] };
    });
    mock.on(DeleteMessageBatchCommand).callsFake(async ({ Entries }) => {
      await this.before("delete");
      const Failed = [];
      for (const { Id, ReceiptHandle } of Entries) {
        if (this.refuses(ReceiptHandle)) Failed.push({ Id, Code: "ReceiptHandleIsInvalid", SenderFault: true });
        else this.deleted.push(ReceiptHandle);
      }
      return { Failed };
    });
    mock.on(GetQueueAttributesCommand).callsFake(async () => {
      await this.before("depth");
      return {
        Attributes: {
          ApproximateNumberOfMessages: String(this.depth.visible),
          ApproximateNumberOfMessagesNotVisible: String(this.depth.inFlight),
          ApproximateNumberOfMessagesDelayed: String(this.depth.delayed),
        },
      };
    });
  }

  queue(url: string): Queue {
    return new Queue(this.#client, url);
  }

  sentTo(url: string): Sent[] {
    return this.sent.filter(({ queue }) => queue === url);
  }
}
