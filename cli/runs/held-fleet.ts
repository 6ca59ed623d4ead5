import type { LimitRow } from "../../shared/ledger/limit-row.ts";
import { heldNow } from "../screens/limit-text.ts";

/** How often the limit row is read. An epoch lasts a second. */
const READ_MILLISECONDS = 1_000;

/** Knows why a fleet does not use all its slots. The display never waits for a read. */
export class HeldFleet {
  readonly #row: Pick<LimitRow, "read">;
  #readAt = Number.NEGATIVE_INFINITY;
  #held: string | undefined;

  constructor(row: Pick<LimitRow, "read">) {
    this.#row = row;
  }

  /** Why the fleet is held, as of a moment ago. `undefined`: nothing holds it, or that is not known yet. */
  at(now: number): string | undefined {
    if (now - this.#readAt >= READ_MILLISECONDS) {
      this.#readAt = now;
      this.#row.read().then(
        ({ state, concurrency }) => {
          this.#held = heldNow(state, concurrency, now);
        },
        () => {},
      );
    }
    return this.#held;
  }
}
