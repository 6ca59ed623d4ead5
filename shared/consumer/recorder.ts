import type { Ledger, Successes } from "../ledger/ledger.ts";
import { publish } from "../observation.ts";

type Success = Successes["items"][number];

interface Pending {
  readonly run: string;
  readonly page: number;
  readonly epoch: number;
  readonly items: (Success & { readonly resolve: () => void; readonly reject: (error: unknown) => void })[];
}

/** How long a success may wait for others of its page. Short beside a task's redelivery, long beside a batch's spread. */
const LONGEST_WAIT_MILLISECONDS = 250;

/** The same where no task is under way, and only those that a poll may bring could still bring others. */
const IDLE_WAIT_MILLISECONDS = 15;

/** Records successes in groups: those of one page are one write. */
export class Recorder {
  readonly #ledger: Ledger;
  readonly #pending = new Map<string, Pending>();
  #timer: NodeJS.Timeout | undefined;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Resolves once the success is recorded; rejects if it could not be, and the item must then run again. */
  record(item: { readonly run: string; readonly page: number; readonly epoch: number } & Success): Promise<void> {
    const { run, page, epoch, index, failures, redrives } = item;
    const key = `${run}|${page}|${epoch}`;
    const pending = this.#pending.get(key) ?? { run, page, epoch, items: [] };
    this.#pending.set(key, pending);
    this.#timer ??= setTimeout(() => this.flush(), LONGEST_WAIT_MILLISECONDS);
    return new Promise((resolve, reject) => {
      pending.items.push({ index, failures, redrives, resolve, reject });
    });
  }

  /** Records what is pending soon: nothing runs, but messages may be on their way. */
  flushSoon(): void {
    if (this.#pending.size === 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), IDLE_WAIT_MILLISECONDS);
  }

  /** Records what is pending now: nothing else is coming soon. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const groups = [...this.#pending.values()];
    this.#pending.clear();
    for (const group of groups) void this.#write(group);
  }

  async #write({ run, page, epoch, items }: Pending): Promise<void> {
    try {
      await this.#ledger.recordSuccesses({
        run,
        page,
        epoch,
        items: items.map(({ index, failures, redrives }) => ({ index, failures, redrives })),
      });
      publish({ event: "succeeded", count: items.length });
      for (const { resolve } of items) resolve();
    } catch (error) {
      for (const { reject } of items) reject(error);
    }
  }
}
