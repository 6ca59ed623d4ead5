import type { LedgerStore } from "../aws/table.ts";
import { blockKey, type PageAddress } from "../messages/item-address.ts";
import { blocksToRead } from "./block-groups.ts";
import { readBlockRow } from "./block-row.ts";
import { blockOf, PAGES_PER_BLOCK } from "./keys.ts";
import { openPartitions } from "./lanes-row.ts";
import type { ClaimedDeath, Pages } from "./pages.ts";
import { productionOfPartitions } from "./partition-production.ts";
import type { RunProgress } from "./run-progress.ts";
import { partitionOf, type RunRecord } from "./run-record.ts";
import type { Runs } from "./runs.ts";

/** A page of a run. */
type PlaceOfPage = Pick<PageAddress, "partition" | "page">;

/** Sends the dead letter of a claimed death, and then records the death. */
export type CompleteDeath = (death: ClaimedDeath) => Promise<void>;

/** What the producer does with a run that is being stopped. Each step can be repeated. */
export class RunStopping {
  readonly #store: LedgerStore;
  readonly #pages: Pages;
  readonly #runs: Pick<Runs, "get" | "lanes">;
  readonly #progress: RunProgress;

  constructor(store: LedgerStore, pages: Pages, runs: Pick<Runs, "get" | "lanes">, progress: RunProgress) {
    this.#store = store;
    this.#pages = pages;
    this.#runs = runs;
    this.#progress = progress;
  }

  /**
   * Ends the production of a run. Pages that were opened and have no checkpoint belong to the run, because some of their
   * messages may be on the queue. Their pending items are cancelled. Pages are opened in their order, so the first page
   * that was not opened is the last one to look at. If another producer makes a checkpoint in between, the method starts
   * again.
   *
   * In a run with partitions, no lane takes a further partition from then on, and the production of each partition that a
   * lane reads is ended.
   *
   * @param complete Completes the deaths that a crashed producer had claimed.
   */
  async endProduction(run: RunRecord, complete: CompleteDeath): Promise<void> {
    if (run.lanes !== undefined && run.partition === undefined) return await this.#endPartitions(run, complete);
    for (let latest = run; ; latest = await this.#progress.latest(run)) {
      if (latest.checkpoint.ended) return await this.#progress.closeAgain(latest);
      if ((await this.#endProductionAt(latest, complete)) !== undefined) return;
    }
  }

  async #endPartitions(run: RunRecord, complete: CompleteDeath): Promise<void> {
    const { lanes } = this.#runs;
    const row = await lanes.stop(run);
    for (const number of openPartitions(row)) {
      const partition = await this.#progress.partition(run, await lanes.partition(run, row, number));
      await this.endProduction(partition, complete);
    }
    await this.#progress.endPartitions(run, row.next - 1);
  }

  /** @returns the run after the checkpoint, or `undefined` if another producer has moved the run on. */
  async #endProductionAt(run: RunRecord, complete: CompleteDeath): Promise<RunRecord | undefined> {
    let { count: _, pages, items, ...progress } = run.checkpoint;
    for (;;) {
      const opened = await this.#pages.cancel({ run: run.id, partition: partitionOf(run), page: pages });
      if (opened === undefined) break;
      // mutant: complete-claimed-deaths
      for (const death of opened.claimedDeaths) await complete(death);
      pages++;
      items += opened.size;
    }
    return await this.#progress.checkpoint(run, { ...progress, ended: true, pages, items });
  }

  /**
   * Cancels the pending items of the pages from `first` on. It is for pages whose messages are lost. No task may work on
   * these pages, because its success would not count. A checkpoint has passed these pages, so no producer's claim of a death
   * is left in them.
   */
  async cancelPending(run: RunRecord, first: PlaceOfPage): Promise<void> {
    for await (const page of this.#pendingPages(run, first)) {
      await this.#pages.cancel(page);
    }
  }

  /**
   * Cancels the items whose tasks asked for a wait that ends later than `after`. Otherwise the run would end only after the
   * longest of these waits. A consumer that records such a wait later finds the run stopped, and cancels
   * the item itself.
   *
   * @param after The time, in milliseconds since 1970.
   * @param isOver Called before each page. If it returns true, the remaining pages are left.
   * @returns whether all pages were looked at.
   */
  async cancelWaiting(run: RunRecord, after: number, isOver: () => boolean): Promise<boolean> {
    for await (const page of this.#pendingPages(run)) {
      if (isOver()) return false;
      await this.#pages.cancelWaiting(page, after);
    }
    return true;
  }

  /**
   * The pages of a run that are not complete. In a run with partitions, of each partition.
   *
   * @param from The first page to look at. Default: the first page of the run.
   */
  async *#pendingPages(run: RunRecord, from: Partial<PlaceOfPage> = {}): AsyncGenerator<PageAddress, void, undefined> {
    const { partition: fromPartition = 0, page: fromPage = 0 } = from;
    const latest = await this.#runs.get(run.id);
    const productions =
      latest.lanes === undefined
        ? [{ partition: 0, pages: latest.checkpoint.pages }]
        : (await productionOfPartitions(this.#store, latest)).open;
    for (const { partition, pages } of productions) {
      if (partition < fromPartition) continue;
      const first = partition === fromPartition ? fromPage : 0;
      const { blocks } = await blocksToRead(this.#store, { run: run.id, partition }, pages);
      for (const block of blocks) {
        if (block < blockOf(first)) continue;
        const key = blockKey({ run: run.id, partition, block });
        const { full } = readBlockRow((await this.#store.get(key)) ?? {}, block);
        const last = Math.min((block + 1) * PAGES_PER_BLOCK, pages);
        for (let page = Math.max(first, block * PAGES_PER_BLOCK); page < last; page++) {
          if (!full.has(page)) yield { run: run.id, partition, page };
        }
      }
    }
  }
}
