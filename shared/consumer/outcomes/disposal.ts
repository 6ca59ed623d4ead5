import type { Queue } from "../../aws/queue.ts";
import type { ReceivedMessage } from "../../aws/received-message.ts";
import { LONGEST_SDK_REQUEST_MILLISECONDS } from "../../aws/timeouts.ts";
import type { TaskLogger } from "../../base/task.ts";
import type { MessageInHand } from "../messages-in-hand.ts";
import { Deleter } from "./deleter.ts";
import type { Disposition } from "./outcome.ts";

export interface DisposalOptions {
  readonly queue: Queue;
  readonly logger: TaskLogger;
  readonly now: () => number;
  /**
   * Whether this code deletes the messages of the invocation's batch. Lambda deletes them only at the end of the invocation,
   * when they may be visible again.
   */
  readonly deletesBatch: boolean;
}

/** Deletes messages or returns them to the queue, and knows which messages of the batch Lambda must not delete. */
export class Disposal {
  readonly #options: DisposalOptions;
  readonly #deleter: Deleter;
  readonly #keptIds: string[] = [];

  constructor(options: DisposalOptions) {
    this.#options = options;
    this.#deleter = new Deleter(options.queue, options.logger);
  }

  /** The ids of the batch's messages that must be received again. The invocation reports them as failed. */
  get keptIds(): readonly string[] {
    return this.#keptIds;
  }

  /** Deletes or returns a message. Does not wait until a deletion is done: see `flush`. Never rejects. */
  async dispose(inHand: MessageInHand, disposition: Disposition): Promise<void> {
    const { message, delivery } = inHand;
    const isOfBatch = delivery.origin === "batch";
    if (disposition.tag === "delete") {
      if (!isOfBatch || this.#options.deletesBatch) this.#deleter.delete(message.receiptHandle);
      return;
    }
    if (disposition.tag === "return") await this.#return(inHand, disposition.afterMilliseconds);
    if (isOfBatch) this.#keptIds.push(message.id);
  }

  /** Deletes the messages of the batch that Lambda would delete, for an environment that ends without an answer to Lambda. */
  deleteInPlaceOfLambda(batch: readonly ReceivedMessage[]): void {
    if (this.#options.deletesBatch) return;
    for (const { id, receiptHandle } of batch) if (!this.#keptIds.includes(id)) this.#deleter.delete(receiptHandle);
  }

  /** Resolves when all deletions are answered. Never rejects. */
  async flush(): Promise<void> {
    await this.#deleter.flush();
  }

  /**
   * Sets the delay of a message, but not after its visibility timeout. SQS would then change a message that another
   * consumer may have: a short delay would expose it, and a long delay would hide it after the death of that consumer.
   * Without the change, the message is in the queue or with the other consumer, and the ledger says what is recorded.
   * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
   */
  async #return({ message, delivery }: MessageInHand, milliseconds: number): Promise<void> {
    const { queue, logger, now } = this.#options;
    const left = (delivery.heldUntil ?? Number.POSITIVE_INFINITY) - now();
    if (left <= 0) {
      logger.warn("a message keeps its place in the queue, because its delay comes after its visibility timeout", {
        messageId: message.id,
      });
      return;
    }
    // Retries of the request may take longer than the message stays hidden.
    const signal = left < LONGEST_SDK_REQUEST_MILLISECONDS ? AbortSignal.timeout(Math.floor(left)) : undefined;
    try {
      await queue.changeVisibility(message.receiptHandle, milliseconds, signal);
    } catch (error) {
      logger.warn("a retry could not be scheduled, it follows after the visibility timeout", { error });
    }
  }
}
