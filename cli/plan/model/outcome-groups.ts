import { longestWait, mostWaiting } from "../../../shared/consumer/outcomes/recording-limits.ts";

interface Group {
  items: number;
  readonly openedAt: number;
  /** How many of its results are stored. */
  stored: number;
}

export interface OutcomeGroupsOptions {
  /** The slots of the environment. */
  readonly slots: number;
  readonly taskMilliseconds: number;
  /** Whether results are stored before their items are recorded. */
  readonly keepsResults: boolean;
  /** Called for each write, with the number of outcomes that it records. */
  readonly onWrite: (items: number) => void;
  /** Called for each object that is stored. */
  readonly onStore: () => void;
}

/** When at least this share of the outcomes that wait is stored, only groups that are stored are written. */
const READY_SHARE = 0.2;
const LARGE_GROUPS = 2;

/**
 * The outcomes of one environment that wait to be recorded, in simulated time. It counts writes, and makes none. The rules are
 * those of `PageGroups` in `shared/consumer/outcomes/page-groups.ts`, which is bound to real timers. A test compares both.
 */
export class OutcomeGroups {
  readonly #options: OutcomeGroupsOptions;
  readonly #open = new Map<number, Group>();
  readonly #longestWait: number;
  readonly #mostWaiting: number;
  #waiting = 0;
  /** When the next groups are due. `undefined`: none waits. */
  dueAt: number | undefined;

  constructor(options: OutcomeGroupsOptions) {
    this.#options = options;
    this.#longestWait = longestWait(options.taskMilliseconds);
    this.#mostWaiting = mostWaiting(options.slots);
  }

  /** Adds the outcome of an item of a page. */
  add(page: number, now: number): void {
    const group = this.#open.get(page);
    if (group === undefined) this.#open.set(page, { items: 1, openedAt: now, stored: 0 });
    else group.items++;
    this.#waiting++;
    if (this.#waiting >= this.#mostWaiting) this.#writeLargest(now);
    this.dueAt ??= now + this.#longestWait;
  }

  /** Writes the groups that are due. */
  flush(now: number): void {
    const [oldest] = this.#open;
    if (oldest !== undefined) {
      const openedBefore = now - this.#longestWait / 2;
      const mustBeReady = this.#isReady(oldest[1]);
      this.#write(
        [...this.#open].filter(
          ([page, group]) =>
            page === oldest[0] || (group.openedAt <= openedBefore && (!mustBeReady || this.#isReady(group))),
        ),
      );
    }
    this.#schedule(now);
  }

  /** Writes everything. */
  writeAll(): void {
    this.#write([...this.#open]);
    this.dueAt = undefined;
  }

  #isReady({ items, stored }: Group): boolean {
    return !this.#options.keepsResults || stored === items;
  }

  #schedule(now: number): void {
    const [oldest] = this.#open.values();
    this.dueAt = oldest === undefined ? undefined : Math.max(now, oldest.openedAt + this.#longestWait);
  }

  #writeLargest(now: number): void {
    const ready = [...this.#open].filter(([, group]) => this.#isReady(group));
    const readyItems = ready.reduce((sum, [, { items }]) => sum + items, 0);
    const isFew = readyItems < READY_SHARE * this.#waiting || ready.length === 0;
    if (isFew && this.#waiting >= LARGE_GROUPS * this.#open.size) {
      this.writeAll();
      return;
    }
    const candidates = isFew ? [...this.#open] : ready;
    const largest: [number, Group][] = [];
    let left = this.#waiting;
    for (const entry of candidates.sort(([, a], [, b]) => b.items - a.items)) {
      if (left <= this.#mostWaiting / 2) break;
      largest.push(entry);
      left -= entry[1].items;
    }
    this.#write(largest);
    this.#schedule(now);
  }

  #write(due: readonly (readonly [number, Group])[]): void {
    if (this.#options.keepsResults && due.some(([, group]) => !this.#isReady(group))) {
      // Results that are due are stored together with all others that wait.
      for (const group of this.#open.values()) group.stored = group.items;
      this.#options.onStore();
    }
    for (const [page, { items }] of due) {
      this.#open.delete(page);
      this.#waiting -= items;
      this.#options.onWrite(items);
    }
  }
}
