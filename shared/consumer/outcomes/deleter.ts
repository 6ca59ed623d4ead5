import type { Queue } from "../../aws/queue.ts";
import { LARGEST_BATCH } from "../../aws/quotas.ts";
import type { TaskLogger } from "../../base/task.ts";

/**
 * How long a message may wait to be deleted with others. If the consumer ends before that, the next consumer that
 * receives the message finds its item settled.
 */
export const LONGEST_WAIT_MILLISECONDS = 250;

/** The next consumer that receives these messages finds their items settled, and deletes the messages. */
const NOT_DELETED = "settled messages could not be deleted, so they will be received again";

/** Deletes messages, ten per request. */
export class Deleter {
  readonly #queue: Queue;
  readonly #logger: TaskLogger;
  readonly #requests = new Set<Promise<unknown>>();
  #receiptHandles: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(queue: Queue, logger: TaskLogger) {
    this.#queue = queue;
    this.#logger = logger;
  }

  delete(receiptHandle: string): void {
    this.#receiptHandles.push(receiptHandle);
    if (this.#receiptHandles.length >= LARGEST_BATCH.entries) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), LONGEST_WAIT_MILLISECONDS);
  }

  /** Resolves when SQS has answered all requests. Never rejects. */
  async flush(): Promise<void> {
    this.#send();
    await Promise.all(this.#requests);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#receiptHandles.length === 0) return;
    const handles = this.#receiptHandles;
    this.#receiptHandles = [];
    const request = this.#queue
      .deleteAll(handles)
      .then((refused) => {
        if (refused.length > 0) this.#logger.warn(NOT_DELETED, { messages: refused.length });
      })
      .catch((error) => this.#logger.warn(NOT_DELETED, { error }))
      .finally(() => this.#requests.delete(request));
    this.#requests.add(request);
  }
}
