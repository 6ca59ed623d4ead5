import type { PageAddress } from "../../messages/item-address.ts";

/** The page that an outcome belongs to. */
export interface PageOfOutcome extends PageAddress {
  readonly epoch: number;
}

/** Outcomes of one page, which one write records. */
export interface PageGroup<Item> extends PageOfOutcome {
  readonly items: readonly Item[];
}

/** A group that is not written yet, and the callers that wait for its write. */
interface OpenGroup<Item> {
  readonly group: PageGroup<Item>;
  readonly items: Item[];
  readonly waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[];
}

/**
 * How long an outcome may wait for others of its page:
 *
 * - `together`: attempts run. The wait is short compared with the time until a redelivery. It is long compared with the
 *   time between the ends of a batch's attempts.
 * - `soon`: nothing runs, but more messages may arrive.
 * - `now`: nothing else is coming. Only outcomes of the same turn of the event loop are recorded together.
 */
export type RecordingPace = "together" | "soon" | "now";

const WAIT_MILLISECONDS: Readonly<Record<RecordingPace, number>> = { together: 250, soon: 15, now: 0 };

/**
 * Collects outcomes, and has those of one page written together.
 *
 * All groups that are due at the same time are given to `write` in one call, so `write` can do something for all of
 * them together before it writes each group. `write` returns one promise for each group, in the same order.
 */
export class PageGroups<Item> {
  readonly #write: (groups: readonly PageGroup<Item>[]) => readonly Promise<void>[];
  readonly #open = new Map<string, OpenGroup<Item>>();
  #pace: RecordingPace = "together";
  #cancelFlush: (() => void) | undefined;

  constructor(write: (groups: readonly PageGroup<Item>[]) => readonly Promise<void>[]) {
    this.#write = write;
  }

  /** Resolves when the outcome is recorded. Rejects if it could not be recorded: the message must be received again. */
  record({ run, partition, page, epoch }: PageOfOutcome, item: Item): Promise<void> {
    const key = `${run}|${partition}|${page}|${epoch}`;
    let open = this.#open.get(key);
    if (open === undefined) {
      const items: Item[] = [];
      open = { group: { run, partition, page, epoch, items }, items, waiting: [] };
      this.#open.set(key, open);
    }
    if (this.#cancelFlush === undefined) this.#schedule();
    const { items, waiting } = open;
    items.push(item);
    return new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
    });
  }

  /** Sets how long outcomes may wait from now on. The new time also applies to outcomes that are already waiting. */
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
    const due = [...this.#open.values()];
    this.#open.clear();
    const written = this.#write(due.map(({ group }) => group));
    for (const [position, { waiting }] of due.entries()) {
      const write = written[position] ?? Promise.reject(new Error("a group of outcomes was not written"));
      write.then(
        () => {
          for (const { resolve } of waiting) resolve();
        },
        (error) => {
          for (const { reject } of waiting) reject(error);
        },
      );
    }
  }
}
