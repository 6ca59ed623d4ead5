import type { Condition, LedgerStore, Update } from "../aws/table.ts";
import { batchesOf } from "../base/batches.ts";
import { fromStoredText, toStoredText } from "../base/exact-json.ts";
import { cut } from "../base/failure.ts";
import type { Partition } from "../sources/source.ts";
import { groupOf, lanesKey, PARTITIONS_PER_GROUP, partitionListKey, runKey } from "./keys.ts";
import {
  againAttribute,
  failedAttribute,
  hasNext,
  hopAttribute,
  type LanesRow,
  laneAttribute,
  readLanesRow,
} from "./lanes-row.ts";
import { productionOfPartitions, type RunWithPartitions } from "./partition-production.ts";
import type { RunPartition, RunRecord } from "./run-record.ts";

/** How much of an error's message the row of the lanes keeps. Up to 100 errors share the row. */
const LONGEST_ERROR_BYTES = 1_000;

/** How many continuations a lane may have in one round. A continuation lasts about a minute. */
const HOPS_PER_ROUND = 1_000_000;

/** How many groups of the list of partitions are written at the same time. */
const GROUPS_AT_ONCE = 10;

/** DynamoDB limits an expression to 300 operators and 4 KB. */
const CHANGES_PER_WRITE = 40;

type RunWithLanes = Pick<RunRecord, "id" | "lanes" | "limit">;

/** The number of the first continuation of each lane in a round. */
export const firstHopOf = (round: number): number => round * HOPS_PER_ROUND;

/**
 * Which lane of a run reads which partition. A lane is a message group of the control queue, so one producer at a time
 * works for it. One row of the ledger says which partition each lane reads, so a lane takes a partition with one
 * conditional write, and no partition is read by two lanes. See `docs/internals/partitions.md`.
 */
export class Lanes {
  readonly #store: LedgerStore;

  constructor(store: LedgerStore) {
    this.#store = store;
  }

  /** The row of a run's lanes. */
  async read(run: RunWithLanes): Promise<LanesRow> {
    return readLanesRow((await this.#store.get(lanesKey(run.id))) ?? {}, run);
  }

  /**
   * Stores the list of partitions, and seals it. Until the list is sealed, no partition is read. If another producer has
   * sealed a list in between, or the run was stopped, this list is discarded.
   */
  async seal({ id, lanes = 0 }: RunWithLanes, partitions: readonly Partition[]): Promise<void> {
    // Each list has a number of its own, so a producer that is late does not change a list that is sealed.
    const { plans } = (await this.#store.update(lanesKey(id), { increase: { plans: 1 } })) ?? {};
    const plan = Number(plans);
    const groups = [...batchesOf(partitions, PARTITIONS_PER_GROUP)].entries();
    for (const some of batchesOf([...groups], GROUPS_AT_ONCE)) {
      await Promise.all(
        some.map(([group, listed]) => {
          const list = listed.map(({ id: name, cursor }) => ({ id: name, cursor }));
          return this.#store.update(partitionListKey(id, plan, group), { set: { partitions: toStoredText(list) } });
        }),
      );
    }
    await this.#store.update(lanesKey(id), {
      set: { ...sealed(partitions.length, lanes), plan },
      when: [{ absent: "count" }],
    });
    await this.noteSealed(id);
  }

  /** Notes the number of partitions in the run's row, for those who only read that row. */
  async noteSealed(id: string): Promise<void> {
    const row = await this.#store.get(lanesKey(id));
    if (row?.count === undefined) return;
    await this.#store.update(runKey(id), {
      set: { partitions: Number(row.count), failedSlices: 0 },
      // A wait that the source asked for while it was divided is over.
      remove: ["waitUntil", "waitReason", "waitSince", "waits", "sliceError"],
      when: [{ absent: "partitions" }],
    });
  }

  /** The partition of a number, as the sealed list has it. */
  async partition({ id }: RunWithLanes, { plan }: Pick<LanesRow, "plan">, number: number): Promise<RunPartition> {
    const group = groupOf(number);
    const row = await this.#store.get(partitionListKey(id, plan, group));
    const partitions = row && (fromStoredText(String(row.partitions)) as unknown as readonly Partition[]);
    const partition = partitions?.[number - 1 - group * PARTITIONS_PER_GROUP];
    if (partition === undefined) throw new Error(`partition ${number} of run ${id} vanished from the ledger`);
    return { ...partition, number };
  }

  /**
   * Begins a round: the lanes are started, for the first time or because the run was resumed. Partitions that failed before
   * are to be read again. A round that has begun is not changed.
   */
  async beginRound(run: RunWithLanes, round: number): Promise<LanesRow> {
    const row = await this.read(run);
    if (row.round >= round) return row;
    const failed = [...row.failed.keys()];
    // If another producer has begun the round, its lanes may read these partitions already.
    const when: readonly Condition[] = [{ atMost: ["round", round - 1] }];
    for (const some of batchesOf(failed, CHANGES_PER_WRITE)) {
      await this.#store.update(lanesKey(run.id), {
        set: Object.fromEntries(some.map((partition) => [againAttribute(partition), true])),
        remove: some.map(failedAttribute),
        when,
      });
    }
    await this.#store.update(lanesKey(run.id), { set: { round }, when });
    return await this.read(run);
  }

  /**
   * Takes up a continuation of a lane.
   *
   * @returns the row of the lanes, or `undefined` if a later continuation of the lane has been taken up already.
   */
  async takeUp(run: RunWithLanes, lane: number, hop: number): Promise<LanesRow | undefined> {
    const attribute = hopAttribute(lane);
    const row = await this.#store.update(lanesKey(run.id), {
      set: { [attribute]: hop },
      when: [{ atMost: [attribute, hop] }],
    });
    return row === undefined ? undefined : readLanesRow(row, run);
  }

  /**
   * Ends the work of a lane on its partition, and takes the next partition for it: one that failed before the run was
   * resumed, or the next one of the list.
   *
   * @param row The row of the lanes, in which the lane reads a partition or none.
   * @param failure Why the partition could not be read. Absent: its production has ended.
   * @returns the row after the write. The lane reads no partition if none is left. If another producer of the lane has
   *   taken a partition in between, the row says which.
   */
  async takeNext(run: RunWithLanes, lane: number, row: LanesRow, failure?: string): Promise<LanesRow> {
    const before = row.reading[lane] ?? 0;
    for (let latest = row; ; latest = await this.read(run)) {
      if ((latest.reading[lane] ?? 0) !== before) return latest;
      const written = await this.#store.update(lanesKey(run.id), nextOf(latest, lane, before, failure));
      if (written !== undefined) return readLanesRow(written, run);
    }
  }

  /** How many items all partitions of a run have. */
  async produced(run: RunWithPartitions): Promise<number> {
    return (await productionOfPartitions(this.#store, run)).produced;
  }

  /** Makes sure that no lane takes a further partition of the list. */
  async stop(run: RunWithLanes): Promise<LanesRow> {
    const { id, lanes = 0 } = run;
    // If no list was sealed, the run has no partitions.
    await this.#store.update(lanesKey(id), { set: sealed(0, lanes), when: [{ absent: "count" }] });
    const row = await this.#store.update(lanesKey(id), { set: { stopped: true } });
    await this.noteSealed(id);
    return readLanesRow(row ?? {}, run);
  }
}

/** The write with which a lane leaves its partition and takes the next one. */
function nextOf(row: LanesRow, lane: number, before: number, failure: string | undefined): Update {
  const attribute = laneAttribute(lane);
  const left = { ...(failure !== undefined && { [failedAttribute(before)]: cut(failure, LONGEST_ERROR_BYTES) }) };
  const stays: Condition = { equals: [attribute, before] };
  const [again] = row.again;
  if (again !== undefined) {
    return {
      set: { ...left, [attribute]: again },
      remove: [againAttribute(again)],
      when: [stays, { equals: [againAttribute(again), true] }],
    };
  }
  const failed = failure === undefined ? row.failed : new Map(row.failed).set(before, failure);
  if (hasNext({ ...row, failed })) {
    return {
      set: { ...left, [attribute]: row.next, next: row.next + 1 },
      when: [stays, { equals: ["next", row.next] }, { absent: "stopped" }],
    };
  }
  // A run that is resumed begins a round. Then there may be partitions to read again.
  return { set: { ...left, [attribute]: 0 }, when: [stays, { equals: ["round", row.round] }] };
}

/** The attributes of a row whose list of partitions is sealed, and of whose lanes none has begun. */
const sealed = (count: number, lanes: number): Record<string, number> => ({
  count,
  next: 1,
  round: 0,
  ...Object.fromEntries(
    Array.from({ length: lanes }, (_, lane): [string, number][] => [
      [laneAttribute(lane), 0],
      [hopAttribute(lane), 0],
    ]).flat(),
  ),
});
