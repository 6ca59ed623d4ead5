import { createHash } from "node:crypto";
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type MessageAttributeValue,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { Queue } from "../../shared/aws/queue.ts";

export interface FakeMessage {
  readonly id: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, MessageAttributeValue>>;
  readonly sentAt: number;
  /** The queue from which SQS moved the message. */
  readonly movedFrom?: string;
  visibleAt: number;
  receives: number;
  receipt: string;
}

export type FakeAction = "send" | "receive" | "delete" | "changeVisibility" | "attributes";

/** Fake queues behind a mocked client. They store messages, and hide them by a clock that only the test advances. */
export class FakeQueues {
  now = Date.parse("2026-11-25T08:00:00.000Z");
  readonly queues = new Map<string, FakeMessage[]>();
  readonly policies = new Map<string, string>();
  /** Called before each action. The client throws what this function throws. */
  before: (action: FakeAction, queue: string) => void = () => {};
  /** Called after each action took effect. The client throws what this function throws. */
  after: (action: FakeAction, queue: string) => void = () => {};
  /** Tells which entries of a batch are refused. */
  refuses: (action: FakeAction, message: FakeMessage | string) => boolean = () => false;
  mostInFlight = 120_000;
  #sent = 0;
  #received = 0;
  readonly #client: SQSClient;

  constructor() {
    this.#client = new SQSClient({ region: "us-east-1", credentials: { accessKeyId: "a", secretAccessKey: "b" } });
    const on =
      (action: FakeAction, act: (messages: FakeMessage[], input: Input) => unknown) => async (input: Input) => {
        this.before(action, input.QueueUrl);
        const answer = act(this.of(input.QueueUrl), input);
        this.after(action, input.QueueUrl);
        return answer;
      };
    const acts = new Map<unknown, (input: Input) => Promise<unknown>>();
    acts.set(
      SendMessageBatchCommand,
      on("send", (_, input) => this.#send(input)),
    );
    acts.set(
      ReceiveMessageCommand,
      on("receive", (messages, input) => this.#receive(messages, input)),
    );
    acts.set(
      DeleteMessageBatchCommand,
      on("delete", (messages, { Entries }) => ({
        Failed: Entries.filter(({ ReceiptHandle }) => {
          const at = messages.findIndex(({ receipt }) => receipt === ReceiptHandle);
          if (at >= 0 && this.refuses("delete", messages[at] as FakeMessage)) return true;
          if (at >= 0) messages.splice(at, 1);
          return false;
        }),
      })),
    );
    acts.set(
      ChangeMessageVisibilityBatchCommand,
      on("changeVisibility", (messages, { Entries }) => {
        for (const { ReceiptHandle, VisibilityTimeout } of Entries) {
          const message = messages.find(({ receipt }) => receipt === ReceiptHandle);
          // As on AWS, also after the visibility timeout of the receive.
          if (message !== undefined) message.visibleAt = this.now + Number(VisibilityTimeout) * 1_000;
        }
        return {};
      }),
    );
    acts.set(
      GetQueueAttributesCommand,
      on("attributes", (messages, { QueueUrl }) => {
        const inFlight = messages.filter(({ visibleAt }) => visibleAt > this.now).length;
        return {
          Attributes: {
            ApproximateNumberOfMessages: String(messages.length - inFlight),
            ApproximateNumberOfMessagesNotVisible: String(inFlight),
            ApproximateNumberOfMessagesDelayed: "0",
            MessageRetentionPeriod: "1209600",
            ...(this.policies.has(QueueUrl) && { RedrivePolicy: this.policies.get(QueueUrl) }),
          },
        };
      }),
    );
    // A library for mocks would keep the arguments and the stack of each of the many calls.
    this.#client.send = async (command: { readonly input: object }) => {
      const act = acts.get(command.constructor);
      if (act === undefined) throw new Error(`the fake queues do not know ${command.constructor.name}`);
      return await act(command.input as Input);
    };
  }

  queue(name: string): Queue {
    return new Queue(this.#client, name);
  }

  of(name: string): FakeMessage[] {
    const messages = this.queues.get(name) ?? [];
    this.queues.set(name, messages);
    return messages;
  }

  /** Adds a message to a queue, without faults. */
  put(name: string, body: string, more: Partial<FakeMessage> = {}): FakeMessage {
    const number = this.#sent++;
    // As in SQS, the ids differ from the first characters on.
    const id = createHash("sha256").update(String(number)).digest("hex").slice(0, 32);
    const message = { id, body, attributes: {}, sentAt: this.now, visibleAt: 0, receives: 0, receipt: "", ...more };
    this.of(name).push(message);
    return message;
  }

  #send({ QueueUrl, Entries }: Input): unknown {
    return {
      Failed: Entries.filter(({ MessageBody = "", MessageAttributes = {} }) => {
        const refused = this.refuses("send", MessageBody);
        if (!refused) this.put(QueueUrl, MessageBody, { attributes: MessageAttributes });
        return refused;
      }).map(({ Id }) => ({ Id, Code: "InternalError", Message: "try again" })),
    };
  }

  #receive(messages: readonly FakeMessage[], input: Input): unknown {
    const inFlight = messages.filter(({ visibleAt }) => visibleAt > this.now).length;
    if (inFlight >= this.mostInFlight) {
      if (input.WaitTimeSeconds > 0) return {};
      throw Object.assign(new Error("too many in flight"), { name: "OverLimit" });
    }
    const room = Math.min(input.MaxNumberOfMessages, this.mostInFlight - inFlight);
    const visible = messages.filter(({ visibleAt }) => visibleAt <= this.now).slice(0, room);
    return {
      Messages: visible.map((message) => {
        message.visibleAt = this.now + input.VisibilityTimeout * 1_000;
        message.receives++;
        message.receipt = `receipt-${this.#received++}`;
        const { id, body, attributes, receipt, receives, sentAt, movedFrom } = message;
        return {
          MessageId: id,
          Body: body,
          ReceiptHandle: receipt,
          MessageAttributes: attributes,
          Attributes: {
            ApproximateReceiveCount: String(receives),
            SentTimestamp: String(sentAt),
            ...(movedFrom !== undefined && { DeadLetterQueueSourceArn: movedFrom }),
          },
        };
      }),
    };
  }
}

interface Input {
  readonly QueueUrl: string;
  readonly MaxNumberOfMessages: number;
  readonly VisibilityTimeout: number;
  readonly WaitTimeSeconds: number;
  readonly Entries: readonly {
    readonly Id: string;
    readonly ReceiptHandle?: string;
    readonly VisibilityTimeout?: number;
    readonly MessageBody?: string;
    readonly MessageAttributes?: Readonly<Record<string, MessageAttributeValue>>;
  }[];
}
