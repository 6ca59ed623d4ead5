import type { Queue, QueueDepth } from "../aws/queue.ts";
import { LARGEST_BATCH, LARGEST_MESSAGE_BYTES, MOST_IN_FLIGHT } from "../aws/quotas.ts";
import type { ReceivedMessage } from "../aws/received-message.ts";
import { SluiceError } from "../base/errors.ts";
import { DEAD_LETTER_ATTRIBUTES, type DeadLetter, toDeadLetter } from "./read-dead-letter.ts";

/** Requests under way at once. More would not be faster on one machine, and over a network these give 5,000 dead letters a second. */
const PARALLEL_REQUESTS = 8;

/**
 * A pass that is killed gives its dead letters back after this, and a second more for each 2,000 of them: most passes end
 * before. While one goes on it is put off, each time by twice as much.
 */
const SHORTEST_HOLD_SECONDS = 60;
const DEAD_LETTERS_PER_SECOND_MORE = 2_000;
const LONGEST_HOLD_SECONDS = 600;

/** Holds are looked at so often, and put off when they have less than twice this left. */
const KEEP_MILLISECONDS = 15_000;

/** Removed dead letters that are known again, should SQS show one once more. */
const MOST_REMOVED_KNOWN = MOST_IN_FLIGHT;

/** Of the bodies of one wave: dead letters may be a mebibyte each. */
const MOST_BYTES_PER_WAVE = 4 * LARGEST_MESSAGE_BYTES;

/** An empty answer of a short poll says little on AWS, one of a long poll was asked of all its servers. */
const LAST_POLL_SECONDS = 1;

export interface PassOptions {
  /** Ends the pass early: what it holds is given back, and its result says `interrupted`. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: PassProgress) => void) | undefined;
  /**
   * The queue's counts are exact, as the embedded engine's are. It spares the last, long poll, and tells exactly what
   * others hold. SQS's own counts are approximate. Default: false.
   */
  readonly exactCounts?: boolean | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
}

export interface PassProgress {
  /** Dead letters looked at so far. */
  readonly looked: number;
  /** About how many there are. */
  readonly total: number;
  /** Of those that are held at the end, how many were given back so far. */
  readonly givenBack: number;
}

export interface PassResult {
  /** Dead letters looked at, each once. */
  readonly looked: number;
  /** Dead letters that could not be looked at, because others hold them. About as many, where counts are not exact. */
  readonly heldElsewhere: number;
  /** Whether `heldElsewhere` comes of approximate counts: dead letters that others deleted in between may be among them. */
  readonly approximate: boolean;
  /** Whether it looked at all letters: none was held elsewhere, and nothing stopped it. */
  readonly complete: boolean;
  /**
   * Why there may be more than were looked at: the pass was interrupted, or holds as many as SQS lets be in flight
   * (about 120,000). `undefined`: it looked at all.
   */
  readonly stoppedBy: "interruption" | "in-flight limit" | undefined;
}

/** A dead letter that a pass holds: nobody else receives it. */
export interface HeldDeadLetter extends DeadLetter {
  readonly receiptHandle: string;
}

interface Wave {
  /** Dead letters received, those included that were seen before. */
  readonly received: number;
  readonly fresh: ReceivedMessage[];
}

interface Hold {
  receiptHandle: string;
  until: number;
}

/**
 * One walk over a dead-letter queue. A dead letter given back at once would be received again, so the pass holds what it
 * looks at until it ends, and then gives all of it back, in the order in which it came. What is taken out of the queue
 * on the way is deleted by `remove`.
 */
export class Pass {
  readonly #queue: Queue;
  readonly #options: PassOptions;
  readonly #now: () => number;
  /** In the order in which they came. */
  readonly #held = new Map<string, Hold>();
  /** Dead letters that were removed: SQS delivers at least once, and may show one again. */
  readonly #removed = new Set<string>();
  #holdSeconds = SHORTEST_HOLD_SECONDS;
  #total = 0;
  #looked = 0;
  /** Of those, how many were sent before the pass began. */
  #lookedOld = 0;
  #heldElsewhere = 0;
  #stoppedBy: PassResult["stoppedBy"];

  constructor(queue: Queue, options: PassOptions = {}) {
    this.#queue = queue;
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  get result(): PassResult {
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
   * Goes through all dead letters once, and calls `see` with some at a time. Ends when all are seen and given back.
   *
   * @throws {SluiceError} `DLQ_MOVES_ON`: the queue has a redrive policy of its own, which would move what is looked at.
   * @throws What `see` throws, after everything was given back.
   */
  async run(see: (deadLetters: readonly HeldDeadLetter[]) => void | Promise<void>): Promise<PassResult> {
    const { signal } = this.#options;
    const beganAt = this.#now();
    const [{ retentionSeconds, maxReceiveCount }, depth] = await Promise.all([
      this.#queue.policy(),
      this.#queue.depth(),
    ]);
    if (maxReceiveCount !== undefined) {
      throw new SluiceError(
        "DLQ_MOVES_ON",
        `the dead-letter queue has a redrive policy of its own: after ${maxReceiveCount} receives SQS moves a dead letter ` +
          "on, and a look is a receive. Take the policy off the queue, or look at the queue it moves them to",
      );
    }
    this.#total = depth.visible;
    const hold = SHORTEST_HOLD_SECONDS + Math.ceil(depth.visible / DEAD_LETTERS_PER_SECOND_MORE);
    this.#holdSeconds = Math.min(LONGEST_HOLD_SECONDS, hold);
    const keeper = this.#keepHolding();
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
      // They may just have been all.
      else if (this.#stoppedBy !== undefined && (await this.#queue.depth()).visible === 0) this.#stoppedBy = undefined;
      await this.#countHeldElsewhere(depth);
    } finally {
      clearInterval(keeper);
      await this.#giveBackAll();
    }
    return this.result;
  }

  /**
   * Deletes dead letters that the pass holds.
   *
   * @returns the ids of those that SQS would not delete: they stay on the queue.
   */
  async remove(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const left = new Set<string>();
    const remove = async (some: readonly string[]) => {
      const handles = some.flatMap((id) => this.#held.get(id)?.receiptHandle ?? []);
      const refused = new Set(handles.length === 0 ? [] : await this.#queue.deleteAll(handles));
      for (const id of some) {
        const hold = this.#held.get(id);
        if (hold === undefined || refused.has(hold.receiptHandle)) left.add(id);
        else this.#forget(id);
      }
    };
    await inBatches(ids, remove);
    return left;
  }

  /**
   * Counts what others hold, while this pass still holds all that it looked at. Exact counts have told it when the queue
   * was empty; what others gave back or deleted before is not missing.
   *
   * SQS's counts lag by a minute or more, so what this pass received may not be in them yet. But what was received only
   * changes from visible to in flight: of the dead letters that were there when the pass began, it misses those that it has
   * not seen.
   * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
   */
  async #countHeldElsewhere(atStart: QueueDepth): Promise<void> {
    const exact = this.#options.exactCounts === true;
    // What is left because the pass was stopped is not held by others.
    if (this.#stoppedBy !== undefined) {
      this.#heldElsewhere = exact ? notVisible(await this.#queue.depth()) - this.#held.size : notVisible(atStart);
    } else if (!exact) {
      const missed = atStart.visible + notVisible(atStart) - this.#lookedOld;
      this.#heldElsewhere = Math.max(missed, notVisible(await this.#queue.depth()) - this.#looked);
    }
    this.#heldElsewhere = Math.max(0, this.#heldElsewhere);
  }

  #forget(id: string): void {
    this.#held.delete(id);
    this.#removed.add(id);
    if (this.#removed.size <= MOST_REMOVED_KNOWN) return;
    const [oldest = ""] = this.#removed;
    this.#removed.delete(oldest);
  }

  #tell(givenBack: number): void {
    const total = Math.max(this.#total, this.#looked);
    this.#options.onProgress?.({ looked: this.#looked, total, givenBack });
  }

  /** @returns whether the message is looked at for the first time. */
  #hold({ id, receiptHandle }: ReceivedMessage): boolean {
    const until = this.#now() + this.#holdSeconds * 1_000;
    const known = this.#held.get(id);
    if (known !== undefined) {
      // Its hold had run out, or SQS delivered it twice: the newest receipt handle is the one that serves.
      known.receiptHandle = receiptHandle;
      known.until = until;
      return false;
    }
    if (this.#removed.has(id)) {
      void this.#queue.deleteAll([receiptHandle]).catch(() => {});
      return false;
    }
    this.#held.set(id, { receiptHandle, until });
    return true;
  }

  /**
   * Receives until nothing is left, in waves of several requests at once. While a wave is looked at, the next one is
   * under way. Only dead letters that are seen for the first time are passed on.
   */
  async *#receiveAll(): AsyncGenerator<readonly ReceivedMessage[]> {
    let wave = this.#ask(PARALLEL_REQUESTS);
    try {
      for (;;) {
        const { received, fresh } = await wave;
        if (received > 0) wave = this.#ask(this.#nextWave(received, fresh));
        else {
          if (this.#mayNotGoOn() || (await this.#isEmpty())) return;
          const last = await this.#ask(1, LAST_POLL_SECONDS);
          // By exact counts a dead letter was there: others had it for a moment, and may have given it back.
          if (last.received === 0 && this.#options.exactCounts !== true) return;
          wave = this.#ask(1);
          fresh.push(...last.fresh);
        }
        // Whatever comes of this wave, the next one is awaited below: what it received must be given back.
        wave.catch(() => {});
        if (fresh.length > 0) yield fresh;
      }
    } finally {
      await wave.catch(() => {});
    }
  }

  /** How many requests the next wave may have: twice as many as this one filled, of dead letters as large as these. */
  #nextWave(received: number, fresh: readonly ReceivedMessage[]): number {
    const characters = fresh.reduce((sum, { body }) => sum + body.length, 0);
    const perRequest = (characters / Math.max(1, fresh.length)) * LARGEST_BATCH.entries;
    const filled = Math.ceil((2 * received) / LARGEST_BATCH.entries);
    return Math.min(filled, Math.floor(MOST_BYTES_PER_WAVE / Math.max(1, perRequest)));
  }

  #mayNotGoOn(): boolean {
    return this.#options.signal?.aborted === true || this.#stoppedBy !== undefined;
  }

  /** One wave: some requests at once, as many as may still be in flight. */
  async #ask(wanted: number, waitSeconds = 0): Promise<Wave> {
    const requests = Math.max(1, Math.min(wanted, PARALLEL_REQUESTS));
    if (this.#held.size + requests * LARGEST_BATCH.entries > MOST_IN_FLIGHT) this.#stoppedBy = "in-flight limit";
    if (this.#mayNotGoOn()) return { received: 0, fresh: [] };
    const answers = await Promise.allSettled(Array.from({ length: requests }, () => this.#receive(waitSeconds)));
    const messages = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    const fresh = messages.filter((message) => this.#hold(message));
    for (const answer of answers) if (answer.status === "rejected") throw answer.reason;
    return { received: messages.length, fresh };
  }

  async #receive(waitSeconds: number): Promise<readonly ReceivedMessage[]> {
    try {
      return await this.#queue.receive({
        max: LARGEST_BATCH.entries,
        waitSeconds,
        visibilityTimeoutSeconds: this.#holdSeconds,
        systemAttributes: DEAD_LETTER_ATTRIBUTES,
      });
    } catch (error) {
      if (!(error instanceof Error && error.name === "OverLimit")) throw error;
      this.#stoppedBy = "in-flight limit";
      return [];
    }
  }

  /** Whether a long poll can be spared. What is not visible at that very moment is held by this pass, or by others. */
  async #isEmpty(): Promise<boolean> {
    if (this.#options.exactCounts !== true) return false;
    const depth = await this.#queue.depth();
    this.#heldElsewhere = notVisible(depth) - this.#held.size;
    return depth.visible === 0;
  }

  #keepHolding(): NodeJS.Timeout {
    let busy = false;
    const keep = async () => {
      if (busy) return;
      busy = true;
      await this.#extend();
      busy = false;
    };
    return setInterval(() => void keep(), KEEP_MILLISECONDS).unref();
  }

  async #extend(): Promise<void> {
    const now = this.#now();
    const due = [...this.#held.values()].filter(({ until }) => until - now < 2 * KEEP_MILLISECONDS);
    if (due.length === 0) return;
    this.#holdSeconds = Math.min(LONGEST_HOLD_SECONDS, 2 * this.#holdSeconds);
    const seconds = this.#holdSeconds;
    await this.#changeVisibilities(due, seconds);
    for (const hold of due) hold.until = now + seconds * 1_000;
  }

  async #giveBackAll(): Promise<void> {
    const held = [...this.#held.values()];
    this.#held.clear();
    let givenBack = 0;
    await this.#changeVisibilities(held, 0, (some) => {
      givenBack += some;
      this.#tell(givenBack);
    });
  }

  /** What SQS does not take comes back by itself when its hold is over. */
  async #changeVisibilities(holds: readonly Hold[], seconds: number, done?: (some: number) => void): Promise<void> {
    await inBatches(holds, async (some) => {
      const changes = some.map(({ receiptHandle }) => ({ receiptHandle, milliseconds: seconds * 1_000 }));
      await this.#queue.changeVisibilities(changes).catch(() => {});
      done?.(some.length);
    });
  }
}

const notVisible = ({ inFlight, delayed }: QueueDepth): number => inFlight + delayed;

/** Ten at a time as SQS takes them, in their order, and some requests at once. */
async function inBatches<Item>(items: readonly Item[], act: (some: readonly Item[]) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < items.length) {
      const some = items.slice(next, next + LARGEST_BATCH.entries);
      next += some.length;
      await act(some);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_REQUESTS }, work));
}
