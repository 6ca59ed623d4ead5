import { type Condition, type Key, keyText, type LedgerStore, type Row } from "../aws/table.ts";
import { toStoredText } from "../base/exact-json.ts";
import { cut } from "../base/failure.ts";
import { type BlockAddress, blockGroupKey, blockKey, partitionKey } from "../messages/item-address.ts";
import { readBlockGroupRow } from "./block-groups.ts";
import { readBlockRow } from "./block-row.ts";
import { endedAttribute, readGroupRow } from "./group-row.ts";
import {
  BLOCKS_PER_GROUP,
  blockCount,
  blockGroupOf,
  blockOf,
  blocksInGroup,
  groupCount,
  groupKey,
  groupOf,
  PAGES_PER_BLOCK,
  PARTITIONS_PER_GROUP,
  runKey,
} from "./keys.ts";
import type { RollUp } from "./roll-up.ts";
import {
  type BacklogSample,
  type Checkpoint,
  isStopping,
  isWaiting,
  LONGEST_ERROR_BYTES,
  partitionOf,
  partitionRecord,
  type RecordedWait,
  type RunPartition,
  type RunRecord,
  readRunRow,
  VERSION_WITH_BLOCK_GROUPS,
} from "./run-record.ts";
import type { Runs } from "./runs.ts";
import { warningAttributes } from "./warnings.ts";

/** How far the producer has come with a run: continuations, checkpoints, waits and failures. */
export class RunProgress {
  readonly #store: LedgerStore;
  readonly #now: () => number;
  readonly #rollUp: RollUp;
  readonly #runs: Pick<Runs, "find" | "get" | "active">;

  constructor(store: LedgerStore, now: () => number, rollUp: RollUp, runs: Pick<Runs, "find" | "get" | "active">) {
    this.#store = store;
    this.#now = now;
    this.#rollUp = rollUp;
    this.#runs = runs;
  }

  /**
   * Takes up a continuation. The method counts a failed slice in advance, because a producer that crashes cannot count. The
   * next checkpoint resets the count to 0, and so does `recordFull` for a slice that ended well without a checkpoint.
   *
   * Until the wait of the source is over, no slice begins, and none is counted.
   *
   * @returns the run, with the number of failed slices before this one. `undefined` if there is nothing to do: the run
   *   neither runs nor is being stopped, or a later continuation has been taken up already.
   */
  async takeUp(id: string, hop: number, now: number = this.#now()): Promise<RunRecord | undefined> {
    const before = await this.#runs.find(id);
    if (before === undefined) return undefined;
    const { failedSlices } = before;
    // The row keeps the continuation's number (`hop`) even if there is nothing to do. The command that resumes the run must
    // send a higher one, because the control queue would drop the same one as a duplicate.
    const row = await this.#store.update(runKey(id), {
      set: { hop, failedSlices: isWaiting(before, now) ? failedSlices : failedSlices + 1 },
      when: [{ atMost: ["hop", hop] }],
    });
    if (row === undefined) return undefined;
    const run = readRunRow(row);
    // The worker that ended the run may have died before it announced the end.
    if (run.completedAt !== undefined) await this.#rollUp.fromRun(id, row);
    if (run.status !== "running" && !isStopping(run)) return undefined;
    // The run may not be in the list of active runs yet: an older version of Sluice without this list may have started the
    // run, or the command that resumed it may have crashed.
    await this.#runs.active.enter(run);
    return { ...run, failedSlices };
  }

  /**
   * Takes up a partition for a slice. A failed slice is counted in advance, as in `takeUp`. The first slice of a partition
   * writes its row.
   *
   * @param round The round of the run's lanes, see `Lanes.beginRound`.
   */
  async takeUpPartition(
    run: RunRecord,
    partition: RunPartition,
    round: number,
    now: number = this.#now(),
  ): Promise<RunRecord> {
    const row = await this.#partitionRow(run, partition);
    const before = partitionRecord(run, partition, row);
    // When the run is resumed, failures and the time for which the source has waited are counted from zero again.
    const isResumed = Number(row.round) !== round;
    const failedSlices = isResumed ? 0 : before.failedSlices;
    if (before.checkpoint.ended) return before;
    const waits = isWaiting(before, now);
    if (waits && !isResumed) return before;
    const written = await this.#store.update(partitionKey({ run: run.id, partition: partition.number }), {
      set: { failedSlices: waits ? failedSlices : failedSlices + 1, round },
      ...(isResumed && { remove: ["waitSince", "waits"] }),
    });
    return { ...partitionRecord(run, partition, written ?? row), failedSlices };
  }

  /** The record of a partition. Its row is written if it does not exist yet. */
  async partition(run: RunRecord, partition: RunPartition): Promise<RunRecord> {
    return partitionRecord(run, partition, await this.#partitionRow(run, partition));
  }

  async #partitionRow(run: RunRecord, partition: RunPartition): Promise<Row> {
    const { number, cursor } = partition;
    const key = partitionKey({ run: run.id, partition: number });
    const row =
      (await this.#store.get(key)) ??
      (await this.#store.update(key, {
        set: {
          checkpoints: 0,
          ...(cursor !== undefined && { cursor: toStoredText(cursor) }),
          ...{ skip: 0, pages: 0, items: 0, ended: false, failedSlices: 0 },
        },
        when: [{ absent: "checkpoints" }],
      })) ??
      (await this.#store.get(key));
    if (row === undefined) throw new Error(`partition ${number} of run ${run.id} vanished from the ledger`);
    return row;
  }

  /** The record of the same production as it is now. */
  async latest(run: RunRecord): Promise<RunRecord> {
    const latest = await this.#runs.get(run.id);
    return run.partition === undefined ? latest : await this.partition(latest, run.partition);
  }

  /**
   * Moves a run's checkpoint on, after the messages of the page before it were sent.
   *
   * @param warnings What the source has warned of so far. Warnings that the run does not have yet are added to it.
   * @returns the run after the write, or `undefined` if another producer has moved the checkpoint: this one must stop.
   */
  async checkpoint(
    run: RunRecord,
    next: Omit<Checkpoint, "count">,
    warnings: readonly string[] = [],
  ): Promise<RunRecord | undefined> {
    const { cursor, loop, ...progress } = next;
    const row = await this.#store.update(productionKey(run), {
      set: {
        ...progress,
        loop: loop && { ...loop },
        checkpoints: run.checkpoint.count + 1,
        checkpointAt: this.#now(),
        failedSlices: 0,
        cursor: cursor === undefined ? undefined : toStoredText(cursor),
        ...(await this.#warningsOf(run, warnings)),
      },
      remove: ["waitUntil", "waitReason", "waitSince", "waits", ...absentOf({ cursor, loop })],
      when: [{ equals: ["checkpoints", run.checkpoint.count] }],
    });
    // The response to a successful write can get lost. Then the SDK repeats the write, and its condition fails.
    // The row of a partition does not say whether the run was paused or stopped, so the run's own row is read.
    const after =
      row === undefined
        ? await this.latest(run)
        : run.partition === undefined
          ? readRunRow(row)
          : partitionRecord(await this.#runs.get(run.id), run.partition, row);
    const { count, items, ended } = after.checkpoint;
    // A wait that another producer recorded counts as a checkpoint, too.
    const isNext = count === run.checkpoint.count + 1 && after.wait === undefined;
    const isSameCheckpoint = isNext && items === next.items && ended === next.ended;
    if (!isSameCheckpoint) return undefined;
    await this.#closeBlocks(after, blockOf(run.checkpoint.pages));
    // Nothing else ends a run without pages, or a run whose last block was complete before the end of the source was known.
    // mutant: complete-at-source-end
    if (after.checkpoint.ended) await this.#end(after);
    return after;
  }

  /** Rolls up from a run, or from a partition, whose source has ended. */
  async #end(run: RunRecord): Promise<void> {
    const { partition, checkpoint } = run;
    if (partition === undefined) return await this.#rollUp.fromStoredRun(run.id);
    const { pages, items, ended } = checkpoint;
    if (!ended) return;
    // mutant: note-ended-partition
    await this.#store.update(groupKey(run.id, groupOf(partition.number)), {
      set: endedAttribute(partition.number, { pages, items }),
    });
    await this.#rollUp.fromStoredPartition(run.id, partition.number);
  }

  /**
   * The attributes that add warnings to the row of a run, for the write of a checkpoint. The warnings of a partition are
   * written to the run's row first, because only that row holds warnings.
   */
  async #warningsOf(run: RunRecord, warnings: readonly string[]) {
    const attributes = warningAttributes(run.warnings, warnings);
    if (run.partition === undefined || Object.keys(attributes).length === 0) return attributes;
    const { warnings: known } = await this.#runs.get(run.id);
    await this.#store.update(runKey(run.id), { set: warningAttributes(known, warnings) });
    return {};
  }

  /**
   * Ends the production of a run with partitions: each partition that belongs to the run has ended. Each step can be
   * repeated.
   *
   * @param partitions How many partitions belong to the run. The run was stopped before the other ones.
   */
  async endPartitions(run: RunRecord, partitions: number): Promise<void> {
    const { id } = run;
    let pages = 0;
    let items = 0;
    const groups = Array.from({ length: groupCount(partitions) }, (_, group) => group);
    for (const row of await this.#groups(id, groups)) {
      for (const ended of row.ended.values()) {
        pages += ended.pages;
        items += ended.items;
      }
    }
    await this.#store.update(runKey(id), {
      set: {
        ...{ pages, items, ended: true, partitions },
        checkpoints: run.checkpoint.count + 1,
        checkpointAt: this.#now(),
      },
      when: [{ equals: ["ended", false] }],
    });
    for (const group of groups) {
      const size = Math.min(PARTITIONS_PER_GROUP, partitions - group * PARTITIONS_PER_GROUP);
      const row = await this.#store.update(groupKey(id, group), { set: { size } });
      await this.#rollUp.fromGroup(id, group, readGroupRow(row ?? {}, group));
    }
    // Nothing else ends a run without partitions, or a run whose groups were complete before.
    // mutant: complete-at-partitions-end
    await this.#rollUp.fromStoredRun(id);
  }

  async #groups(run: string, groups: readonly number[]) {
    const rows = await this.#store.getMany(groups.map((group) => groupKey(run, group)));
    return groups.map((group) => readGroupRow(rows.get(keyText(groupKey(run, group))) ?? {}, group));
  }

  /**
   * Sets the size of the blocks that the checkpoint has passed, from block `first` on, and of their groups. None of their
   * pages can be sent again, so the blocks can be complete. A producer that takes up a run repeats this for the latest block.
   */
  async #closeBlocks(run: RunRecord, first: number): Promise<void> {
    const { pages, ended } = run.checkpoint;
    for (let block = Math.max(0, first); block < blockCount(pages); block++) {
      const size = Math.min(PAGES_PER_BLOCK, pages - block * PAGES_PER_BLOCK);
      if (size < PAGES_PER_BLOCK && !ended) return;
      const address: BlockAddress = { run: run.id, partition: partitionOf(run), block };
      const grouped = hasGroupOfItsOwn(run, block) || undefined;
      const row = await this.#store.update(blockKey(address), { set: { size, grouped } });
      await this.#rollUp.fromBlock(address, readBlockRow(row ?? {}, block));
      // mutant: close-full-block-group
      if ((block + 1) % BLOCKS_PER_GROUP === 0) await this.#closeBlockGroup(run, block);
    }
    // Its last block may have been closed before the end of the source was known.
    // mutant: close-last-block-group
    if (ended) await this.#closeBlockGroup(run, blockCount(pages) - 1);
  }

  /** Sets the size of the group of a block, if the checkpoint has passed all blocks of the group. */
  async #closeBlockGroup(run: RunRecord, block: number): Promise<void> {
    if (!hasGroupOfItsOwn(run, block)) return;
    const group = blockGroupOf(block);
    const production = { run: run.id, partition: partitionOf(run) };
    const size = blocksInGroup(group, blockCount(run.checkpoint.pages));
    const row = await this.#store.update(blockGroupKey(production, group), { set: { size } });
    await this.#rollUp.fromBlockGroup(production, group, readBlockGroupRow(row ?? {}));
  }

  /** Ends a run, or a partition, whose blocks are all complete. The producer may have crashed between its last checkpoint and the roll-up. */
  async closeAgain(run: RunRecord): Promise<void> {
    await this.#closeBlocks(run, blockOf(run.checkpoint.pages - 1) - 1);
    await this.#end(run);
  }

  /**
   * Sets how many slices in a row have failed, and why the latest one did.
   *
   * @param warnings What the source has warned of so far. Warnings that the run does not have yet are added to it.
   */
  async recordSlice(
    { id, warnings: known }: Pick<RunRecord, "id" | "warnings">,
    failedSlices: number,
    error: string,
    warnings: readonly string[],
  ): Promise<void> {
    await this.#store.update(runKey(id), {
      set: { failedSlices, sliceError: cut(error, LONGEST_ERROR_BYTES), ...warningAttributes(known, warnings) },
    });
  }

  /** Does what `recordSlice` does, for a partition. */
  async recordPartitionSlice(run: RunRecord, failedSlices: number, error: string, warnings: readonly string[]) {
    await this.#warningsOf(run, warnings);
    await this.#store.update(productionKey(run), {
      set: { failedSlices, sliceError: cut(error, LONGEST_ERROR_BYTES) },
    });
  }

  /**
   * Takes back the failed slice that `takeUp` counted in advance, because the slice was interrupted and did not fail. If
   * the slice wrote a checkpoint, the checkpoint has reset the count already.
   *
   * @param run The run as `takeUp` returned it.
   */
  async releaseSlice(run: RunRecord): Promise<void> {
    const { failedSlices } = run;
    await this.#store.update(productionKey(run), {
      set: { failedSlices },
      when: [{ equals: ["failedSlices", failedSlices + 1] }],
    });
  }

  /**
   * Records that the source asked for a wait. The record counts as a checkpoint, so that another producer of the run cannot
   * end the wait with a checkpoint of its own.
   *
   * @param failedSlices How many slices in a row failed before. A wait is not a failure.
   * @returns whether the wait is recorded. If not, another producer has moved the run on, and this one must stop.
   */
  async recordWait(
    run: RunRecord,
    wait: RecordedWait,
    failedSlices: number,
    warnings: readonly string[],
  ): Promise<boolean> {
    const { until, since, count, reason } = wait;
    const row = await this.#store.update(productionKey(run), {
      set: {
        checkpoints: run.checkpoint.count + 1,
        failedSlices,
        ...{ waitUntil: until, waitSince: since, waits: count, waitReason: reason },
        ...(await this.#warningsOf(run, warnings)),
      },
      when: [{ equals: ["checkpoints", run.checkpoint.count] }],
    });
    if (row !== undefined) return true;
    // As with a checkpoint, the response to a successful write can get lost.
    const after = await this.latest(run);
    return after.checkpoint.count === run.checkpoint.count + 1 && after.wait?.until === until;
  }

  /** Records that a slice ended well because the queue was full. The slice may have made no checkpoint. */
  async recordFull(id: string, { at, produced, backlog }: BacklogSample, partition = 0): Promise<void> {
    await this.#store.update(partition === 0 ? runKey(id) : partitionKey({ run: id, partition }), {
      set: { failedSlices: 0, fullAt: { at, produced, backlog } },
      remove: ["sliceError"],
    });
  }

  /** Announces the end of a run that has ended, unless this has happened before. */
  async announceEnd(id: string): Promise<void> {
    await this.#rollUp.tell(id);
  }

  /**
   * Ends a run as failed. The run keeps its cursor, so it can be resumed.
   *
   * @param lanes The round of the lanes that have failed, and that of the run as it was read before. If the run was resumed after
   *   this round, this changes nothing: SQS may deliver a message of these lanes again before the continuation that begins the
   *   next round. Absent: the run has no lanes.
   */
  async fail(
    id: string,
    failure: string,
    lanes?: { readonly round: number; readonly resumedRound: number | undefined },
  ): Promise<void> {
    const when: Condition[] = [{ equals: ["status", "running"] }];
    if (lanes?.resumedRound !== undefined) when.push({ atMost: ["resumedRound", lanes.round] });
    else if (lanes !== undefined) when.push({ absent: "resumedRound" });
    const row = await this.#store.update(runKey(id), {
      set: { status: "failed", failure: cut(failure, LONGEST_ERROR_BYTES) },
      when,
    });
    // The run was not running any more. Perhaps only the announcement of its end has failed, so the end is announced again.
    if (row === undefined) await this.#rollUp.fromStoredRun(id);
  }
}

/** Whether a complete block is entered into a row of its group. Runs that older code began have no such rows. */
const hasGroupOfItsOwn = ({ version }: RunRecord, block: number): boolean =>
  version >= VERSION_WITH_BLOCK_GROUPS && blockGroupOf(block) > 0;

/** The names of the attributes that a checkpoint does not have. The row may have them from the checkpoint before. */
const absentOf = (attributes: Pick<Checkpoint, "cursor" | "loop">): readonly string[] =>
  Object.entries(attributes)
    .filter(([, value]) => value === undefined)
    .map(([name]) => name);

/** The key of the row with the checkpoint of a record: that of its partition, or of the run itself. */
const productionKey = (run: RunRecord): Key =>
  run.partition === undefined ? runKey(run.id) : partitionKey({ run: run.id, partition: run.partition.number });
