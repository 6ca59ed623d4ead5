import TinyQueue from "tinyqueue";
import type { Database } from "./database.ts";

/** One receive of a message. */
export interface Receive {
  readonly sequence: number;
  /** The random number in its receipt handle. */
  readonly nonce: number;
  readonly receivedAt: number;
  /** Until when the message is hidden. */
  readonly visibleAt: number;
  /** As in the column of this name. Receives that are kept in memory have 1. */
  readonly hold: 1 | 2;
  /** The seconds of the last change of its visibility, if its receiver changed it. */
  readonly visibilityChangedTo?: number;
  /** The place of the message in the queue's order, according to its row. */
  readonly stoodAt: number;
  /** The place of the message before its first receive. */
  readonly firstStoodAt: number;
  /** Whether the message was received before. Then its row has the nonce of an earlier receive. */
  readonly again: boolean;
}

/** A place in a queue's order. */
export interface Place {
  readonly visible_at: number;
  readonly sequence: number;
}

const start: Place = { visible_at: Number.MIN_SAFE_INTEGER, sequence: 0 };

const byPlace = (a: Place, b: Place): number => a.visible_at - b.visible_at || a.sequence - b.sequence;

const byEnd = (a: Receive, b: Receive): number => a.visibleAt - b.visibleAt;

/** The heap of ends is built again when it has more outdated entries than current ones, by more than this number. */
const STALE_ENDS = 1_000;

/**
 * The receives of a standard queue that are under way and that are recorded in memory only. Most messages are deleted
 * soon after their receive, and not writing the receive saves a third of the cost of a message.
 *
 * No message is lost when the process ends. The start after a crash undoes all receives anyway (`releaseOrphans`), and
 * the rows of these messages look as if they had not been received. Receives that must outlive the process are written:
 * a changed visibility at once, and a receive whose time is over when messages are next received or counted.
 *
 * The rows of these messages look visible. There may be many of these rows, so a receive must not read them. So this
 * class keeps a place in the queue's order (`passed`). All rows up to this place belong to messages under way, except
 * for the gaps, such as messages that were put back.
 */
export class UnwrittenReceives {
  readonly #database: Database;
  readonly #bySequence = new Map<number, Receive>();
  #ends = new TinyQueue<Receive>(undefined, byEnd);
  #passed = start;
  /** The gaps: rows up to `passed` that may not belong to messages under way. Places by sequence number. */
  readonly #gaps = new Map<number, number>();
  /** The gaps in order, possibly with outdated ones. `undefined` after a gap was added. */
  #gapsInOrder: readonly Place[] | undefined;
  #latestStoodAt = Number.NEGATIVE_INFINITY;

  constructor(database: Database) {
    this.#database = database;
  }

  get size(): number {
    return this.#bySequence.size;
  }

  get(sequence: number): Receive | undefined {
    return this.#bySequence.get(sequence);
  }

  /** Whether the message of this row is under way. */
  has(sequence: number): boolean {
    return this.#bySequence.has(sequence);
  }

  /** Adds receives. Each one replaces an earlier receive of its message. */
  set(receives: readonly Receive[]): void {
    this.#whenUndone(receives.map(({ sequence }) => sequence));
    for (const receive of receives) {
      this.#bySequence.set(receive.sequence, receive);
      this.#gaps.delete(receive.sequence);
      this.#ends.push(receive);
      if (receive.stoodAt > this.#latestStoodAt) this.#latestStoodAt = receive.stoodAt;
    }
    if (this.#ends.length > 2 * this.size + STALE_ENDS) {
      this.#ends = new TinyQueue([...this.#bySequence.values()], byEnd);
    }
  }

  /** Forgets receives. Their messages were deleted, or their rows were written: see `rowAt`. */
  forget(sequences: readonly number[]): void {
    this.#whenUndone(sequences);
    for (const sequence of sequences) this.#bySequence.delete(sequence);
  }

  /** Forgets all receives, after all rows were deleted. */
  clear(): void {
    this.forget([...this.#bySequence.keys()]);
  }

  /** Undoes a receive. Its message returns to its place. */
  takeBack({ sequence, stoodAt, again }: Receive): void {
    // Otherwise the handle of the previous receive would be valid again.
    if (again) this.#database.run("UPDATE messages SET receipt = 0 WHERE sequence = ?", sequence);
    this.forget([sequence]);
    this.rowAt({ visible_at: stoodAt, sequence });
  }

  /** Writes a receive to the row of its message, and forgets it. */
  writeDown(receive: Receive): void {
    this.#database.run(
      `UPDATE messages SET first_visible_at = ?, visible_at = ?, hold = ?, visibility_changed_to = ?,
         receives = receives + 1, receipt = ?, received_at = ?, first_received_at = coalesce(first_received_at, ?) WHERE sequence = ?`,
      receive.firstStoodAt,
      receive.visibleAt,
      receive.hold,
      receive.visibilityChangedTo ?? null,
      receive.nonce,
      receive.receivedAt,
      receive.receivedAt,
      receive.sequence,
    );
    this.forget([receive.sequence]);
    this.rowAt({ visible_at: receive.visibleAt, sequence: receive.sequence });
  }

  /** Writes the receives whose time is over. */
  writeDownEnded(now: number): void {
    if ((this.nextEnd() ?? Number.POSITIVE_INFINITY) > now) return;
    this.#database.transaction(() => {
      for (let end = this.#nextEnding(); end !== undefined && end.visibleAt <= now; end = this.#nextEnding()) {
        this.writeDown(end);
      }
    });
  }

  /** Writes all receives. */
  writeDownAll(): void {
    this.writeDownEnded(Number.POSITIVE_INFINITY);
  }

  /** When the first receive ends. */
  nextEnd(): number | undefined {
    return this.#nextEnding()?.visibleAt;
  }

  /** How many of the messages have a place that is in the future, because the clock was set back. */
  countStandingAfter(now: number): number {
    if (this.#latestStoodAt <= now) return 0;
    return this.#bySequence.values().reduce((count, { stoodAt }) => count + (stoodAt > now ? 1 : 0), 0);
  }

  /** All rows up to this place belong to messages under way, except for the gaps. */
  get passed(): Place {
    return this.#passed;
  }

  /** Notes that all rows up to this place belong to messages under way, at the latest at the end of this transaction. */
  pass(place: Place): void {
    if (byPlace(place, this.#passed) <= 0) return;
    this.#whenUndone([]);
    this.#passed = { visible_at: place.visible_at, sequence: place.sequence };
  }

  /** The gaps, in order. */
  gaps(): readonly Place[] {
    if (this.#gaps.size === 0) return [];
    this.#gapsInOrder ??= [...this.#gaps]
      .map(([sequence, visible_at]): Place => ({ visible_at, sequence }))
      .sort(byPlace);
    this.#gapsInOrder = this.#gapsInOrder.filter(({ visible_at, sequence }) => this.#gaps.get(sequence) === visible_at);
    return this.#gapsInOrder;
  }

  /** Notes that the row of a message that is not under way is at this place. */
  rowAt({ visible_at, sequence }: Place): void {
    if (byPlace({ visible_at, sequence }, this.#passed) > 0) this.noGap(sequence);
    else {
      this.#gaps.set(sequence, visible_at);
      this.#gapsInOrder = undefined;
    }
  }

  /** Notes that this row is no gap. */
  noGap(sequence: number): void {
    if (this.#gaps.delete(sequence)) this.#whenUndone([]);
  }

  #nextEnding(): Receive | undefined {
    for (let end = this.#ends.peek(); end !== undefined; end = this.#ends.peek()) {
      if (this.#bySequence.get(end.sequence) === end) return end;
      this.#ends.pop();
    }
    return undefined;
  }

  /** If the transaction is undone, restores the receives of these messages, and forgets `passed` and the gaps. */
  #whenUndone(sequences: readonly number[]): void {
    const before = sequences.map((sequence) => this.#bySequence.get(sequence));
    this.#database.whenUndone(() => {
      for (const [index, sequence] of sequences.entries()) {
        const receive = before[index];
        if (receive === undefined) this.#bySequence.delete(sequence);
        else {
          this.#bySequence.set(sequence, receive);
          this.#ends.push(receive);
        }
      }
      this.#passed = start;
      this.#gaps.clear();
      this.#gapsInOrder = undefined;
    });
  }
}
