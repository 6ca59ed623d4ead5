import TinyQueue from "tinyqueue";

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Virtual time. Events run in the order of their times, and those of one time in the order in which they were added. */
export class Events {
  now = 0;
  #order = 0;
  readonly #queue = new TinyQueue<Event>([], (a, b) => a.at - b.at || a.order - b.order);

  at(time: number, run: () => void): void {
    this.#queue.push({ at: Math.max(this.now, time), order: this.#order++, run });
  }

  after(milliseconds: number, run: () => void): void {
    this.at(this.now + milliseconds, run);
  }

  /** Runs all events until a time. */
  runUntil(end: number): void {
    for (;;) {
      const next = this.#queue.peek();
      if (next === undefined || next.at > end) break;
      this.#queue.pop();
      this.now = next.at;
      next.run();
    }
    this.now = end;
  }
}
