import { SluiceError } from "../errors.ts";
import { Climb } from "./climb.ts";
import {
  blockCount,
  blockKey,
  blockOf,
  owedOf,
  PAGES_PER_BLOCK,
  pageKey,
  pageTotals,
  RUN_LIST,
  readBlockRow,
  readPageRow,
  runKey,
  runListKey,
  sumTotals,
  type Totals,
} from "./rows.ts";
import { type Checkpoint, type Counts, finalCounts, type RunRecord, readRunRow } from "./run-record.ts";
import { keyText, type LedgerStore } from "./store.ts";

/** https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html */
const ROWS_PER_READ = 100;

/** The records of runs: how they start, how far the producer has come, and what they add up to. */
export class Runs {
  readonly #store: LedgerStore;
  readonly #climb: Climb;

  /** @param now Milliseconds since the epoch, for the run's times. */
  constructor(store: LedgerStore, now: () => number = Date.now) {
    this.#store = store;
    this.#climb = new Climb(store, now);
  }

  /** Starts a run, or finds the one of this id that was started before. */
  async create(run: {
    id: string;
    workflow: string;
    requestedAt: string;
    limit?: number | undefined;
  }): Promise<RunRecord> {
    // The list first: a run that no list shows could not be found to be resumed.
    await this.#store.update(runListKey(run.id, run.requestedAt), { set: { id: run.id } });
    const row = await this.#store.update(runKey(run.id), {
      set: {
        id: run.id,
        workflow: run.workflow,
        status: "running",
        requestedAt: run.requestedAt,
        limit: run.limit,
        checkpoints: 0,
        skip: 0,
        pages: 0,
        items: 0,
        ended: false,
        hop: 0,
        failedSlices: 0,
      },
      when: [{ absent: "status" }],
    });
    return row === undefined ? await this.get(run.id) : readRunRow(row);
  }

  async find(id: string): Promise<RunRecord | undefined> {
    const row = await this.#store.get(runKey(id));
    return row?.status === undefined ? undefined : readRunRow(row);
  }

  /** @throws {SluiceError} `UNKNOWN_RUN`: there is none of this id. */
  async get(id: string): Promise<RunRecord> {
    const run = await this.find(id);
    if (run === undefined) throw new SluiceError("UNKNOWN_RUN", `there is no run ${id}`, { ids: { run: id } });
    return run;
  }

  /** The latest runs, newest first. */
  async latest(limit: number): Promise<readonly RunRecord[]> {
    const listed = await this.#store.newest(RUN_LIST, limit);
    const runs = await Promise.all(listed.map((row) => this.find(String(row.id))));
    return runs.filter((run) => run !== undefined);
  }

  /**
   * Takes up a continuation, and counts a failed slice in advance: a producer that dies cannot count any more. The next
   * checkpoint sets the count back, as `recordSlice` does for a slice that ended well without one.
   *
   * @returns the run as it was before, or `undefined` where there is nothing to do: it does not run any more, or a later
   * continuation has been taken up already.
   */
  async takeUp(id: string, hop: number): Promise<RunRecord | undefined> {
    const run = await this.get(id);
    if (run.status !== "running") return undefined;
    const row = await this.#store.update(runKey(id), {
      set: { hop, failedSlices: run.failedSlices + 1 },
      when: [{ atMost: ["hop", hop] }],
    });
    return row === undefined ? undefined : run;
  }

  /**
   * Moves a run's checkpoint on, once the messages of the page before it are sent.
   *
   * @returns the run after it, or `undefined` where another producer has moved it: this one must stop.
   */
  async checkpoint(run: RunRecord, next: Omit<Checkpoint, "count">): Promise<RunRecord | undefined> {
    const { cursor, ...progress } = next;
    const row = await this.#store.update(runKey(run.id), {
      set: {
        ...progress,
        checkpoints: run.checkpoint.count + 1,
        failedSlices: 0,
        cursor: cursor === undefined ? undefined : JSON.stringify(cursor),
      },
      remove: cursor === undefined ? ["cursor"] : [],
      when: [{ equals: ["checkpoints", run.checkpoint.count] }],
    });
    // The answer to a write that took effect may be lost, and the SDK's retry then finds the checkpoint moved: by us.
    const after = row === undefined ? await this.get(run.id) : readRunRow(row);
    if (after.checkpoint.count !== run.checkpoint.count + 1 || after.checkpoint.items !== next.items) return undefined;
    await this.closeBlocks(after, blockOf(run.checkpoint.pages));
    // A run without a page, or whose last block was full before the source's end was known, has nobody else to end it.
    if (after.checkpoint.ended) await this.#completeIfFull(run.id);
    return after;
  }

  /**
   * Tells the blocks that the checkpoint has passed their size, from block `first` on: none of their pages can be sent
   * again, so they may count as full. A producer that takes up a run repeats it for the latest one.
   */
  async closeBlocks(run: RunRecord, first: number): Promise<void> {
    const { pages, ended } = run.checkpoint;
    for (let block = Math.max(0, first); block < blockCount(pages); block++) {
      const size = Math.min(PAGES_PER_BLOCK, pages - block * PAGES_PER_BLOCK);
      if (size < PAGES_PER_BLOCK && !ended) return;
      const row = await this.#store.update(blockKey(run.id, block), { set: { size } });
      if (row !== undefined) await this.#climb.fromBlock(run.id, block, readBlockRow(row, block));
    }
  }

  /** Ends a run whose blocks are all full: for a producer that died after its last checkpoint. */
  async closeAgain(run: RunRecord): Promise<void> {
    await this.closeBlocks(run, blockOf(run.checkpoint.pages - 1) - 1);
    await this.#completeIfFull(run.id);
  }

  async #completeIfFull(id: string): Promise<void> {
    const row = await this.#store.get(runKey(id));
    if (row !== undefined) await this.#climb.fromRun(id, row);
  }

  /** Sets how many slices in a row have failed, and why the latest did. */
  async recordSlice(id: string, failedSlices: number, error?: string): Promise<void> {
    await this.#store.update(runKey(id), { set: { failedSlices, sliceError: error } });
  }

  /** Ends a run as failed, its cursor kept. */
  async fail(id: string, failure: string): Promise<void> {
    await this.#store.update(runKey(id), {
      set: { status: "failed", failure },
      when: [{ equals: ["status", "running"] }],
    });
  }

  /**
   * Makes a failed run run again.
   *
   * @returns the run, whose `hop` its next continuation must exceed, or `undefined` where it has not failed.
   */
  async reopen(id: string): Promise<RunRecord | undefined> {
    const row = await this.#store.update(runKey(id), {
      set: { status: "running", failedSlices: 0 },
      remove: ["failure"],
      when: [{ equals: ["status", "failed"] }],
    });
    return row === undefined ? undefined : readRunRow(row);
  }

  /**
   * A run's counts as the ledger has them now. It reads the run's blocks, and of the blocks that are not full the pages
   * that are not: what it costs follows the backlog, not the run.
   */
  async counts(run: RunRecord): Promise<Counts> {
    if (run.status === "completed") return finalCounts(run);
    const { pages, items } = run.checkpoint;
    // A page that was opened and not yet passed by the checkpoint holds no items that count as produced.
    const totals: Totals[] = [];
    let owed = 0;
    for (let block = 0; block < blockCount(pages); block++) {
      const row = readBlockRow((await this.#store.get(blockKey(run.id, block))) ?? {}, block);
      if (row.totals !== undefined) {
        totals.push(row.totals);
        continue;
      }
      const first = block * PAGES_PER_BLOCK;
      const last = Math.min(first + PAGES_PER_BLOCK, pages);
      const wanted: number[] = [];
      for (let page = first; page < last; page++) if (!row.full.has(page) || row.notable.has(page)) wanted.push(page);
      for (let start = 0; start < wanted.length; start += ROWS_PER_READ) {
        const keys = wanted.slice(start, start + ROWS_PER_READ).map((page) => pageKey(run.id, page));
        const rows = await this.#store.getMany(keys);
        for (const key of keys) {
          const found = rows.get(keyText(key));
          if (found === undefined) continue;
          const page = readPageRow(found);
          owed += owedOf(page);
          totals.push(pageTotals(page));
        }
      }
    }
    const { dead, retried, deadByReason } = sumTotals(totals);
    return { produced: items, succeeded: items - owed - dead, dead, retried, owed, deadByReason };
  }
}
