import { type Key, keyText, type LedgerStore, type Row, type Update } from "../aws/table.ts";
import { beyondTolerance, type Tolerance } from "../definition/tolerance.ts";
import {
  type BlockAddress,
  blockGroupKey,
  blockKey,
  type PageAddress,
  pageKey,
  partitionKey,
} from "../messages/item-address.ts";
import {
  type BlockGroupRow,
  blocksToRead,
  completeBlockCount,
  isFirstGroupComplete,
  readBlockGroupRow,
  sumOfBlocks,
} from "./block-groups.ts";
import { type BlockRow, pageEntry, readBlockRow } from "./block-row.ts";
import { type GroupRow, partitionEntry, readGroupRow, totalsAttribute } from "./group-row.ts";
import {
  BLOCKS_PER_GROUP,
  blockAddressOf,
  blockCount,
  blockGroupOf,
  groupCount,
  groupKey,
  groupOf,
  PAGES_PER_BLOCK,
  runKey,
} from "./keys.ts";
import { numberSet } from "./number-set.ts";
import { isNotable, type PageRow, pageTotals, pendingOf, readPageRow } from "./page-row.ts";
import { RunResultsProgress } from "./results-progress.ts";
import { type RunStatus, readRunRow } from "./run-record.ts";
import { sumTotals, type Totals } from "./totals.ts";

/** What is announced: that a run has ended, or, with a number, that its results need a compaction. */
export interface Announcement {
  readonly run: string;
  readonly workflow: string;
  /** The number of the compaction of the run, from 1. */
  readonly compaction?: number;
}

/** Makes an announcement. It may be called several times with the same one, so the receiver must de-duplicate. */
export type Announce = (announcement: Announcement) => Promise<void>;

/**
 * The roll-up, from page to run: a complete page is entered into its block, and a complete block into its run. The run is
 * completed when its source has ended and all its blocks are complete. Any worker may repeat any step at any time.
 *
 * In a run with partitions, a complete block is entered into its partition, a complete partition into its group, and a
 * complete group into the run.
 *
 * In a run or partition of more than 1,000 blocks, a later block is entered into a group of blocks, and a complete group of
 * blocks into the run or partition.
 */
export class RollUp {
  readonly #store: LedgerStore;
  readonly #now: () => number;
  readonly #announce: Announce | undefined;
  /** How far the compaction of the runs' results has come. */
  readonly results: RunResultsProgress;

  constructor(store: LedgerStore, now: () => number, announce?: Announce) {
    this.#store = store;
    this.#now = now;
    this.#announce = announce;
    this.results = new RunResultsProgress(store, announce);
  }

  /** Rolls up from a page. @param row The page's row as a write returned it. */
  async fromPage(page: PageAddress, row: PageRow): Promise<void> {
    if (pendingOf(row) > 0) return;
    const entry = pageEntry(page.page, row.epoch);
    const block = blockAddressOf(page);
    const updated = await this.#write(blockKey(block), {
      add: { full: [entry], notable: isNotable(row) ? [entry] : [] },
      set: { redriven: row.redriven || undefined },
    });
    await this.fromBlock(block, readBlockRow(updated, block.block));
  }

  /**
   * Rolls up from a block.
   *
   * @param row The block's row as a write returned it: the write that entered a page, or the one that set the block's size.
   */
  async fromBlock(address: BlockAddress, row: BlockRow): Promise<void> {
    const { run, partition, block } = address;
    // mutant: block-size-known
    if (row.size === undefined || row.full.size < row.size) return;
    // All pages of the block are complete, and none of them can be sent again. So every worker computes the same totals.
    // Only a redrive changes them. Then two workers may write the totals in the wrong order, so `redriven` marks the totals
    // as not reliable.
    const totals = await this.#blockTotals(address, row);
    const isPlain = row.notable.size === 0 && row.totals === undefined && !row.redriven;
    if (partition === 0 && block === 0 && isPlain && (await this.#completePlain(run, totals)))
      return await this.tell(run);
    // A block whose items all succeeded at their first attempt needs no totals: it adds nothing to the totals of its run.
    if (row.notable.size > 0 || row.totals !== undefined) {
      await this.#store.update(blockKey(address), { set: { totals: { ...totals } } });
    }
    const set = { redriven: row.redriven || undefined };
    const group = blockGroupOf(block);
    if (row.grouped) {
      const entered = await this.#write(blockGroupKey(address, group), {
        add: { complete: [block % BLOCKS_PER_GROUP] },
        set,
      });
      return await this.fromBlockGroup({ run, partition }, group, readBlockGroupRow(entered));
    }
    const updated = await this.#write(productionKey(address), { add: { fullBlocks: [block] }, set });
    if (isFirstGroupComplete(updated)) {
      await this.#storeTotals({ run, partition }, 0, BLOCKS_PER_GROUP);
      await this.#store.update(productionKey(address), { add: { blockGroups: [0] } });
    }
    if (partition > 0) await this.fromPartition(run, partition, updated, row.redriven ? undefined : totals);
    else await this.fromRun(run, updated, row.redriven ? undefined : totals);
  }

  /**
   * Rolls up from a group of blocks.
   *
   * @param row The group's row as a write returned it: the write that entered a block, or the one that set the group's size.
   */
  async fromBlockGroup(production: Omit<BlockAddress, "block">, group: number, row: BlockGroupRow): Promise<void> {
    // mutant: block-group-size-known
    if (row.size === undefined || row.complete.size < row.size) return;
    // All workers compute the same totals. Only a redrive changes them, and then nobody uses them.
    if (row.totals === undefined) await this.#storeTotals(production, group, row.size);
    const updated = await this.#write(productionKey(production), {
      add: { blockGroups: [group] },
      set: { redriven: row.redriven || undefined },
    });
    const { run, partition } = production;
    if (partition > 0) await this.fromPartition(run, partition, updated);
    else await this.fromRun(run, updated);
  }

  /**
   * Rolls up from a partition.
   *
   * @param row The partition's row as a write returned it: the write that entered a block, or the one that ended the source.
   * @param blockTotals As in `fromRun`.
   */
  async fromPartition(run: string, partition: number, row: Row, blockTotals?: Totals): Promise<void> {
    const blocks = blockCount(Number(row.pages));
    if (row.ended !== true || completeBlockCount(row, blocks) < blocks) return;
    const totals =
      blocks === 1 && blockTotals !== undefined ? blockTotals : await this.#sumOfBlocks({ run, partition }, row);
    const isNotable = totals.dead + totals.cancelled + totals.retried > 0;
    const group = groupOf(partition);
    const updated = await this.#write(groupKey(run, group), {
      add: { complete: [partitionEntry(partition)] },
      set: {
        ...((isNotable || row.redriven === true) && totalsAttribute(partition, totals)),
        redriven: row.redriven === true || undefined,
      },
    });
    await this.fromGroup(run, group, readGroupRow(updated, group));
  }

  /** Does the same as `fromPartition`, for a worker that does not have the partition's row. */
  async fromStoredPartition(run: string, partition: number): Promise<void> {
    await this.fromPartition(run, partition, (await this.#store.get(partitionKey({ run, partition }))) ?? {});
  }

  /**
   * Rolls up from a group of partitions.
   *
   * @param row The group's row as a write returned it: the write that entered a partition, or the one that set the group's
   *   size.
   */
  async fromGroup(run: string, group: number, row: GroupRow): Promise<void> {
    // mutant: group-size-known
    if (row.size === undefined || row.complete.size < row.size) return;
    const updated = await this.#write(runKey(run), {
      add: { fullGroups: [group] },
      set: { redriven: row.redriven || undefined },
    });
    await this.fromRun(run, updated);
  }

  /**
   * Enters the only block of a run, and completes the run with the same write.
   *
   * @param totals The totals of a block whose items all succeeded at their first attempt. Every tolerance allows them.
   * @returns false if the run has more blocks, is not running or has ended: then nothing was written.
   */
  async #completePlain(run: string, totals: Totals): Promise<boolean> {
    // mutant: write-end-before-announcement
    const completed = await this.#store.update(runKey(run), {
      add: { fullBlocks: [0] },
      set: { ...this.#completion("completed", totals) },
      remove: ["failure"],
      // A row with the status `running` has no `completedAt`, so no condition is needed for that attribute.
      // mutant: end-while-running
      when: [{ equals: ["status", "running"] }, { equals: ["ended", true] }, { atMost: ["pages", PAGES_PER_BLOCK] }],
    });
    return completed !== undefined;
  }

  #completion(status: RunStatus, totals: Totals) {
    return { status, completedAt: new Date(this.#now()).toISOString(), totals: { ...totals } };
  }

  /**
   * Completes a run if all its blocks are complete, and announces its end.
   *
   * @param row The run's row as a write returned it: the write that entered a block, or the one that ended the source.
   * @param blockTotals The totals of the block that was just entered, if no redrive can have changed them. For a run of one
   *   block, they are the totals of the run.
   */
  async fromRun(run: string, row: Row, blockTotals?: Totals): Promise<void> {
    const hasPartitions = row.lanes !== undefined;
    const blocks = hasPartitions ? groupCount(Number(row.partitions ?? 0)) : blockCount(Number(row.pages));
    const complete = hasPartitions ? numberSet(row.fullGroups).size : completeBlockCount(row, blocks);
    if (row.ended !== true || complete < blocks) return;
    if (row.completedAt === undefined) {
      const totals = hasPartitions
        ? await this.#sumOfGroups(run, blocks)
        : blocks === 1 && blockTotals !== undefined
          ? blockTotals
          : await this.#sumOfBlocks({ run, partition: 0 }, row);
      const { status, failure } = endOf(row, totals);
      await this.#store.update(runKey(run), {
        set: { ...this.#completion(status, totals), failure },
        // The run may have failed to read its source although it had already seen the end of the source.
        ...(status === "completed" && { remove: ["failure"] }),
        // If the status has changed since the row was read, the worker or command that changed it ends the run.
        // mutant: end-once
        when: [{ equals: ["status", String(row.status)] }, { absent: "completedAt" }],
      });
    }
    // mutant: announce-known-end
    await this.tell(run);
  }

  /** Does the same as `fromRun`, for a worker that does not have the run's row. */
  async fromStoredRun(run: string): Promise<void> {
    await this.fromRun(run, (await this.#store.get(runKey(run))) ?? {});
  }

  /**
   * Announces that a run has ended, unless the end was announced before. The worker that ended the run may have crashed
   * before it announced the end. So every later worker that finds the run ended calls this method.
   */
  async tell(run: string): Promise<void> {
    if (this.#announce === undefined) return;
    const row = await this.#store.get(runKey(run));
    if (row?.completedAt === undefined) return;
    if (row.announced === true) {
      // A redriven item of an ended run may have succeeded, and the run's manifest does not have it yet.
      if (row.redriven === true) await this.results.ask(readRunRow(row));
      return;
    }
    await this.#announce({ run, workflow: String(row.workflow) });
    await this.#store.update(runKey(run), { set: { announced: true } });
  }

  /** Makes a write that has no condition. Such a write always succeeds, and returns the row after it. */
  async #write(key: Key, update: Omit<Update, "when">): Promise<Row> {
    return (await this.#store.update(key, update)) ?? {};
  }

  async #blockTotals({ run, partition }: BlockAddress, row: BlockRow): Promise<Totals> {
    const keys = [...row.notable].map((page) => pageKey({ run, partition, page }));
    const rows = await this.#store.getMany(keys);
    return sumTotals([...rows.values()].map((page) => pageTotals(readPageRow(page))));
  }

  async #sumOfGroups(run: string, groups: number): Promise<Totals> {
    const keys = Array.from({ length: groups }, (_, group) => groupKey(run, group));
    const rows = await this.#store.getMany(keys);
    const groupRows = keys.map((key, group) => readGroupRow(rows.get(keyText(key)) ?? {}, group));
    return sumTotals(groupRows.flatMap(({ totals }) => [...totals.values()]));
  }

  /** Writes the totals of the blocks of a complete group into the group's row, so that a count need not read the blocks. */
  async #storeTotals(production: Omit<BlockAddress, "block">, group: number, size: number): Promise<void> {
    const blocks = Array.from({ length: size }, (_, place) => group * BLOCKS_PER_GROUP + place);
    const totals = await sumOfBlocks(this.#store, production, { totals: [], blocks });
    await this.#store.update(blockGroupKey(production, group), { set: { totals: { ...totals } } });
  }

  async #sumOfBlocks(production: Omit<BlockAddress, "block">, { pages, redriven }: Row): Promise<Totals> {
    const known = await blocksToRead(this.#store, production, Number(pages), redriven === true);
    return await sumOfBlocks(this.#store, production, known);
  }
}

/** The key of the row into which complete blocks are entered. */
const productionKey = (production: Omit<BlockAddress, "block">): Key =>
  production.partition === 0 ? runKey(production.run) : partitionKey(production);

/** How a run ends once all its items are settled. */
function endOf(row: Row, { dead }: Totals): { readonly status: RunStatus; readonly failure?: string } {
  if (row.status === "cancelling") return { status: "cancelled" };
  if (row.status === "failing") return { status: "failed" };
  // The last items may have died before any consumer could stop the run.
  const failure = beyondTolerance(row.tolerance as Tolerance | undefined, { dead, settled: Number(row.items) });
  return failure === undefined ? { status: "completed" } : { status: "failed", failure };
}
