import TinyQueue from "tinyqueue";

type Event = { readonly at: number; readonly order: number; readonly act: () => void };

/** The time of a simulation, in milliseconds from its beginning. It jumps from one event to the next. */
export class VirtualClock {
  readonly #events = new TinyQueue<Event>([], (a, b) => a.at - b.at || a.order - b.order);
  #order = 0;
  #random = 0x9e3779b9;
  now = 0;

  /** Plans an event. Events of the same time happen in the order in which they were planned. */
  at(time: number, act: () => void): void {
    this.#events.push({ at: Math.max(time, this.now), order: this.#order++, act });
  }

  /** Lets the time pass until no event is left. */
  run(): void {
    for (let event = this.#events.pop(); event !== undefined; event = this.#events.pop()) {
      this.now = event.at;
      event.act();
    }
  }

  /** A number in [0, 1). The same simulation gets the same numbers each time. */
  random(): number {
    // Mulberry32.
    this.#random = (this.#random + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }
}
