import type { Queue } from "./queue-registry.ts";

/** Somebody who waits for messages. */
export interface Waiter {
  /** How many messages would satisfy it. */
  readonly wants: number;
  /** Offers it what is there. Returns how many messages it took; with 0 it keeps waiting. */
  readonly offer: () => number;
}

/** What waiting needs to know of a queue. */
export interface Prospects {
  /** How many messages can be received now, counted up to `limit`. */
  readonly receivable: (queue: Queue, limit: number) => number;
  /** When the first message becomes receivable by itself after a moment (ms), if one does. */
  readonly nextAt: (queue: Queue, after: number) => number | undefined;
  readonly clock: () => number;
}

// A timer may sleep no longer than this: the clock may be set, and Node's timers end at 24 days.
const longestSleepMs = 60_000;

/**
 * Who waits at which queue, first come, first served: each message wakes one waiter. There is no polling: a change wakes
 * at once, and one timer a queue sleeps until its next message becomes visible.
 *
 * Offers are made in the event loop's next turn: after the change that they follow is committed.
 */
export class Waiters {
  readonly #prospects: Prospects;
  readonly #waiting = new Map<Queue, Set<Waiter>>();
  readonly #timers = new Map<Queue, NodeJS.Timeout>();
  readonly #changed = new Set<Queue>();
  #scheduled: NodeJS.Immediate | undefined;

  constructor(prospects: Prospects) {
    this.#prospects = prospects;
  }

  /** Adds a waiter; the function returned takes it away again. */
  add(queue: Queue, waiter: Waiter): () => void {
    let waiters = this.#waiting.get(queue);
    if (waiters === undefined) {
      waiters = new Set();
      this.#waiting.set(queue, waiters);
    }
    waiters.add(waiter);
    this.changed(queue);
    return () => this.#remove(queue, waiter);
  }

  /** Says that messages may have become receivable. */
  changed(queue: Queue): void {
    if (!this.#waiting.has(queue)) return;
    this.#changed.add(queue);
    this.#scheduled ??= setImmediate(() => this.#offerAll());
  }

  /** Looks at every queue again; for a clock that does not advance by itself. */
  changedAll(): void {
    for (const queue of this.#waiting.keys()) this.changed(queue);
  }

  /** Stops all timers. Nobody is offered anything any more. */
  close(): void {
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#waiting.clear();
  }

  #offerAll(): void {
    this.#scheduled = undefined;
    const queues = [...this.#changed];
    this.#changed.clear();
    for (const queue of queues) this.#offer(queue);
  }

  #offer(queue: Queue): void {
    const waiters = this.#waiting.get(queue);
    if (waiters === undefined) return;
    // What becomes receivable from here on is seen by this offer or by the next: no millisecond between them is lost.
    const from = this.#prospects.clock();
    let wanted = 0;
    for (const waiter of waiters) wanted += waiter.wants;
    let available = this.#receivable(queue, wanted);
    for (const waiter of [...waiters]) {
      if (available <= 0) break;
      const taken = waiter.offer();
      if (taken > 0) this.#remove(queue, waiter);
      available -= taken;
    }
    this.#sleep(queue, from);
  }

  #receivable(queue: Queue, wanted: number): number {
    try {
      return this.#prospects.receivable(queue, wanted);
    } catch {
      // Whoever waits will meet the error in what it is offered, and tell of it.
      return wanted;
    }
  }

  #sleep(queue: Queue, from: number): void {
    clearTimeout(this.#timers.get(queue));
    this.#timers.delete(queue);
    if (!this.#waiting.has(queue)) return;
    const nextAt = this.#prospects.nextAt(queue, from);
    if (nextAt === undefined) return;
    const delay = Math.min(Math.max(1, nextAt - this.#prospects.clock()), longestSleepMs);
    this.#timers.set(
      queue,
      setTimeout(() => this.changed(queue), delay),
    );
  }

  #remove(queue: Queue, waiter: Waiter): void {
    const waiters = this.#waiting.get(queue);
    waiters?.delete(waiter);
    if (waiters?.size !== 0) return;
    this.#waiting.delete(queue);
    clearTimeout(this.#timers.get(queue));
    this.#timers.delete(queue);
  }
}
