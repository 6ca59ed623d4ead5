import type { StartedAttempt } from "../../../shared/limits/environment-limit.ts";
import { FixedSide } from "./fixed.ts";

/** Additive increase, multiplicative decrease (× 0.9) of each environment's slots, without knowledge of the others. */
export class AimdSide extends FixedSide {
  #window = this.context.slots;
  #cutAt = Number.NEGATIVE_INFINITY;

  override ended(attempt: StartedAttempt, ended: { readonly tag: string }): void {
    super.ended(attempt, ended);
    if (ended.tag !== "throttled") {
      this.#window = Math.min(this.context.slots, this.#window + 1 / this.#window);
    } else if (attempt.at >= this.#cutAt) {
      this.#window = Math.max(1, this.#window * 0.9);
      this.#cutAt = this.context.events.now;
    }
  }

  protected override size(): number {
    return Math.floor(this.#window);
  }
}
