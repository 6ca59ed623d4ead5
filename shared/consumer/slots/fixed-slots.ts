import type { Reservation, Slot, SlotSupplier } from "./slot-supplier.ts";

/**
 * A fixed number of slots: this environment's share of the workflow's `concurrency`. A message waits until a slot is free,
 * and is never refused.
 *
 * @example new FixedSlots(10) // at most ten attempts in flight
 */
export class FixedSlots implements SlotSupplier {
  readonly size: number;
  #free: number;
  readonly #waiting: ((reservation: Reservation) => void)[] = [];

  constructor(size: number) {
    this.size = size;
    this.#free = size;
  }

  reserve(): Promise<Reservation> {
    if (this.#free === 0) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#free--;
    return Promise.resolve(this.#reserved());
  }

  #reserved(): Reservation {
    return { tag: "reserved", slot: new FixedSlot(() => this.#passOn()) };
  }

  /** Gives a slot to the message that waits longest. */
  #passOn(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next(this.#reserved());
  }
}

class FixedSlot implements Slot {
  #onRelease: (() => void) | undefined;

  constructor(onRelease: () => void) {
    this.#onRelease = onRelease;
  }

  release(): void {
    const onRelease = this.#onRelease;
    this.#onRelease = undefined;
    onRelease?.();
  }
}
