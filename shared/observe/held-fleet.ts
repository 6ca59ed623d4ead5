import type { LimitRow } from "../ledger/limit-row.ts";
import { hasStopped, heldNow } from "./held-text.ts";

/** How often the limit row is read. An epoch lasts a second. */
const READ_MILLISECONDS = 1_000;

/** Knows why a fleet does not use all its slots. The display never waits for a read. */
export class HeldFleet {
  readonly #row: Pick<LimitRow, "read">;
  #readAt = Number.NEGATIVE_INFINITY;
  #held: string | undefined;
  #slots: number | undefined;

  constructor(row: Pick<LimitRow, "read">) {
    this.#row = row;
  }

  /** The slots in force when the row was last read. `undefined`: there was no such limit. */
  get slots(): number | undefined {
    return this.#slots;
  }

  /** Why the fleet is held, as of a moment ago. `undefined`: nothing holds it, or that is not known yet. */
  at(now: number): string | undefined {
    if (now - this.#readAt >= READ_MILLISECONDS) {
      this.#readAt = now;
      this.#row.read().then(
        ({ state, concurrency }) => {
          this.#held = heldNow(state, concurrency, now);
          this.#slots = hasStopped(state, now) ? undefined : state.limit.slots;
        },
        () => {},
      );
    }
    return this.#held;
  }
}
