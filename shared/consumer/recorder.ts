/** An item's outcome, as it is recorded with others of its page. */
interface Outcome {
  readonly run: string;
  readonly page: number;
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

/** How long an outcome may wait for others of its page. Short beside a redelivery, long beside a batch's spread. */
const LONGEST_WAIT_MILLISECONDS = 250;

/** The same where no task is under way, and only those that a poll may bring could still bring others. */
const IDLE_WAIT_MILLISECONDS = 15;

/** Records outcomes in groups: those of one page are one write. */
export class Recorder<Item> {
  readonly #write: (outcomes: PageOutcomes<Item>) => Promise<void>;
  readonly #pending = new Map<string, Pending<Item>>();
  #timer: NodeJS.Timeout | undefined;
  #soon = false;

  constructor(write: (outcomes: PageOutcomes<Item>) => Promise<void>) {
    this.#write = write;
  }

  /** Resolves once the outcome is recorded; rejects if it could not be, and the message must come again. */
  record({ run, page, epoch }: Outcome, item: Item): Promise<void> {
    const key = `${run}|${page}|${epoch}`;
    const pending = this.#pending.get(key) ?? { run, page, epoch, items: [], settle: [] };
    this.#pending.set(key, pending);
    if (this.#timer === undefined) this.#flushIn(LONGEST_WAIT_MILLISECONDS);
    pending.items.push(item);
    return new Promise((resolve, reject) => {
      pending.settle.push({ resolve, reject });
    });
  }

  /** Records what is pending soon: nothing runs, but messages may be on their way. */
  flushSoon(): void {
    this.#flushIn(IDLE_WAIT_MILLISECONDS);
  }

  /** Takes `flushSoon` back: messages have come, and their tasks must not wait for the recording of others. */
  flushLater(): void {
    if (this.#soon) this.#flushIn(LONGEST_WAIT_MILLISECONDS);
  }

  /** Records what is pending now: nothing else is coming soon. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#soon = false;
    const groups = [...this.#pending.values()];
    this.#pending.clear();
    for (const group of groups) void this.#record(group);
  }

  #flushIn(milliseconds: number): void {
    if (this.#pending.size === 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), milliseconds);
    this.#soon = milliseconds < LONGEST_WAIT_MILLISECONDS;
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
