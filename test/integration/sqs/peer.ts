import { randomUUID } from "node:crypto";
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  SendMessageCommand,
  type SendMessageCommandInput,
  SQSClient,
} from "@aws-sdk/client-sqs";

/** A queue made for one case. */
export interface TestQueue {
  readonly name: string;
  readonly url: string;
  readonly arn: string;
}

/** The clock of an SQS that stands still unless it is advanced. */
export interface SettableClock {
  readonly now: () => number;
  readonly advance: (seconds: number) => void;
}

/** One SQS under test, and the requests that most cases need. */
export class Peer {
  readonly client: SQSClient;
  readonly endpoint: string;
  readonly #clock: SettableClock | undefined;
  /** Seconds for a timeout that a case waits for: with the machine's clock, time for a few requests on a busy machine. */
  readonly aWhile: number;

  constructor(endpoint: string, clock?: SettableClock) {
    this.endpoint = endpoint;
    this.#clock = clock;
    this.aWhile = clock === undefined ? 5 : 60;
    this.client = new SQSClient({
      endpoint,
      region: "us-east-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
      maxAttempts: 1,
      requestHandler: { httpAgent: { maxSockets: 500 } },
    });
  }

  /** Whether time can pass at once. */
  get hasClock(): boolean {
    return this.#clock !== undefined;
  }

  now(): number {
    return this.#clock?.now() ?? Date.now();
  }

  /** Lets time pass at once. With the machine's clock this does nothing: then a long poll waits for the time. */
  advance(seconds: number): void {
    this.#clock?.advance(seconds);
  }

  /** The messages that become visible within a time. */
  async receiveWithin(queue: TestQueue, seconds: number): Promise<Message[]> {
    this.advance(seconds);
    return await this.receive(queue, { WaitTimeSeconds: this.#clock === undefined ? seconds : 0 });
  }

  /** A fresh queue; with `FifoQueue` its name ends as it must. */
  async queue(attributes: Record<string, string> = {}): Promise<TestQueue> {
    const name = `t-${randomUUID()}${attributes.FifoQueue ? ".fifo" : ""}`;
    const { QueueUrl: url = "" } = await this.client.send(
      new CreateQueueCommand({ QueueName: name, Attributes: attributes }),
    );
    const arn = (await this.attributes({ url }, "QueueArn")).QueueArn ?? "";
    return { name, url, arn };
  }

  /** A queue with a dead-letter queue. */
  async queueWithDeadLetters(
    maxReceiveCount: number,
    attributes: Record<string, string> = {},
  ): Promise<{ readonly queue: TestQueue; readonly dead: TestQueue }> {
    const dead = await this.queue(attributes.FifoQueue ? { FifoQueue: "true" } : {});
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount });
    return { dead, queue: await this.queue({ ...attributes, RedrivePolicy }) };
  }

  async attributes(queue: { readonly url: string }, ...names: string[]): Promise<Record<string, string>> {
    const { Attributes } = await this.client.send(
      new GetQueueAttributesCommand({ QueueUrl: queue.url, AttributeNames: names as "All"[] }),
    );
    return Attributes ?? {};
  }

  /** Visible, in flight and delayed messages. */
  async counts(queue: TestQueue): Promise<[number, number, number]> {
    const all = await this.attributes(queue, "All");
    return [
      Number(all.ApproximateNumberOfMessages),
      Number(all.ApproximateNumberOfMessagesNotVisible),
      Number(all.ApproximateNumberOfMessagesDelayed),
    ];
  }

  send(queue: TestQueue, body: string, more: Partial<SendMessageCommandInput> = {}) {
    return this.client.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: body, ...more }));
  }

  async receive(queue: TestQueue, more: Partial<ReceiveMessageCommandInput> = {}): Promise<Message[]> {
    const { Messages } = await this.client.send(
      new ReceiveMessageCommand({
        QueueUrl: queue.url,
        MessageSystemAttributeNames: ["All"],
        MessageAttributeNames: ["All"],
        ...more,
      }),
    );
    return Messages ?? [];
  }

  /** The one message there is to receive within two seconds. */
  async receiveOne(queue: TestQueue, more: Partial<ReceiveMessageCommandInput> = {}): Promise<Message> {
    const [message] = await this.receive(queue, { WaitTimeSeconds: 2, ...more });
    if (message === undefined) throw new Error(`no message came from ${queue.name}`);
    return message;
  }

  delete(queue: TestQueue, message: Message) {
    return this.client.send(new DeleteMessageCommand({ QueueUrl: queue.url, ReceiptHandle: message.ReceiptHandle }));
  }
}

/** The error code with which a request is refused, without the older protocol's prefix. */
export async function refusal(request: Promise<unknown>): Promise<string> {
  try {
    await request;
  } catch (error) {
    return (error as Error).name
      .replace("AWS.SimpleQueueService.", "")
      .replace(/^(InvalidParameterValue).*/, "$1")
      .replace(/^(MissingParameter|MissingRequiredParameter).*/, "MissingParameter");
  }
  throw new Error("the request was not refused");
}
