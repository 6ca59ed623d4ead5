import TinyQueue from "tinyqueue";
import type { Events } from "./events.ts";
import type { Random } from "./random.ts";

/** An item in the queue. */
export interface Item {
  receives: number;
  throttles: number;
  failures: number;
  isHidden: boolean;
}

const PAGE = 200;

interface Receiver {
  readonly max: number;
  readonly take: (items: readonly Item[]) => void;
  isDone: boolean;
}

/**
 * A standard queue. It delivers visible messages in random order, and a long poll that waits is served when messages become
 * visible, also at random. The producer keeps `backlog` messages in it while the source has more.
 */
export class SimulatedQueue {
  readonly #events: Events;
  readonly #random: Random;
  readonly #visible: Item[] = [];
  readonly #hidden = new TinyQueue<{ at: number; items: readonly Item[] }>([], (a, b) => a.at - b.at);
  #wakeAt = Number.POSITIVE_INFINITY;
  readonly #waiting: Receiver[] = [];
  #unsent: number;
  readonly #backlog: number;
  #inQueue = 0;
  mostReceives = 0;
  settled = 0;

  constructor(events: Events, random: Random, items: number, backlog: number) {
    this.#events = events;
    this.#random = random;
    this.#unsent = items;
    this.#backlog = backlog;
    this.#produce();
  }

  /** Messages, with the hidden ones. */
  get depth(): number {
    return this.#inQueue;
  }

  get visible(): number {
    return this.#visible.length;
  }

  /** Receives up to `max` messages, as soon as there is one, and none after `waitMilliseconds`. */
  receive(max: number, waitMilliseconds: number, take: (items: readonly Item[]) => void): void {
    const receiver = { max, take, isDone: false };
    this.#events.after(this.#random.between(2, 8), () => {
      if (this.#visible.length > 0) {
        this.#give(receiver);
        return;
      }
      this.#waiting.push(receiver);
      this.#events.after(waitMilliseconds, () => {
        if (receiver.isDone) return;
        receiver.isDone = true;
        const place = this.#waiting.indexOf(receiver);
        if (place >= 0) this.#waiting.splice(place, 1);
        take([]);
      });
    });
  }

  /** Returns messages after a delay. */
  hide(items: readonly Item[], milliseconds: number): void {
    const at = this.#events.now + Math.max(0, milliseconds);
    if (items.length === 0) return;
    this.#hidden.push({ at, items });
    this.#wake();
  }

  delete(_item: Item): void {
    this.#inQueue--;
    this.settled++;
    this.#produce();
    this.#serve();
  }

  #produce(): void {
    // The producer sends a page at a time.
    if (this.#inQueue > this.#backlog - PAGE) return;
    while (this.#inQueue < this.#backlog && this.#unsent > 0) {
      this.#unsent--;
      this.#inQueue++;
      this.#visible.push({ receives: 0, throttles: 0, failures: 0, isHidden: false });
    }
  }

  #wake(): void {
    const next = this.#hidden.peek();
    if (next === undefined || next.at >= this.#wakeAt) return;
    const { at } = next;
    this.#wakeAt = at;
    this.#events.at(at, () => {
      // An earlier time was planned after this one.
      if (at !== this.#wakeAt) return;
      this.#wakeAt = Number.POSITIVE_INFINITY;
      for (
        let first = this.#hidden.peek();
        first !== undefined && first.at <= this.#events.now;
        first = this.#hidden.peek()
      ) {
        this.#hidden.pop();
        for (const item of first.items) this.#visible.push(item);
      }
      this.#serve();
      this.#wake();
    });
  }

  #serve(): void {
    while (this.#visible.length > 0 && this.#waiting.length > 0) {
      const [receiver] = this.#waiting.splice(this.#random.below(this.#waiting.length), 1);
      if (receiver !== undefined) this.#give(receiver);
    }
  }

  #give(receiver: Receiver): void {
    receiver.isDone = true;
    const items: Item[] = [];
    while (items.length < receiver.max && this.#visible.length > 0) {
      const place = this.#random.below(this.#visible.length);
      const item = this.#visible[place];
      const last = this.#visible.pop();
      if (item === undefined || last === undefined) break;
      if (place < this.#visible.length) this.#visible[place] = last;
      item.receives++;
      this.mostReceives = Math.max(this.mostReceives, item.receives);
      items.push(item);
    }
    receiver.take(items);
  }
}
