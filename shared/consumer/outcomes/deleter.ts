import type { Queue } from "../../aws/queue.ts";
import { LARGEST_BATCH } from "../../aws/quotas.ts";
import type { TaskLogger } from "../../base/task.ts";

/** How long a settled message may wait for others. If the consumer dies meanwhile, it is found settled when it returns. */
const LONGEST_WAIT_MILLISECONDS = 250;

/** They are found settled then, and deleted. */
const COME_AGAIN = "settled messages could not be deleted, they will come again";

/** Deletes the messages that the consumer received itself, ten a request. */
export class Deleter {
  readonly #queue: Queue;
  readonly #logger: TaskLogger;
  readonly #underWay = new Set<Promise<unknown>>();
  #pending: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(queue: Queue, logger: TaskLogger) {
    this.#queue = queue;
    this.#logger = logger;
  }

  delete(receiptHandle: string): void {
    this.#pending.push(receiptHandle);
    if (this.#pending.length >= LARGEST_BATCH.entries) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), LONGEST_WAIT_MILLISECONDS);
  }

  /** Resolves when all is deleted that can be. */
  async flush(): Promise<void> {
    this.#send();
    await Promise.all(this.#underWay);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending.length === 0) return;
    const handles = this.#pending;
    this.#pending = [];
    const request = this.#queue
      .deleteAll(handles)
      .then((refused) => {
        if (refused.length > 0) this.#logger.warn(COME_AGAIN, { messages: refused.length });
      })
      .catch((error) => this.#logger.warn(COME_AGAIN, { error }))
      .finally(() => this.#underWay.delete(request));
    this.#underWay.add(request);
  }
}
