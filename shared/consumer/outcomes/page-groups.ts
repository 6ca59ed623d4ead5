import type { PageAddress } from "../../messages/item-address.ts";
import { SHORTEST_WAIT_MILLISECONDS } from "./recording-limits.ts";

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
  /** When its first outcome came, in the clock's milliseconds. */
  readonly openedAt: number;
}

/**
 * How long an outcome may wait for others of its page:
 *
 * - `together`: attempts run. The wait is `PageGroupsOptions.longestWait`.
 * - `soon`: nothing runs, but more messages may arrive.
 * - `now`: nothing else is coming. Only outcomes of the same turn of the event loop are recorded together.
 */
export type RecordingPace = "together" | "soon" | "now";

/** The wait of the pace `soon`. */
export const SOON_MILLISECONDS = 15;

export interface PageGroupsOptions<Item> {
  /** How long an outcome may wait while attempts run, in milliseconds. Default: `SHORTEST_WAIT_MILLISECONDS`. */
  readonly longestWait?: () => number;
  /** With so many outcomes waiting, some are written at once. Default: any number may wait. */
  readonly mostWaiting?: () => number;
  /**
   * Whether the outcome can be recorded at once: what must be stored before it is stored, or is being stored. When too many
   * outcomes wait, groups of such outcomes are written first. Default: every outcome can.
   */
  readonly isReady?: (item: Item) => boolean;
  readonly now: () => number;
}

/** When at least this share of the outcomes that wait is ready, only groups that are ready are written. */
const READY_SHARE = 0.2;

/** When few are ready and the groups have at least so many outcomes on average, all groups are written. */
const LARGE_GROUPS = 2;

/**
 * Collects outcomes, and has those of one page written together.
 *
 * All groups that are due at the same time are given to `write` in one call, so `write` can do something for all of
 * them together before it writes each group. `write` returns one promise for each group, in the same order.
 *
 * SQS delivers messages in any order, so the outcomes of an environment may be of many pages. Then few of them share a
 * write. When too many outcomes wait, only the largest groups are written, and the others continue to grow. In random order
 * this saves up to a third of the writes.
 */
export class PageGroups<Item> {
  readonly #write: (
    groups: readonly PageGroup<Item>[],
    waiting: readonly PageGroup<Item>[],
  ) => readonly Promise<void>[];
  readonly #options: PageGroupsOptions<Item>;
  readonly #open = new Map<string, OpenGroup<Item>>();
  #waiting = 0;
  #pace: RecordingPace = "together";
  #cancelFlush: (() => void) | undefined;

  /** @param write Writes groups. It also gets the groups that wait and are not written yet. */
  constructor(
    write: (groups: readonly PageGroup<Item>[], waiting: readonly PageGroup<Item>[]) => readonly Promise<void>[],
    options: PageGroupsOptions<Item> = { now: Date.now },
  ) {
    this.#write = write;
    this.#options = options;
  }

  /** Resolves when the outcome is recorded. Rejects if it could not be recorded: the message must be received again. */
  record({ run, partition, page, epoch }: PageOfOutcome, item: Item): Promise<void> {
    const key = `${run}|${partition}|${page}|${epoch}`;
    let open = this.#open.get(key);
    if (open === undefined) {
      const items: Item[] = [];
      open = { group: { run, partition, page, epoch, items }, items, waiting: [], openedAt: this.#options.now() };
      this.#open.set(key, open);
    }
    const { items, waiting } = open;
    items.push(item);
    this.#waiting++;
    const recorded = new Promise<void>((resolve, reject) => {
      waiting.push({ resolve, reject });
    });
    const most = this.#options.mostWaiting?.() ?? Number.POSITIVE_INFINITY;
    if (this.#waiting >= most) this.#writeLargest(most / 2);
    if (this.#cancelFlush === undefined) this.#schedule();
    return recorded;
  }

  /** Sets how long outcomes may wait from now on. The new time also applies to outcomes that are already waiting. */
  setPace(pace: RecordingPace): void {
    if (pace === this.#pace) return;
    this.#pace = pace;
    if (this.#cancelFlush === undefined) return;
    this.#cancelFlush();
    this.#cancelFlush = undefined;
    this.#schedule();
  }

  /** Writes all outcomes that wait. */
  writeAll(): void {
    this.#writeGroups([...this.#open]);
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
  }

  #schedule(): void {
    const [oldest] = this.#open.values();
    if (oldest === undefined) return;
    if (this.#pace === "now") {
      const turn = setImmediate(() => this.#flush());
      this.#cancelFlush = () => clearImmediate(turn);
      return;
    }
    const wait = this.#pace === "soon" ? SOON_MILLISECONDS : oldest.openedAt + this.#longestWait - this.#options.now();
    const timer = setTimeout(() => this.#flush(), Math.min(this.#longestWait, Math.max(0, wait)));
    this.#cancelFlush = () => clearTimeout(timer);
  }

  get #longestWait(): number {
    return this.#options.longestWait?.() ?? SHORTEST_WAIT_MILLISECONDS;
  }

  /** Writes what is due, and with it what is due soon: each call of `write` may have costs of its own. */
  #flush(): void {
    this.#cancelFlush = undefined;
    const openedBefore = this.#options.now() - this.#longestWait / 2;
    const { isReady } = this.#options;
    const areReady = ({ items }: OpenGroup<Item>) => isReady === undefined || items.every(isReady);
    const [oldest] = this.#open.values();
    // Making outcomes ready, for example storing their results, has a cost. If the oldest group is ready already, groups that
    // are due soon and are not ready can wait.
    const mustBeReady = oldest !== undefined && areReady(oldest);
    const isDueSoon = (group: OpenGroup<Item>) => group.openedAt <= openedBefore && (!mustBeReady || areReady(group));
    const due = [...this.#open].filter(
      ([, group]) => this.#pace !== "together" || group === oldest || isDueSoon(group),
    );
    this.#writeGroups(due);
    this.#schedule();
  }

  /** Writes the largest groups, until no more outcomes than `most` wait. */
  #writeLargest(most: number): void {
    const ready = this.#readyGroups();
    // Making groups ready has a cost for each call of `write`. Large groups gain little from waiting longer.
    if (ready?.length === 0 && this.#waiting >= LARGE_GROUPS * this.#open.size) {
      this.writeAll();
      return;
    }
    const candidates = ready === undefined || ready.length === 0 ? [...this.#open] : ready;
    const largest: [string, OpenGroup<Item>][] = [];
    let left = this.#waiting;
    for (const entry of candidates.sort(([, a], [, b]) => b.items.length - a.items.length)) {
      if (left <= most) break;
      largest.push(entry);
      left -= entry[1].items.length;
    }
    this.#writeGroups(largest);
    // The timer may be for a group that is written now.
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
  }

  /**
   * The groups that are ready, or none if they are few. They became ready together with groups that were written before.
   * Writing them first leaves time for more outcomes, which then become ready together. `undefined`: every group is ready.
   */
  #readyGroups(): [string, OpenGroup<Item>][] | undefined {
    const { isReady } = this.#options;
    if (isReady === undefined) return undefined;
    const ready = [...this.#open].filter(([, { items }]) => items.every(isReady));
    const count = ready.reduce((sum, [, { items }]) => sum + items.length, 0);
    return count >= READY_SHARE * this.#waiting ? ready : [];
  }

  #writeGroups(due: readonly (readonly [string, OpenGroup<Item>])[]): void {
    for (const [key, { items }] of due) {
      this.#open.delete(key);
      this.#waiting -= items.length;
    }
    const written = this.#write(
      due.map(([, { group }]) => group),
      Array.from(this.#open.values(), ({ group }) => group),
    );
    for (const [position, [, { waiting }]] of due.entries()) {
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
