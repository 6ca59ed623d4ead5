import { MOST_BATCH_GET_KEYS } from "../aws/quotas.ts";
import { keyText, type LedgerStore, type Row } from "../aws/table.ts";
import { SluiceError } from "../base/errors.ts";
import { toStoredText } from "../base/exact-json.ts";
import { cut } from "../base/failure.ts";
import type { Json } from "../base/json.ts";
import { beyondTolerance, type Tolerance } from "../definition/tolerance.ts";
import { type BlockAddress, blockKey, pageKey } from "../messages/item-address.ts";
import { ActiveRuns } from "./active-runs.ts";
import { Ledger } from "./ledger.ts";
import { type Announce, Climb } from "./roll-up.ts";
import {
  blockCount,
  blockOf,
  PAGES_PER_BLOCK,
  presentTotals,
  RUN_LIST,
  readBlockRow,
  readPageRow,
  runKey,
  runListKey,
  sumTotals,
  type Totals,
} from "./rows.ts";
import {
  type BacklogLook,
  type Checkpoint,
  type Counts,
  finalCounts,
  isActive,
  isStopping,
  isWaiting,
  LEDGER_VERSION,
  type RecordedWait,
  type Resend,
  type RunRecord,
  type RunStatus,
  readRunRow,
} from "./run-record.ts";
import { warningAttributes } from "./warnings.ts";

/** A message of a source or of `onComplete`, kept in the run's row: DynamoDB refuses a row of more than 400 KB. */
const LONGEST_ERROR_BYTES = 8_192;

/** Runs of the list that are read at once. */
const RUNS_PER_READ = 500;

/** A run that is to start. */
export interface NewRun {
  readonly id: string;
  readonly workflow: string;
  readonly requestedAt: string;
  readonly limit?: number | undefined;
  readonly tolerance?: Tolerance | undefined;
  /** Whether it must not begin before `active.enterAlone` has let it. */
  readonly exclusive?: boolean;
  /** The run because of which it is skipped. */
  readonly skippedFor?: string;
}

/** The records of runs: how they start, how far the producer has come, and what they add up to. */
export class Runs {
  readonly #store: LedgerStore;
  readonly #ledger: Ledger;
  readonly #now: () => number;
  readonly #climb: Climb;
  /** The runs that are active now. */
  readonly active: ActiveRuns;

  /**
   * @param now Milliseconds since the epoch, for the run's times.
   * @param announce Tells that a run has ended; see `Climb`.
   */
  constructor(store: LedgerStore, now: () => number = Date.now, announce?: Announce) {
    this.#store = store;
    this.#ledger = new Ledger(store, now, announce);
    this.#climb = new Climb(store, now, announce);
    this.#now = now;
    this.active = new ActiveRuns(store, () => this.#allRows());
  }

  /**
   * Starts a run, or finds the one of this id that was started before, and makes it one of the active runs.
   */
  async create(run: NewRun): Promise<RunRecord> {
    const { record, entered } = await this.begin(run);
    await entered;
    return record;
  }

  /**
   * Does what `create` does, but returns the run before it is one of the active runs.
   *
   * @returns `entered`, which resolves when the run is one of the active runs, or is not to become one. No message of the
   *   run may be sent before: a scheduled start would not see the run, and start a second one beside it.
   */
  async begin(run: NewRun): Promise<{ readonly record: RunRecord; readonly entered: Promise<void> }> {
    // A run that no list shows could not be found to be resumed: who dies between the two is called again.
    const listed = this.#store.update(runListKey(run.id, run.requestedAt), { set: { id: run.id } });
    const created = this.#store.update(runKey(run.id), {
      set: {
        id: run.id,
        version: LEDGER_VERSION,
        workflow: run.workflow,
        status: run.skippedFor === undefined ? "running" : "skipped",
        failure: run.skippedFor === undefined ? undefined : skippedBecause(run.skippedFor),
        requestedAt: run.requestedAt,
        limit: run.limit,
        exclusive: run.exclusive || undefined,
        tolerance: run.tolerance as Json | undefined,
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
    const [row] = await Promise.all([created, listed]);
    const record = row === undefined ? await this.get(run.id) : readRunRow(row);
    // After its row is written, and before its first message is sent: see `ActiveRuns`.
    // mutant: enter-active-runs
    const entered = isActive(record) && !record.exclusive ? this.active.enter(record) : Promise.resolve();
    // The caller awaits it. Until then, a failure is not an unhandled rejection.
    entered.catch(() => {});
    return { record, entered };
  }

  /** Lists a run that a schedule asked for in vain, because of the one that still works. */
  async skip(run: { id: string; workflow: string; requestedAt: string }, because: RunRecord): Promise<void> {
    const { status, exclusive } = await this.create({ ...run, skippedFor: because.id });
    if (status === "skipped" || !exclusive) return;
    // It had a row already, and another run became active before it could.
    await this.#store.update(runKey(run.id), {
      set: { status: "skipped", failure: skippedBecause(because.id) },
      when: [{ equals: ["status", "running"] }, { equals: ["hop", 0] }],
    });
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

  /** The latest runs, newest first. Most of them may be skipped ones: `active` finds those that still work. */
  async latest(limit: number): Promise<readonly RunRecord[]> {
    return (await this.#rowsOf(await this.#store.newest(RUN_LIST, limit))).map(readRunRow);
  }

  /** All runs, newest first, a group at a time. */
  async *all(): AsyncGenerator<readonly RunRecord[], void, undefined> {
    for await (const rows of this.#allRows()) yield rows.map(readRunRow);
  }

  async *#allRows(): AsyncGenerator<readonly Row[], void, undefined> {
    for (let before: string | undefined; ; ) {
      const listed = await this.#store.newest(RUN_LIST, RUNS_PER_READ, before);
      if (listed.length > 0) yield await this.#rowsOf(listed);
      if (listed.length < RUNS_PER_READ) return;
      before = String(listed.at(-1)?.sk);
    }
  }

  async #rowsOf(listed: readonly Row[]): Promise<readonly Row[]> {
    const keys = listed.map((row) => runKey(String(row.id)));
    const starts = Array.from(
      { length: Math.ceil(keys.length / MOST_BATCH_GET_KEYS) },
      (_, group) => group * MOST_BATCH_GET_KEYS,
    );
    const groups = await Promise.all(
      starts.map((start) => this.#store.getMany(keys.slice(start, start + MOST_BATCH_GET_KEYS))),
    );
    const rows = new Map(groups.flatMap((group) => [...group]));
    return keys.flatMap((key) => {
      const row = rows.get(keyText(key));
      return row?.status === undefined ? [] : [row];
    });
  }

  /**
   * Takes up a continuation, and counts a failed slice in advance: a producer that dies cannot count any more. The next
   * checkpoint sets the count back, as `recordFull` does for a slice that ended well without one.
   *
   * Until the source's wait is over, no slice begins, and none is counted.
   *
   * @returns the run, with its failed slices as they were before, or `undefined` where there is nothing to do: it neither runs nor is being stopped,
   * or a later continuation has been taken up already.
   */
  async takeUp(id: string, hop: number, now: number = this.#now()): Promise<RunRecord | undefined> {
    const before = await this.find(id);
    if (before === undefined) return undefined;
    const { failedSlices } = before;
    // The hop is noted even where there is nothing to do: who resumes the run must send a later one, as the control queue
    // would take this one for a duplicate.
    const row = await this.#store.update(runKey(id), {
      set: { hop, failedSlices: isWaiting(before, now) ? failedSlices : failedSlices + 1 },
      when: [{ atMost: ["hop", hop] }],
    });
    if (row === undefined) return undefined;
    const run = readRunRow(row);
    // The producer that ended the run may have died before it could tell.
    if (run.completedAt !== undefined) await this.#climb.fromRun(id, row);
    if (run.status !== "running" && !isStopping(run)) return undefined;
    // It may have been started by code that knew of no active runs, or be one whose resume died.
    await this.active.enter(run);
    return { ...run, failedSlices };
  }

  /**
   * Moves a run's checkpoint on, once the messages of the page before it are sent.
   *
   * @param warnings What the source has warned of so far. Those that the run does not hold yet are added to it.
   * @returns the run after it, or `undefined` where another producer has moved it: this one must stop.
   */
  async checkpoint(
    run: RunRecord,
    next: Omit<Checkpoint, "count">,
    warnings: readonly string[] = [],
  ): Promise<RunRecord | undefined> {
    const { cursor, loop, ...progress } = next;
    const row = await this.#store.update(runKey(run.id), {
      set: {
        ...progress,
        loop: loop && { ...loop },
        checkpoints: run.checkpoint.count + 1,
        failedSlices: 0,
        cursor: cursor === undefined ? undefined : toStoredText(cursor),
        ...warningAttributes(run.warnings, warnings),
      },
      remove: [
        ...(cursor === undefined ? ["cursor"] : []),
        ...(loop === undefined ? ["loop"] : []),
        ...(run.wait === undefined ? [] : ["waitUntil", "waitReason", "waitSince", "waits"]),
      ],
      when: [{ equals: ["checkpoints", run.checkpoint.count] }],
    });
    // The answer to a write that took effect may be lost, and the SDK's retry then finds the checkpoint moved: by us.
    const after = row === undefined ? await this.get(run.id) : readRunRow(row);
    const { count, items, ended } = after.checkpoint;
    // A wait that another producer noted counts as a checkpoint too.
    const isNext = count === run.checkpoint.count + 1 && after.wait === undefined;
    const isOurs = isNext && items === next.items && ended === next.ended;
    if (!isOurs) return undefined;
    await this.closeBlocks(after, blockOf(run.checkpoint.pages));
    // A run without a page, or whose last block was full before the source's end was known, has nobody else to end it.
    // mutant: complete-at-source-end
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
      const address = blockAddress(run, block);
      const row = await this.#store.update(blockKey(address), { set: { size } });
      if (row !== undefined) await this.#climb.fromBlock(address, readBlockRow(row, block));
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

  /**
   * Ends the production of a run that is being stopped. Pages that were opened and not checkpointed are part of it, as
   * some of their messages may be on the queue: what is pending of them is cancelled. They were opened in their order, so the
   * first that was not is the last to be looked at. Should another producer's checkpoint come between, it begins again.
   */
  async endProduction(run: RunRecord): Promise<void> {
    for (let latest = run; ; latest = await this.get(run.id)) {
      if (latest.checkpoint.ended) return await this.closeAgain(latest);
      if ((await this.#endProductionAt(latest)) !== undefined) return;
    }
  }

  /** @returns the run after it, or `undefined` where another producer has moved it on. */
  async #endProductionAt(run: RunRecord): Promise<RunRecord | undefined> {
    let { count: _, pages, items, ...progress } = run.checkpoint;
    for (;;) {
      const opened = await this.#ledger.cancelPage({ run: run.id, partition: 0, page: pages });
      if (opened === undefined) break;
      pages++;
      items += opened;
    }
    return await this.checkpoint(run, { ...progress, ended: true, pages, items });
  }

  /**
   * Sets how many slices in a row have failed, and why the latest did.
   *
   * @param warned What the source has warned of so far. Warnings that are not `known` are added to the run.
   */
  async recordSlice(
    id: string,
    failedSlices: number,
    error: string,
    warned: { readonly known: readonly string[]; readonly warnings: readonly string[] } = { known: [], warnings: [] },
  ): Promise<void> {
    await this.#store.update(runKey(id), {
      set: {
        failedSlices,
        sliceError: cut(error, LONGEST_ERROR_BYTES),
        ...warningAttributes(warned.known, warned.warnings),
      },
    });
  }

  /**
   * Notes that the source was told to wait. It counts as a checkpoint: a producer that works on the run beside this one
   * must not take the wait back by its own.
   *
   * @param failedSlices Slices in a row that failed before: a wait is no failure.
   * @returns whether it is noted; if not, another producer has moved the run on, and this one must stop.
   */
  async recordWait(run: RunRecord, wait: RecordedWait, failedSlices: number, warnings: readonly string[]) {
    const { until, since, count, reason } = wait;
    const row = await this.#store.update(runKey(run.id), {
      set: {
        checkpoints: run.checkpoint.count + 1,
        failedSlices,
        ...{ waitUntil: until, waitSince: since, waits: count, waitReason: reason },
        ...warningAttributes(run.warnings, warnings),
      },
      when: [{ equals: ["checkpoints", run.checkpoint.count] }],
    });
    if (row !== undefined) return true;
    // As with a checkpoint, the answer to a write that took effect may be lost.
    const after = await this.get(run.id);
    return after.checkpoint.count === run.checkpoint.count + 1 && after.wait?.until === until;
  }

  /** Notes that a slice ended well, without a checkpoint maybe, because the queue was full. */
  async recordFull(id: string, { at, produced, backlog }: BacklogLook): Promise<void> {
    await this.#store.update(runKey(id), {
      set: { failedSlices: 0, fullAt: { at, produced, backlog } },
      remove: ["sliceError"],
    });
  }

  /** Ends a run as failed, its cursor kept. */
  async fail(id: string, failure: string): Promise<void> {
    const row = await this.#store.update(runKey(id), {
      set: { status: "failed", failure: cut(failure, LONGEST_ERROR_BYTES) },
      when: [{ equals: ["status", "running"] }],
    });
    // What failed again and again may be to tell that it has ended.
    if (row === undefined) await this.#completeIfFull(id);
  }

  /**
   * Makes a run go on that is paused, or whose source failed.
   *
   * @returns the run, whose `hop` its next continuation must exceed, or `undefined` where it is neither.
   */
  async reopen(id: string): Promise<RunRecord | undefined> {
    // How long the source has waited is counted anew. A wait that is not over stays.
    const remove = ["failure", "pausedAt", "waitSince", "waits"];
    const run = await this.#turn(id, ["paused", "failed"], "running", { failedSlices: 0 }, remove);
    // A failed run was not active.
    if (run !== undefined) await this.active.enterAgain(run);
    return run;
  }

  /**
   * Has the producer of a run that has not ended read its source again from the beginning, and send what is pending: its
   * messages may have left the queue. The producer does so with its next continuation.
   */
  async requestResend(id: string): Promise<void> {
    const place: Resend = { cursor: undefined, skip: 0, pages: 0, items: 0, ended: false, missing: 0 };
    await this.#store.update(runKey(id), {
      set: { resend: toStoredText(place) },
      remove: ["missing"],
      when: [{ oneOf: ["status", ["running", "paused", "failed"]] }, { absent: "completedAt" }],
    });
  }

  /** Notes how far a source was read again. A producer that has been followed by another notes nothing. */
  async recordResend({ id, hop }: RunRecord, place: Resend, isFurther: boolean): Promise<void> {
    await this.#store.update(runKey(id), {
      set: { resend: toStoredText(place), failedSlices: isFurther ? 0 : undefined },
      when: [{ equals: ["hop", hop] }],
    });
  }

  /** Notes that all that was pending is on the queue again. */
  async endResend(id: string): Promise<void> {
    await this.#store.update(runKey(id), { remove: ["resend"] });
  }

  /** Fails a run of which pending items can neither be found on the queue nor in the source. */
  async failMissing(id: string, failure: string): Promise<void> {
    await this.#store.update(runKey(id), {
      set: { status: "failed", failure, missing: true },
      remove: ["resend"],
      when: [{ equals: ["status", "running"] }],
    });
  }

  /**
   * Cancels what a run that is being stopped owes of the pages from `first` on, without its messages: they are lost. No task
   * of these pages may be under way, as its success would not count. It may be called again.
   */
  async cancelPending(run: RunRecord, first: number): Promise<void> {
    for await (const page of this.#pendingPages(run, first))
      await this.#ledger.cancelPage({ run: run.id, partition: 0, page });
  }

  /**
   * Cancels the items of a run that is being stopped whose messages stay hidden until after a time, because their tasks
   * asked to wait: the run would end only after the longest of these waits. The consumer that records such a wait later
   * finds the run stopped, and cancels the item itself. It may be called again.
   *
   * @param isOver Called before each page: whether the rest is left.
   * @returns whether all pages were looked at.
   */
  async cancelWaiting(run: RunRecord, after: number, isOver: () => boolean): Promise<boolean> {
    for await (const page of this.#pendingPages(run, 0)) {
      if (isOver()) return false;
      await this.#ledger.cancelWaiting({ run: run.id, partition: 0, page }, after);
    }
    return true;
  }

  /** The pages of a run, from `first` on, that are not complete. */
  async *#pendingPages(run: RunRecord, first: number): AsyncGenerator<number, void, undefined> {
    const { pages } = (await this.get(run.id)).checkpoint;
    for (let block = blockOf(first); block < blockCount(pages); block++) {
      const { full } = readBlockRow((await this.#store.get(blockKey(blockAddress(run, block)))) ?? {}, block);
      const last = Math.min((block + 1) * PAGES_PER_BLOCK, pages);
      for (let page = Math.max(first, block * PAGES_PER_BLOCK); page < last; page++) if (!full.has(page)) yield page;
    }
  }

  /**
   * Pauses a run: no new task begins, and every message stays.
   *
   * @returns the run, or `undefined` where it does not run.
   */
  async pause(id: string): Promise<RunRecord | undefined> {
    return await this.#turn(id, ["running"], "paused", { pausedAt: new Date(this.#now()).toISOString() });
  }

  /**
   * Begins to cancel a run: what is queued is dropped unrun, then it is `cancelled`. Its producer must be told by a
   * continuation, whose hop exceeds the run's.
   *
   * @param options With `missing`, messages of the run are lost and none of its tasks is under way: then its producer
   * cancels what is pending, and nothing waits for the messages. Default: false.
   * @returns the run, or `undefined` where it has ended.
   */
  async cancel(id: string, { missing = false } = {}): Promise<RunRecord | undefined> {
    const set = missing ? { missing } : {};
    const run = await this.#turn(id, ["running", "paused", "failed"], "cancelling", set, ["pausedAt"]);
    if (run !== undefined) await this.active.enterAgain(run);
    return run;
  }

  /**
   * Begins to stop a run of which more items died than are tolerated, if so. Its producer must be told, as with `cancel`.
   *
   * @returns the run, or `undefined` where it may go on.
   */
  async stopBeyondTolerance(id: string): Promise<RunRecord | undefined> {
    const run = await this.find(id);
    if (run?.tolerance === undefined || run.status !== "running") return undefined;
    const { produced, pending, dead } = await this.counts(run);
    const failure = beyondTolerance(run.tolerance, { dead, settled: produced - pending });
    return failure === undefined ? undefined : await this.#turn(id, ["running"], "failing", { failure });
  }

  /** Notes that `onComplete` is tried once more. Returns how often it has been, this time included. */
  async beginCompletion(run: RunRecord): Promise<number> {
    const attempt = run.completionAttempts + 1;
    await this.#store.update(runKey(run.id), { set: { completionAttempts: attempt } });
    return attempt;
  }

  /** Notes that `onComplete` has succeeded, or with an error, that it is not tried again. */
  async endCompletion(id: string, error?: string): Promise<void> {
    // mutant: leave-active-runs
    await this.active.leave(id);
    await this.#store.update(runKey(id), {
      set: {
        completionHandledAt: new Date(this.#now()).toISOString(),
        completionError: error && cut(error, LONGEST_ERROR_BYTES),
      },
      remove: error === undefined ? ["completionError"] : [],
    });
  }

  async #turn(
    id: string,
    from: readonly RunStatus[],
    to: RunStatus,
    set: Readonly<Record<string, Json>> = {},
    remove: readonly string[] = [],
  ): Promise<RunRecord | undefined> {
    // A run of a newer version is refused before it is written.
    await this.find(id);
    const row = await this.#store.update(runKey(id), {
      set: { status: to, ...set },
      remove,
      when: [{ oneOf: ["status", from] }, { absent: "completedAt" }],
    });
    // Who made it full may have come between, and found its status changed. Who ended it may have died before it could tell.
    await this.#completeIfFull(id);
    return row === undefined ? undefined : readRunRow(row);
  }

  /** Pending items of the paused runs: their messages are in the queue, and no consumer works on them. */
  async resting(): Promise<number> {
    let pending = 0;
    for (const run of await this.active.list())
      if (run.status === "paused") pending += (await this.counts(run)).pending;
    return pending;
  }

  /**
   * A run's counts as the ledger has them now. It reads the run's blocks, and of the blocks that are not full the pages
   * that are not: what it costs follows the backlog, not the run. Of what was redriven, it reads the pages that had dead
   * items or retries, and counts as pending what was redriven and has not settled again.
   */
  async counts(run: RunRecord): Promise<Counts> {
    if (run.completedAt !== undefined && !run.redriven) return finalCounts(run);
    const { pages, items } = run.checkpoint;
    // A page that was opened and not yet passed by the checkpoint holds no items that count as produced.
    const totals: Totals[] = [];
    let pending = 0;
    for (let block = 0; block < blockCount(pages); block++) {
      const row = readBlockRow((await this.#store.get(blockKey(blockAddress(run, block)))) ?? {}, block);
      if (row.totals !== undefined && !row.redriven) {
        totals.push(row.totals);
        continue;
      }
      const first = block * PAGES_PER_BLOCK;
      const last = Math.min(first + PAGES_PER_BLOCK, pages);
      const wanted: number[] = [];
      for (let page = first; page < last; page++) if (!row.full.has(page) || row.notable.has(page)) wanted.push(page);
      for (let start = 0; start < wanted.length; start += MOST_BATCH_GET_KEYS) {
        const keys = wanted
          .slice(start, start + MOST_BATCH_GET_KEYS)
          .map((page) => pageKey({ run: run.id, partition: 0, page }));
        const rows = await this.#store.getMany(keys);
        for (const key of keys) {
          const found = rows.get(keyText(key));
          if (found === undefined) continue;
          const page = presentTotals(readPageRow(found));
          pending += page.pending;
          totals.push(page);
        }
      }
    }
    const { dead, cancelled, retried, deadByReason } = sumTotals(totals);
    const succeeded = items - pending - dead - cancelled;
    return { produced: items, succeeded, dead, cancelled, retried, pending, deadByReason };
  }
}

const blockAddress = ({ id }: RunRecord, block: number): BlockAddress => ({ run: id, partition: 0, block });

const skippedBecause = (run: string): string => `run ${run} still worked`;
