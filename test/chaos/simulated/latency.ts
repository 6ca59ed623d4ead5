import { setTimeout } from "node:timers/promises";
import type { Random } from "../random.ts";

/** How long a request takes on its way: mostly a few milliseconds, sometimes much longer. So requests overtake each other. */
export class Latency {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  async pass(): Promise<void> {
    const isSlow = this.#random.chance(0.02);
    await setTimeout(this.#random.next() * (isSlow ? 400 : 4));
  }
}
