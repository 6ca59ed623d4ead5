import TinyQueue from "tinyqueue";
import type { Database } from "./database.ts";

/** One receive of a message. */
export interface Receive {
  readonly sequence: number;
  /** What its receipt handle says. */
  readonly nonce: number;
  readonly receivedAt: number;
  /** Until when the message is hidden. */
  readonly visibleAt: number;
  /** As in the column of this name. Receives that are kept in memory have 1. */
  readonly hold: 1 | 2;
  /** The seconds of the last change of its visibility, if its receiver changed it. */
  readonly visibilityChangedTo?: number;
  /** Where the message stands in the queue's order, by its row. */
  readonly stoodAt: number;
  /** Where it stood before it was ever received. */
  readonly firstStoodAt: number;
  /** Whether it was received before: its row has the nonce of then. */
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

/** Ends of receives that are over already may take as much memory as the others, and this much. */
const STALE_ENDS = 10_000;

/**
 * The receives of a standard queue that are under way, and not written down: most messages are deleted soon after, and a
 * row that is only inserted and deleted costs two thirds. No message is lost with the process: a start after a crash takes
 * receives back in any case (`releaseOrphans`), and the rows of these are as if they had not happened. Written down is what
 * is to outlive the process, a backoff, and a receive whose time is over, as soon as the queue is asked for anything.
 *
 * The rows of messages under way look visible. That nobody walks over them, however many there are, a place is known up
 * to which all rows are of messages under way (`passed`), but for the gaps: messages that were put back, say.
 */
export class UnwrittenReceives {
  readonly #database: Database;
  readonly #bySequence = new Map<number, Receive>();
  #ends = new TinyQueue<Receive>([], byEnd);
  #passed = start;
  /** Rows up to `passed` that may not be of messages under way: their places, by their sequence numbers. */
  readonly #gaps = new Map<number, number>();
  /** The gaps in order, with some that are none any more; `undefined` after others came. */
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

  /** Sets receives down, each in place of an earlier one of its message. */
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

  /** Forgets receives: their messages are gone, or their rows tell all from now on (see `rowAt`). */
  forget(sequences: readonly number[]): void {
    this.#whenUndone(sequences);
    for (const sequence of sequences) this.#bySequence.delete(sequence);
  }

  /** Forgets all: there are no rows any more. */
  clear(): void {
    this.forget([...this.#bySequence.keys()]);
  }

  /** Takes a receive back: its message stands where it stood. */
  takeBack({ sequence, stoodAt, again }: Receive): void {
    // Else the handle of the receive before would be the latest one.
    if (again) this.#database.run("UPDATE messages SET receipt = 0 WHERE sequence = ?", sequence);
    this.forget([sequence]);
    this.rowAt({ visible_at: stoodAt, sequence });
  }

  /** Writes a receive down, and forgets it: its row tells all from now on. */
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

  /** Writes down those whose time is over. */
  writeDownEnded(now: number): void {
    if ((this.nextEnd() ?? Number.POSITIVE_INFINITY) > now) return;
    this.#database.transaction(() => {
      for (let end = this.#nextEnding(); end !== undefined && end.visibleAt <= now; end = this.#nextEnding()) {
        this.writeDown(end);
      }
    });
  }

  /** Writes down all of them. */
  writeDownAll(): void {
    this.writeDownEnded(Number.POSITIVE_INFINITY);
  }

  /** When the first of them ends. */
  nextEnd(): number | undefined {
    return this.#nextEnding()?.visibleAt;
  }

  /** How many of them stand where, by the clock, they are not visible yet: it was set back. */
  countStandingAfter(now: number): number {
    if (this.#latestStoodAt <= now) return 0;
    return this.#bySequence.values().reduce((count, { stoodAt }) => count + (stoodAt > now ? 1 : 0), 0);
  }

  /** Up to which place all rows but the gaps are of messages under way. */
  get passed(): Place {
    return this.#passed;
  }

  /** Says that all rows up to this place are of messages under way, or will be by the end of this transaction. */
  pass(place: Place): void {
    if (byPlace(place, this.#passed) <= 0) return;
    this.#whenUndone([]);
    this.#passed = { visible_at: place.visible_at, sequence: place.sequence };
  }

  /** Rows up to `passed` that may not be of messages under way, in order. */
  gaps(): readonly Place[] {
    if (this.#gaps.size === 0) return [];
    this.#gapsInOrder ??= [...this.#gaps]
      .map(([sequence, visible_at]): Place => ({ visible_at, sequence }))
      .sort(byPlace);
    this.#gapsInOrder = this.#gapsInOrder.filter(({ visible_at, sequence }) => this.#gaps.get(sequence) === visible_at);
    return this.#gapsInOrder;
  }

  /** Says that there is a row at this place, and nowhere else, which is not of a message under way. */
  rowAt({ visible_at, sequence }: Place): void {
    if (byPlace({ visible_at, sequence }, this.#passed) > 0) this.noGap(sequence);
    else {
      this.#gaps.set(sequence, visible_at);
      this.#gapsInOrder = undefined;
    }
  }

  /** Says that there is no gap with this row. */
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

  /** Has what is known of these messages undone with the transaction, and forgotten where the others are. */
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
