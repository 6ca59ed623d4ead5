import type { Queue } from "../aws/queue.ts";
import { LARGEST_BATCH, MOST_IN_FLIGHT } from "../aws/quotas.ts";
import type { ReceivedMessage } from "../aws/received-message.ts";

/**
 * How many requests a scan has under way at once. More requests are not faster. Over a network, eight requests move
 * 5,000 messages a second.
 */
export const PARALLEL_REQUESTS = 8;

/**
 * For how long a scan hides the messages that it receives: 60 s, and one second more for each 2,000 messages. Most
 * scans end before that. A longer scan extends the time, and doubles it with each extension. If a scan is killed, its
 * messages become visible after this time.
 */
const SHORTEST_HOLD_SECONDS = 60;
const MESSAGES_PER_EXTRA_SECOND = 2_000;
const LONGEST_HOLD_SECONDS = 600;

/**
 * How often a scan looks for messages whose time ends soon. A message's time is extended when less than twice this
 * value is left.
 */
const KEEP_MILLISECONDS = 15_000;

/** How many removed messages are remembered. */
const MOST_REMOVED_KNOWN = MOST_IN_FLIGHT;

interface Hold {
  receiptHandle: string;
  /** When the message becomes visible, in milliseconds since the epoch. */
  until: number;
}

/** The messages that a scan holds: they are hidden, so no other consumer receives them. */
export class HeldMessages {
  readonly #queue: Queue;
  readonly #now: () => number;
  /** In the order in which the messages were received. */
  readonly #held = new Map<string, Hold>();
  /** The ids of removed messages. SQS delivers at least once, so it may deliver one of them again. */
  readonly #removed = new Set<string>();
  #holdSeconds = SHORTEST_HOLD_SECONDS;

  constructor(queue: Queue, now: () => number) {
    this.#queue = queue;
    this.#now = now;
  }

  get size(): number {
    return this.#held.size;
  }

  /** The visibility timeout with which messages must be received. */
  get holdSeconds(): number {
    return this.#holdSeconds;
  }

  /** Sets how many messages the scan will probably hold. */
  expect(messages: number): void {
    const hold = SHORTEST_HOLD_SECONDS + Math.ceil(messages / MESSAGES_PER_EXTRA_SECOND);
    this.#holdSeconds = Math.min(LONGEST_HOLD_SECONDS, hold);
  }

  /** Holds a received message. @returns whether the scan has received this message for the first time. */
  hold({ id, receiptHandle }: ReceivedMessage): boolean {
    const until = this.#now() + this.#holdSeconds * 1_000;
    const known = this.#held.get(id);
    if (known !== undefined) {
      // The message had become visible, or SQS delivered it twice. Only the newest receipt handle is sure to work.
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

  /** Deletes held messages. @returns the ids of those that SQS refused to delete. They stay on the queue. */
  async remove(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const left = new Set<string>();
    await inBatches(ids, async (some) => {
      const handles = some.flatMap((id) => this.#held.get(id)?.receiptHandle ?? []);
      const refused = new Set(handles.length === 0 ? [] : await this.#queue.deleteAll(handles));
      for (const id of some) {
        const hold = this.#held.get(id);
        if (hold === undefined || refused.has(hold.receiptHandle)) left.add(id);
        else this.#forget(id);
      }
    });
    return left;
  }

  #forget(id: string): void {
    this.#held.delete(id);
    this.#removed.add(id);
    if (this.#removed.size <= MOST_REMOVED_KNOWN) return;
    const [oldest = ""] = this.#removed;
    this.#removed.delete(oldest);
  }

  /** Extends the times of the held messages from now on. @returns a function that stops the extensions. */
  keep(): () => void {
    let busy = false;
    const extend = async () => {
      if (busy) return;
      busy = true;
      await this.#extend();
      busy = false;
    };
    const timer = setInterval(() => void extend(), KEEP_MILLISECONDS).unref();
    return () => clearInterval(timer);
  }

  async #extend(): Promise<void> {
    const now = this.#now();
    const due = this.#stillHeld().filter(({ until }) => until - now < 2 * KEEP_MILLISECONDS);
    if (due.length === 0) return;
    this.#holdSeconds = Math.min(LONGEST_HOLD_SECONDS, 2 * this.#holdSeconds);
    const seconds = this.#holdSeconds;
    await this.#changeVisibilities(due, seconds);
    for (const hold of due) hold.until = now + seconds * 1_000;
  }

  /** Makes all held messages visible again, in the order in which they were received. */
  async giveBack(onGivenBack: (givenBack: number) => void): Promise<void> {
    const held = this.#stillHeld();
    this.#held.clear();
    let givenBack = 0;
    await this.#changeVisibilities(held, 0, (some) => {
      givenBack += some;
      onGivenBack(givenBack);
    });
  }

  /**
   * The messages whose time is not over. The others are in the queue, or another receiver has them. SQS would change
   * their visibility all the same.
   * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
   */
  #stillHeld(): readonly Hold[] {
    const now = this.#now();
    return [...this.#held.values()].filter(({ until }) => until > now);
  }

  // If SQS refuses the change of a message, the message becomes visible when its time is over.
  async #changeVisibilities(holds: readonly Hold[], seconds: number, done?: (some: number) => void): Promise<void> {
    await inBatches(holds, async (some) => {
      const changes = some.map(({ receiptHandle }) => ({ receiptHandle, milliseconds: seconds * 1_000 }));
      await this.#queue.changeVisibilities(changes).catch(() => {});
      done?.(some.length);
    });
  }
}

/**
 * Calls `act` with batches of the largest size that SQS accepts, in their order, with several calls under way at once.
 */
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
