import type { PageAddress } from "../../messages/item-address.ts";

/** An item's outcome, as it is recorded with others of its page. */
interface Outcome extends PageAddress {
  readonly epoch: number;
}

/** Outcomes of one page, which one write records. */
export interface PageOutcomes<Item> extends Outcome {
  readonly items: readonly Item[];
}

interface Pending<Item> extends Outcome {
  readonly items: Item[];
  readonly settle: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[];
}

/**
 * How long an outcome may wait for others of its page:
 *
 * - `together`: attempts are under way. Short beside a redelivery, long beside a batch's spread.
 * - `soon`: nothing runs, but messages may be on their way.
 * - `now`: nothing else is coming; only what ends in the same turn of the event loop is recorded together.
 */
export type RecordingPace = "together" | "soon" | "now";

const WAIT_MILLISECONDS: Readonly<Record<RecordingPace, number>> = { together: 250, soon: 15, now: 0 };

/** Records outcomes in groups: those of one page are one write. */
export class Recorder<Item> {
  readonly #write: (outcomes: PageOutcomes<Item>) => Promise<void>;
  readonly #pending = new Map<string, Pending<Item>>();
  #pace: RecordingPace = "together";
  #cancelFlush: (() => void) | undefined;

  constructor(write: (outcomes: PageOutcomes<Item>) => Promise<void>) {
    this.#write = write;
  }

  /** Resolves once the outcome is recorded; rejects if it could not be, and the message must come again. */
  record({ run, partition, page, epoch }: Outcome, item: Item): Promise<void> {
    const key = `${run}|${partition}|${page}|${epoch}`;
    const pending = this.#pending.get(key) ?? { run, partition, page, epoch, items: [], settle: [] };
    this.#pending.set(key, pending);
    if (this.#cancelFlush === undefined) this.#schedule();
    pending.items.push(item);
    return new Promise((resolve, reject) => {
      pending.settle.push({ resolve, reject });
    });
  }

  /** Sets how long outcomes may wait from now on, those that wait already included. */
  setPace(pace: RecordingPace): void {
    if (pace === this.#pace) return;
    this.#pace = pace;
    if (this.#cancelFlush === undefined) return;
    this.#cancelFlush();
    this.#schedule();
  }

  #schedule(): void {
    const wait = WAIT_MILLISECONDS[this.#pace];
    if (wait > 0) {
      const timer = setTimeout(() => this.#flush(), wait);
      this.#cancelFlush = () => clearTimeout(timer);
    } else {
      const turn = setImmediate(() => this.#flush());
      this.#cancelFlush = () => clearImmediate(turn);
    }
  }

  #flush(): void {
    this.#cancelFlush = undefined;
    const groups = [...this.#pending.values()];
    this.#pending.clear();
    for (const group of groups) void this.#record(group);
  }

  async #record({ settle, ...outcomes }: Pending<Item>): Promise<void> {
    try {
      await this.#write(outcomes);
      for (const { resolve } of settle) resolve();
    } catch (error) {
      for (const { reject } of settle) reject(error);
    }
  }
}
