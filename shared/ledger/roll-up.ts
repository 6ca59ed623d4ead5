import { MOST_BATCH_GET_KEYS } from "../aws/quotas.ts";
import { keyText, type LedgerStore, type Row } from "../aws/table.ts";
import { beyondTolerance, type Tolerance } from "../definition/tolerance.ts";
import { type BlockAddress, blockKey, type PageAddress, pageKey } from "../messages/item-address.ts";
import {
  type BlockRow,
  blockAddressOf,
  blockCount,
  isNotable,
  PAGES_PER_BLOCK,
  type PageRow,
  pageEntry,
  pageTotals,
  pendingOf,
  readBlockRow,
  readPageRow,
  runKey,
  sumTotals,
  type Totals,
} from "./rows.ts";
import type { RunStatus } from "./run-record.ts";

/** Tells that a run has ended. It may be called again for the same run, so it must de-duplicate. */
export type Announce = (ended: { readonly run: string; readonly workflow: string }) => Promise<void>;

/**
 * How completion climbs: a full page enters its block, a full block enters its run, and the run whose blocks are all
 * full, after its source has ended, is completed. Each step may be taken again, by anyone, at any time.
 */
export class Climb {
  readonly #store: LedgerStore;
  readonly #now: () => number;
  readonly #announce: Announce | undefined;

  constructor(store: LedgerStore, now: () => number, announce?: Announce) {
    this.#store = store;
    this.#now = now;
    this.#announce = announce;
  }

  /** From a page as it was returned by a write. */
  async fromPage(page: PageAddress, row: PageRow): Promise<void> {
    if (pendingOf(row) > 0) return;
    const entry = pageEntry(page.page, row.epoch);
    const block = blockAddressOf(page);
    const updated = await this.#store.update(blockKey(block), {
      add: { full: [entry], notable: isNotable(row) ? [entry] : [] },
      set: { redriven: row.redriven || undefined },
    });
    if (updated !== undefined) await this.fromBlock(block, readBlockRow(updated, block.block));
  }

  /** From a block as it was returned by a write: that of a full page, or the one that told its size. */
  async fromBlock(address: BlockAddress, row: BlockRow): Promise<void> {
    const { run, block } = address;
    // mutant: block-size-known
    if (row.size === undefined || row.full.size < row.size) return;
    // Its pages are all full and none can be sent again, so whoever sums them up gets the same. Only a redrive changes
    // them: two who sum up such a block may overtake each other, so its totals are not relied on any more.
    const totals = await this.#blockTotals(address, row);
    const isPlain = row.notable.size === 0 && row.totals === undefined && !row.redriven;
    if (block === 0 && isPlain && (await this.#completePlain(run, totals))) return await this.tell(run);
    // Of plain successes there is nothing to add up: a block without totals adds nothing to its run's.
    if (row.notable.size > 0 || row.totals !== undefined) {
      await this.#store.update(blockKey(address), { set: { totals: { ...totals } } });
    }
    const updated = await this.#store.update(runKey(run), {
      add: { fullBlocks: [block] },
      set: { redriven: row.redriven || undefined },
    });
    if (updated !== undefined) await this.fromRun(run, updated, row.redriven ? undefined : totals);
  }

  /**
   * Enters the only block of a run, and completes the run with the same write.
   *
   * @param totals Of a block in which all succeeded at once: they are within any tolerance.
   * @returns false where that is not how the run ends, or it has ended: nothing is entered.
   */
  async #completePlain(run: string, totals: Totals): Promise<boolean> {
    // mutant: write-end-before-announcement
    const completed = await this.#store.update(runKey(run), {
      add: { fullBlocks: [0] },
      set: { ...this.#completion("completed", totals) },
      remove: ["failure"],
      // One that runs has not completed either.
      // mutant: end-while-running
      when: [{ equals: ["status", "running"] }, { equals: ["ended", true] }, { atMost: ["pages", PAGES_PER_BLOCK] }],
    });
    return completed !== undefined;
  }

  #completion(status: RunStatus, totals: Totals) {
    return { status, completedAt: new Date(this.#now()).toISOString(), totals: { ...totals } };
  }

  /**
   * From a run as it was returned by a write: that of a full block, or the one that ended the source.
   *
   * @param blockTotals Of the block that was just entered, if they cannot have changed: they are all there is of a run of one.
   */
  async fromRun(run: string, row: Row, blockTotals?: Totals): Promise<void> {
    const blocks = blockCount(Number(row.pages));
    const full = row.fullBlocks instanceof Set ? row.fullBlocks.size : 0;
    if (row.ended !== true || full < blocks) return;
    if (row.completedAt === undefined) {
      const totals = blocks === 1 && blockTotals !== undefined ? blockTotals : await this.#runTotals(run, blocks);
      const { status, failure } = endOf(row, totals);
      await this.#store.update(runKey(run), {
        set: { ...this.#completion(status, totals), failure },
        // It may have failed to read its source, whose end it had already seen.
        remove: status === "completed" ? ["failure"] : [],
        // If its status has changed since, whoever changed it ends it.
        // mutant: end-once
        when: [{ equals: ["status", String(row.status)] }, { absent: "completedAt" }],
      });
    }
    // mutant: announce-known-end
    await this.tell(run);
  }

  /** Tells that a run has ended. Whoever ended it may have died before it could: the next one who comes here does. */
  async tell(run: string): Promise<void> {
    if (this.#announce === undefined) return;
    const row = await this.#store.get(runKey(run));
    if (row?.completedAt === undefined || row.announced === true) return;
    await this.#announce({ run, workflow: String(row.workflow) });
    await this.#store.update(runKey(run), { set: { announced: true } });
  }

  async #blockTotals({ run, partition }: BlockAddress, row: BlockRow): Promise<Totals> {
    const keys = [...row.notable].map((page) => pageKey({ run, partition, page }));
    const rows = await this.#store.getMany(keys);
    return sumTotals([...rows.values()].map((page) => pageTotals(readPageRow(page))));
  }

  async #runTotals(run: string, blocks: number): Promise<Totals> {
    let sum = sumTotals([]);
    for (let start = 0; start < blocks; start += MOST_BATCH_GET_KEYS) {
      const count = Math.min(MOST_BATCH_GET_KEYS, blocks - start);
      const keys = Array.from({ length: count }, (_, offset) => blockKey({ run, partition: 0, block: start + offset }));
      const rows = await this.#store.getMany(keys);
      const totals = keys.map((key, offset) => readBlockRow(rows.get(keyText(key)) ?? {}, start + offset).totals);
      sum = sumTotals([sum, ...totals.filter((each) => each !== undefined)]);
    }
    return sum;
  }
}

/** How a run ends whose items are all settled. */
function endOf(row: Row, { dead }: Totals): { readonly status: RunStatus; readonly failure?: string } {
  if (row.status === "cancelling") return { status: "cancelled" };
  if (row.status === "failing") return { status: "failed" };
  // Its last items may have died too fast for anybody to stop it.
  const failure = beyondTolerance(row.tolerance as Tolerance | undefined, { dead, settled: Number(row.items) });
  return failure === undefined ? { status: "completed" } : { status: "failed", failure };
}
