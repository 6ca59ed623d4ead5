import type { Queue, QueueDepth } from "../aws/queue.ts";
import { LARGEST_MESSAGE_BYTES, MOST_IN_FLIGHT, MOST_RECEIVED_MESSAGES } from "../aws/quotas.ts";
import type { ReceivedMessage } from "../aws/received-message.ts";
import { SluiceError } from "../base/errors.ts";
import { HeldMessages, PARALLEL_REQUESTS } from "./held-messages.ts";
import { DEAD_LETTER_ATTRIBUTES, type DeadLetter, toDeadLetter } from "./read-dead-letter.ts";

/** The most bytes that one wave of requests should receive: a dead letter can have a mebibyte. */
const MOST_BYTES_PER_WAVE = 4 * LARGEST_MESSAGE_BYTES;

/** A short poll asks only some of SQS's servers, so its empty response says little. A long poll asks all of them. */
const LAST_POLL_SECONDS = 1;

export interface ScanOptions {
  /** Ends the scan early. The scan gives back what it holds, and its result has `stoppedBy: "interruption"`. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ScanProgress) => void) | undefined;
  /**
   * Whether the queue's counts are exact, as those of the embedded engine are. Then the scan needs no long poll at its end,
   * and knows exactly how many dead letters others hold. The counts of SQS are approximate. Default: false.
   */
  readonly exactCounts?: boolean | undefined;
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
}

export interface ScanProgress {
  /** How many dead letters the scan has looked at. */
  readonly looked: number;
  /** About how many there are. */
  readonly total: number;
  /** How many of the dead letters that the scan held at its end it has given back. */
  readonly givenBack: number;
}

export interface ScanResult {
  /** How many dead letters the scan has looked at. It looks at each one once. */
  readonly looked: number;
  /** How many dead letters it could not look at because others hold them. Approximate, unless the counts are exact. */
  readonly heldElsewhere: number;
  /** Whether `heldElsewhere` is approximate: it may include dead letters that others deleted during the scan. */
  readonly approximate: boolean;
  /** Whether the scan has looked at all dead letters: others held none, and nothing stopped the scan. */
  readonly complete: boolean;
  /**
   * Why the scan stopped before it had looked at all dead letters: it was interrupted, or it holds as many as SQS allows
   * to be in flight (about 120,000). `undefined`: it did not stop early.
   */
  readonly stoppedBy: "interruption" | "in-flight limit" | undefined;
}

/** A dead letter that a scan holds: no other consumer receives it. */
export interface HeldDeadLetter extends DeadLetter {
  readonly receiptHandle: string;
}

interface Wave {
  /** How many messages were received, including those that the scan had received before. */
  readonly received: number;
  readonly fresh: ReceivedMessage[];
}

/**
 * One scan of a dead-letter queue. The scan holds every dead letter that it looks at until it ends, because a dead letter
 * that is visible again would be received again. At its end it gives all of them back, in the order in which they were
 * received. `remove` deletes dead letters during the scan.
 */
export class Scan {
  readonly #queue: Queue;
  readonly #options: ScanOptions;
  readonly #now: () => number;
  readonly #held: HeldMessages;
  #total = 0;
  #looked = 0;
  /** How many of these dead letters were sent before the scan began. */
  #lookedOld = 0;
  #heldElsewhere = 0;
  #stoppedBy: ScanResult["stoppedBy"];

  constructor(queue: Queue, options: ScanOptions = {}) {
    this.#queue = queue;
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#held = new HeldMessages(queue, this.#now);
  }

  get result(): ScanResult {
    const [heldElsewhere, stoppedBy] = [this.#heldElsewhere, this.#stoppedBy];
    return {
      looked: this.#looked,
      heldElsewhere,
      approximate: this.#options.exactCounts !== true,
      complete: heldElsewhere === 0 && stoppedBy === undefined,
      stoppedBy,
    };
  }

  /**
   * Looks at each dead letter once. It calls `see` with several at a time, and ends when all were seen and given back.
   *
   * @throws {SluiceError} `DLQ_MOVES_ON`: the queue has a redrive policy, so SQS would move what the scan receives.
   * @throws What `see` throws, after everything was given back.
   */
  async run(see: (deadLetters: readonly HeldDeadLetter[]) => void | Promise<void>): Promise<ScanResult> {
    const { signal } = this.#options;
    const beganAt = this.#now();
    const [{ retentionSeconds, maxReceiveCount }, depth] = await Promise.all([
      this.#queue.policy(),
      this.#queue.depth(),
    ]);
    if (maxReceiveCount !== undefined) {
      throw new SluiceError(
        "DLQ_MOVES_ON",
        `the dead-letter queue has a redrive policy of its own: SQS moves a dead letter to another queue after ` +
          `${maxReceiveCount} receives, and this command receives it. Remove the policy from the queue, or use the other queue`,
      );
    }
    this.#total = depth.visible;
    this.#held.expect(depth.visible);
    const stopKeeping = this.#held.keep();
    try {
      for await (const messages of this.#receiveAll()) {
        this.#looked += messages.length;
        const deadLetters = messages.map((message) => ({
          ...toDeadLetter(message, retentionSeconds),
          receiptHandle: message.receiptHandle,
        }));
        this.#lookedOld += deadLetters.filter(({ sentAt }) => Date.parse(sentAt) <= beganAt).length;
        await see(deadLetters);
        this.#tell(0);
      }
      if (signal?.aborted) this.#stoppedBy = "interruption";
      // What the scan holds at the limit may be all there is.
      else if (this.#stoppedBy !== undefined && (await this.#queue.depth()).visible === 0) this.#stoppedBy = undefined;
      await this.#countHeldElsewhere(depth);
    } finally {
      stopKeeping();
      await this.#held.giveBack((givenBack) => this.#tell(givenBack));
    }
    return this.result;
  }

  /**
   * Deletes dead letters that the scan holds.
   *
   * @returns the ids of those that SQS refused to delete. They stay on the queue.
   */
  async remove(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return await this.#held.remove(ids);
  }

  /**
   * Counts the dead letters that others hold, while this scan still holds all that it has looked at. With exact counts, the
   * number was found when the queue was empty: what others gave back or deleted before that is not missing.
   *
   * The counts of SQS lag by a minute or more, so they may not show yet what this scan has received. But a received message
   * only changes from visible to in flight. So of the dead letters that were there when the scan began, the missing ones
   * are those that the scan has not seen.
   * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
   */
  async #countHeldElsewhere(atStart: QueueDepth): Promise<void> {
    const exact = this.#options.exactCounts === true;
    // Dead letters that are left because the scan was stopped are not held by others.
    if (this.#stoppedBy !== undefined) {
      this.#heldElsewhere = exact ? notVisible(await this.#queue.depth()) - this.#held.size : notVisible(atStart);
    } else if (!exact) {
      const missed = atStart.visible + notVisible(atStart) - this.#lookedOld;
      this.#heldElsewhere = Math.max(missed, notVisible(await this.#queue.depth()) - this.#looked);
    }
    this.#heldElsewhere = Math.max(0, this.#heldElsewhere);
  }

  #tell(givenBack: number): void {
    const total = Math.max(this.#total, this.#looked);
    this.#options.onProgress?.({ looked: this.#looked, total, givenBack });
  }

  /**
   * Receives until the queue is empty, in waves of several requests at once. While `see` works on one wave, the next one is
   * under way. Only messages that the scan has not received before are yielded.
   */
  async *#receiveAll(): AsyncGenerator<readonly ReceivedMessage[]> {
    let wave = this.#receiveWave(PARALLEL_REQUESTS);
    try {
      for (;;) {
        const { received, fresh } = await wave;
        if (received > 0) wave = this.#receiveWave(this.#nextWave(received, fresh));
        else {
          if (this.#mustStop() || (await this.#isEmpty())) return;
          const last = await this.#receiveWave(1, LAST_POLL_SECONDS);
          // By exact counts there was a dead letter: others received it, and may have given it back.
          if (last.received === 0 && this.#options.exactCounts !== true) return;
          wave = this.#receiveWave(1);
          fresh.push(...last.fresh);
        }
        // The wave is awaited below in any case, because what it received must be given back. Until then, a failure of the
        // wave is not an unhandled rejection.
        wave.catch(() => {});
        if (fresh.length > 0) yield fresh;
      }
    } finally {
      await wave.catch(() => {});
    }
  }

  /** How many requests the next wave may have: twice as many as this one filled, for dead letters of this one's size. */
  #nextWave(received: number, fresh: readonly ReceivedMessage[]): number {
    const characters = fresh.reduce((sum, { body }) => sum + body.length, 0);
    const perRequest = (characters / Math.max(1, fresh.length)) * MOST_RECEIVED_MESSAGES;
    const filled = Math.ceil((2 * received) / MOST_RECEIVED_MESSAGES);
    return Math.min(filled, Math.floor(MOST_BYTES_PER_WAVE / Math.max(1, perRequest)));
  }

  #mustStop(): boolean {
    return this.#options.signal?.aborted === true || this.#stoppedBy !== undefined;
  }

  /** Sends the requests of one wave at once, unless more messages would be in flight than SQS allows. */
  async #receiveWave(wanted: number, waitSeconds = 0): Promise<Wave> {
    const requests = Math.max(1, Math.min(wanted, PARALLEL_REQUESTS));
    if (this.#held.size + requests * MOST_RECEIVED_MESSAGES > MOST_IN_FLIGHT) this.#stoppedBy = "in-flight limit";
    if (this.#mustStop()) return { received: 0, fresh: [] };
    const answers = await Promise.allSettled(Array.from({ length: requests }, () => this.#receive(waitSeconds)));
    const messages = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    const fresh = messages.filter((message) => this.#held.hold(message));
    for (const answer of answers) if (answer.status === "rejected") throw answer.reason;
    return { received: messages.length, fresh };
  }

  async #receive(waitSeconds: number): Promise<readonly ReceivedMessage[]> {
    try {
      return await this.#queue.receive({
        max: MOST_RECEIVED_MESSAGES,
        waitSeconds,
        visibilityTimeoutSeconds: this.#held.holdSeconds,
        systemAttributes: DEAD_LETTER_ATTRIBUTES,
      });
    } catch (error) {
      if (!(error instanceof Error && error.name === "OverLimit")) throw error;
      this.#stoppedBy = "in-flight limit";
      return [];
    }
  }

  /** Whether the queue is known to be empty without a long poll. This scan or others hold what is not visible. */
  async #isEmpty(): Promise<boolean> {
    if (this.#options.exactCounts !== true) return false;
    const depth = await this.#queue.depth();
    this.#heldElsewhere = notVisible(depth) - this.#held.size;
    return depth.visible === 0;
  }
}

const notVisible = ({ inFlight, delayed }: QueueDepth): number => inFlight + delayed;
