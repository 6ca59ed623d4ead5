import type { Queue } from "./queue-registry.ts";

/** A caller that waits for messages. */
export interface Waiter {
  /** How many messages it wants at most. */
  readonly wants: number;
  /** Lets it receive messages. Returns how many it received. After 0 it continues to wait. */
  readonly offer: () => number;
}

/** What is known about the next messages of a queue. */
export interface Prospects {
  /** Counts the messages that can be received now, up to `limit`. */
  readonly receivable: (queue: Queue, limit: number) => number;
  /** When the first message after a given time (ms) becomes receivable without a request, if one does. */
  readonly nextAt: (queue: Queue, after: number) => number | undefined;
  readonly clock: () => number;
}

// The longest time of a timer. The clock may be set, and Node's timers have a maximum of 24 days.
const longestSleepMs = 60_000;

/**
 * The callers that wait for messages, by queue. They are served in their order, and each message wakes one of them. There
 * is no polling: a change wakes a waiter at once, and a timer for each queue fires when its next message becomes visible.
 *
 * Messages are offered in the next tick of the event loop, when the change that made them receivable is committed.
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

  /** Adds a waiter. The returned function removes it. */
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

  /** Must be called when messages may have become receivable. */
  changed(queue: Queue): void {
    if (!this.#waiting.has(queue)) return;
    this.#changed.add(queue);
    this.#scheduled ??= setImmediate(() => this.#offerAll());
  }

  /** Checks every queue again. Tests need it after they have advanced the clock. */
  changedAll(): void {
    for (const queue of this.#waiting.keys()) this.changed(queue);
  }

  /** Stops all timers and offers. */
  close(): void {
    clearImmediate(this.#scheduled);
    for (const timer of this.#timers.values()) clearTimeout(timer);
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
    // A message that becomes receivable after this time is seen by this offer or by the next one.
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
      // The receive of the waiter fails with the same error, and reports it.
      return wanted;
    }
  }

  #sleep(queue: Queue, from: number): void {
    clearTimeout(this.#timers.get(queue));
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
