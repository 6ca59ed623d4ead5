import type { Database } from "./database.ts";

/** One receive of a message. */
export interface Receive {
  readonly sequence: number;
  /** What its receipt handle says. */
  readonly nonce: number;
  readonly receivedAt: number;
  /** Until when the message is hidden. */
  readonly visibleAt: number;
  /** As in the column of this name; those that are kept here have 1 or 3. */
  readonly hold: 1 | 2 | 3;
  /** Where the message stands in the queue's order, by its row. */
  readonly stoodAt: number;
  /** Where it stood before it was ever received. */
  readonly firstStoodAt: number;
}

/** A place in a queue's order. */
export interface Place {
  readonly visible_at: number;
  readonly sequence: number;
}

const start: Place = { visible_at: Number.MIN_SAFE_INTEGER, sequence: 0 };

/**
 * The receives of a standard queue that are under way, and not written down: most messages are deleted soon after, and a
 * row that is only inserted and deleted costs two thirds. Nothing is lost with the process: a start after a crash takes
 * receives back in any case (`releaseOrphans`), and the rows of these are as if they had not happened. What is to
 * outlive the process (a backoff, a receive whose time ended) is written down by `writeDown`.
 *
 * Rows of messages under way look visible. Those at the front of the queue are passed over at once: `passed` is a place
 * up to which there are no others.
 */
export class Receives {
  readonly #database: Database;
  readonly #bySequence = new Map<number, Receive>();
  #passed = start;
  /** No receive ends before. */
  #earliestEnd = Number.POSITIVE_INFINITY;

  constructor(database: Database) {
    this.#database = database;
  }

  get(sequence: number): Receive | undefined {
    return this.#bySequence.get(sequence);
  }

  /** Whether the message of this row is under way. */
  has(sequence: number): boolean {
    return this.#bySequence.has(sequence);
  }

  /** All of them, in no order. */
  all(): Receive[] {
    return [...this.#bySequence.values()];
  }

  /** Sets receives down, each in place of an earlier one of its message. */
  set(receives: readonly Receive[]): void {
    this.#undone(receives.map(({ sequence }) => sequence));
    for (const receive of receives) {
      this.#bySequence.set(receive.sequence, receive);
      if (receive.visibleAt < this.#earliestEnd) this.#earliestEnd = receive.visibleAt;
    }
  }

  /** Forgets receives: their messages are gone, or their rows tell all from now on (see `rowAt`). */
  forget(sequences: readonly number[]): void {
    this.#undone(sequences);
    for (const sequence of sequences) this.#bySequence.delete(sequence);
  }

  /** Writes a receive down, and forgets it: its row tells all from now on. */
  writeDown(receive: Receive): void {
    this.#database.run(
      `UPDATE messages SET first_visible_at = ?, visible_at = ?, hold = ?, receives = receives + 1, receipt = ?,
         received_at = ?, first_received_at = coalesce(first_received_at, ?) WHERE sequence = ?`,
      receive.firstStoodAt,
      receive.visibleAt,
      receive.hold,
      receive.nonce,
      receive.receivedAt,
      receive.receivedAt,
      receive.sequence,
    );
    this.forget([receive.sequence]);
    this.rowAt({ visible_at: receive.visibleAt, sequence: receive.sequence });
  }

  /** Writes down all of them: for who looks at the rows alone. */
  writeDownAll(): void {
    for (const receive of this.all()) this.writeDown(receive);
  }

  /** Those whose time is over. */
  ended(now: number): Receive[] {
    if (now < this.#earliestEnd) return [];
    const ended = this.all().filter(({ visibleAt }) => visibleAt <= now);
    if (ended.length === 0) this.#earliestEnd = this.nextEnd(now) ?? Number.POSITIVE_INFINITY;
    return ended;
  }

  /** When the first of them ends after a moment. */
  nextEnd(after: number): number | undefined {
    let end: number | undefined;
    for (const { visibleAt } of this.#bySequence.values()) {
      if (visibleAt > after && visibleAt < (end ?? Number.POSITIVE_INFINITY)) end = visibleAt;
    }
    return end;
  }

  /** How many are under way at a moment. */
  countAt(now: number): number {
    let count = 0;
    for (const { visibleAt } of this.#bySequence.values()) if (visibleAt > now) count += 1;
    return count;
  }

  /** Up to which place all rows are of messages under way. */
  get passed(): Place {
    return this.#passed;
  }

  /** Says that all rows up to this place are of messages under way, or will be by the end of this transaction. */
  pass(place: Place): void {
    this.#database.whenUndone(() => {
      this.#passed = start;
    });
    this.#passed = { visible_at: place.visible_at, sequence: place.sequence };
  }

  /** Says that there may be a row anywhere which is not of a message under way. */
  lookAgain(): void {
    this.#passed = start;
  }

  /** Says that there is a row at this place which is not of a message under way. */
  rowAt({ visible_at, sequence }: Place): void {
    const { visible_at: passedAt, sequence: passed } = this.#passed;
    if (visible_at < passedAt || (visible_at === passedAt && sequence <= passed)) {
      this.#passed = { visible_at, sequence: sequence - 1 };
    }
  }

  /** Has what is known of these messages undone with the transaction. */
  #undone(sequences: readonly number[]): void {
    const before = sequences.map((sequence) => this.#bySequence.get(sequence));
    this.#database.whenUndone(() => {
      for (const [index, sequence] of sequences.entries()) {
        const receive = before[index];
        if (receive === undefined) this.#bySequence.delete(sequence);
        else this.#bySequence.set(sequence, receive);
      }
      this.#passed = start;
      this.#earliestEnd = Number.NEGATIVE_INFINITY;
    });
  }
}
