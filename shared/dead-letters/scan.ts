import type { Queue, QueueDepth } from "../aws/queue.ts";
import { LARGEST_MESSAGE_BYTES, MOST_IN_FLIGHT, MOST_RECEIVED_MESSAGES } from "../aws/quotas.ts";
import type { ReceivedMessage } from "../aws/received-message.ts";
import { SluiceError } from "../base/errors.ts";
import { HeldMessages, PARALLEL_REQUESTS } from "./held-messages.ts";
import { DEAD_LETTER_ATTRIBUTES, type DeadLetter, toDeadLetter } from "./read-dead-letter.ts";

/** The highest number of bytes that one wave of requests should receive. A dead letter can have one mebibyte. */
const MOST_BYTES_PER_WAVE = 4 * LARGEST_MESSAGE_BYTES;

/** A short poll asks only some of SQS's servers, so its empty response says little. A long poll asks all of them. */
const LAST_POLL_SECONDS = 1;

export interface ScanOptions {
  /**
   * Ends the scan early. The scan makes all dead letters that it holds visible again, and its result has `stoppedBy:
   * "interruption"`.
   */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ScanProgress) => void) | undefined;
  /**
   * Whether the queue's counts are exact, as those of the embedded engine are. Then the scan needs no long poll at its
   * end, and knows exactly how many dead letters other commands hold. The counts of SQS are approximate. Default:
   * false.
   */
  readonly exactCounts?: boolean | undefined;
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
}

export interface ScanProgress {
  /** How many dead letters the scan has read. */
  readonly looked: number;
  /** Approximately how many dead letters there are. */
  readonly total: number;
  /** At the end, the scan makes the dead letters that it holds visible again: how many it has made visible. */
  readonly givenBack: number;
}

export interface ScanResult {
  /** How many dead letters the scan has read. It reads each one once. */
  readonly looked: number;
  /**
   * How many dead letters it could not read because other commands hold them. Approximate, unless the counts are exact.
   */
  readonly heldElsewhere: number;
  /**
   * Whether `heldElsewhere` is approximate. Then it may include dead letters that other commands deleted during the
   * scan.
   */
  readonly approximate: boolean;
  /** Whether the scan has read all dead letters: other commands held none, and nothing stopped the scan. */
  readonly complete: boolean;
  /**
   * Why the scan stopped before it had read all dead letters: it was interrupted, or it holds as many as SQS allows to
   * be in flight (about 120,000). `undefined`: it did not stop early.
   */
  readonly stoppedBy: "interruption" | "in-flight limit" | undefined;
}

/** A dead letter that a scan holds: the scan keeps it hidden, so that nothing else receives it. */
export interface HeldDeadLetter extends DeadLetter {
  readonly receiptHandle: string;
}

interface Wave {
  /** How many messages were received, including those that the scan had received before. */
  readonly received: number;
  readonly fresh: ReceivedMessage[];
}

/**
 * One scan of a dead-letter queue. The scan holds every dead letter that it reads: it keeps the dead letter hidden
 * until the scan ends, because a dead letter that is visible again would be received again. At its end, the scan makes
 * all of them visible again (gives them back), in the order in which they were received. `remove` deletes dead letters
 * during the scan.
 */
export class Scan {
  readonly #queue: Queue;
  readonly #options: ScanOptions;
  readonly #now: () => number;
  readonly #held: HeldMessages;
  #total = 0;
  #looked = 0;
  /** How many of the dead letters that were read were sent before the scan began. */
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
   * Reads each dead letter once. Calls `see` with several of them at a time. Resolves when `see` has received all of
   * them and they are visible again.
   *
   * @throws {SluiceError} `DLQ_MOVES_ON`: the dead-letter queue has a redrive policy of its own, so SQS would move dead
   *   letters that the scan receives to another queue.
   * @throws What `see` throws, after all dead letters were given back.
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
          `${maxReceiveCount} receives, and this command receives dead letters. Remove the policy from the dead-letter queue`,
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
      // The scan may hold all dead letters although it has reached the limit.
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
   * Counts the dead letters that other commands hold, while this scan still holds all that it has read. With exact
   * counts, `#isEmpty` has already found the number, at the moment when no message was visible. Dead letters that other
   * commands had given back or deleted before that moment do not count.
   *
   * The counts of SQS lag by a minute or more, so they may not show yet what this scan has received. But a received
   * message only changes from visible to in flight. So other commands hold the dead letters that were there when the
   * scan began and that the scan has not read.
   * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
   */
  async #countHeldElsewhere(atStart: QueueDepth): Promise<void> {
    const exact = this.#options.exactCounts === true;
    // Dead letters that are left because the scan was stopped are not held by other commands.
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
   * Receives until the queue is empty, in waves. A wave is several requests that are sent at once. While `see` works on
   * the messages of one wave, the next wave is under way. Yields only messages that the scan has not received before.
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
          // The exact counts showed a visible dead letter. Another command received it, and may have given it back.
          if (last.received === 0 && this.#options.exactCounts !== true) return;
          wave = this.#receiveWave(1);
          fresh.push(...last.fresh);
        }
        // The wave is always awaited below, because the messages that it received must be given back. Until then, this
        // handler keeps a failure of the wave from being an unhandled rejection.
        wave.catch(() => {});
        if (fresh.length > 0) yield fresh;
      }
    } finally {
      await wave.catch(() => {});
    }
  }

  /**
   * How many requests the next wave may have: twice as many as this wave filled, but not more than
   * `MOST_BYTES_PER_WAVE` allows for dead letters of the same size.
   */
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

  /**
   * Whether the queue is known to have no visible messages, without a long poll. This scan and other commands hold the
   * messages that are not visible.
   */
  async #isEmpty(): Promise<boolean> {
    if (this.#options.exactCounts !== true) return false;
    const depth = await this.#queue.depth();
    this.#heldElsewhere = notVisible(depth) - this.#held.size;
    return depth.visible === 0;
  }
}

const notVisible = ({ inFlight, delayed }: QueueDepth): number => inFlight + delayed;
