import { SqsError } from "./sqs-error.ts";

/** The kinds of requests that AWS counts separately. A batch counts as one request. */
const KINDS: Readonly<Record<string, string>> = {
  SendMessage: "send",
  SendMessageBatch: "send",
  ReceiveMessage: "receive",
  DeleteMessage: "delete",
  DeleteMessageBatch: "delete",
};

/**
 * The most requests of one kind to one FIFO queue in a second, without high throughput.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
 */
const MOST_REQUESTS_PER_SECOND = 300;

/** Limits the requests to FIFO queues as AWS does. */
export class FifoThroughput {
  readonly #clock: () => number;
  /** The requests in the current second, by queue and kind. */
  readonly #requests = new Map<string, number>();
  #second = 0;

  /** @param clock Returns milliseconds since 1970. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Counts a request. @throws SqsError `RequestThrottled`: the queue has had too many requests of this kind. */
  count(action: string, queue: string | undefined): void {
    const kind = KINDS[action];
    if (kind === undefined || !queue?.endsWith(".fifo")) return;
    const second = Math.floor(this.#clock() / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#requests.clear();
    }
    const key = `${queue} ${kind}`;
    const requests = this.#requests.get(key) ?? 0;
    if (requests >= MOST_REQUESTS_PER_SECOND) {
      throw new SqsError(
        "RequestThrottled",
        `The queue ${queue} has had ${MOST_REQUESTS_PER_SECOND} requests of the kind "${kind}" in this second.`,
      );
    }
    this.#requests.set(key, requests + 1);
  }
}
