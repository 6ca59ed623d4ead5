import { FRESH_MILLISECONDS, VALID_MILLISECONDS } from "../../../shared/consumer/run-watch.ts";
import type { Fleet } from "./fleet-model.ts";
import { REQUEST_MILLISECONDS } from "./request-time.ts";

/** What an environment knows of its run, in simulated time. The rules are those of `RunWatch`, whose answers it does not need. */
export class ModelledRunWatch {
  readonly #fleet: Pick<Fleet, "clock" | "counts" | "pages">;
  #askedAt = Number.NEGATIVE_INFINITY;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #producingAt = Number.NEGATIVE_INFINITY;

  constructor(fleet: Pick<Fleet, "clock" | "counts" | "pages">) {
    this.#fleet = fleet;
  }

  /** Whether the source was still being read a moment ago. */
  get isProducing(): boolean {
    return this.#fleet.clock.now - this.#producingAt < VALID_MILLISECONDS;
  }

  /** Call it when messages arrive, and when one has waited for its slot. The ledger is asked about the run again when its answer is no longer fresh. */
  noteMessages(): void {
    const { clock, counts, pages } = this.#fleet;
    const { now } = clock;
    // A message that was sent a moment ago shows that the source is read.
    if (now - this.#answeredAt >= VALID_MILLISECONDS) this.#producingAt = now;
    if (now - this.#askedAt < FRESH_MILLISECONDS) return;
    this.#askedAt = now;
    counts.runReads++;
    clock.at(now + REQUEST_MILLISECONDS, () => {
      this.#answeredAt = now;
      this.#producingAt = pages.isProducing ? now : Number.NEGATIVE_INFINITY;
    });
  }
}
